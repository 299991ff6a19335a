"""Requirements are fitted to what an index has, and loosened where they conflict."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.actions.migrate import _fits
from poetry_tf.commands.init_output import migration_lines
from poetry_tf.migration.fit import (
    IndexRelease,
    fit_addresses,
    fit_to_index,
    relax_conflicting,
    without_builds,
    without_missing_files,
)
from poetry_tf.plan.environments import Target
from tests.migration.lists import classified, classified_pip, conda, texts

TARGET = Target("linux-x86_64", "3.10")


def index_releases(*versions: str, fits: bool = True, source: bool = False) -> list[IndexRelease]:
    return [IndexRelease(Version(item), fits, (), fits, source) for item in versions]


@pytest.mark.parametrize(
    ("line", "there", "expected"),
    [
        ("x==1.2.0", index_releases("1.2.0", "1.3"), "x (==1.2.0)"),
        (
            "x==1.2.0",
            [*index_releases("1.2.0", fits=False), *index_releases("1.9", "2.0")],
            "x (>=1.2.0,<2)",
        ),
        ("x==1.2.0", [*index_releases("1.2.0", fits=False), *index_releases("2.0")], "x"),
        ("x==1.2.0", index_releases("1.1"), "x"),
        ("x<1.0", [*index_releases("0.9", fits=False), *index_releases("2.0")], "x"),
        ("x==1.2.0", index_releases("1.2.0", fits=False, source=True), "x (==1.2.0)"),
        ("x==1.2.0rc1", index_releases("1.1"), "x (==1.2.0rc1)"),
    ],
)
def test_a_version_gives_way_as_far_as_it_must(
    line: str, there: list[IndexRelease], expected: str
) -> None:
    found = classified_pip(line)
    assert texts(fit_to_index(found, {canonicalize_name("x"): there}, TARGET)) == [expected]


def test_what_an_index_lacks_is_left_to_the_user() -> None:
    found = classified("gone", "stale")
    there = {
        canonicalize_name("gone"): None,
        canonicalize_name("stale"): index_releases("1", fits=False),
    }
    fit = fit_to_index(found, there, TARGET)
    assert fit.required == ()
    assert [(line.location.line, line.reason[:30]) for line in fit.skipped] == [
        (2, "PyPI has no package of this na"),
        (3, "PyPI has no file of it for Pyt"),
    ]


def test_what_is_required_elsewhere_alone_is_not_held_against_the_index() -> None:
    found = classified_pip('pywin32==304 ; sys_platform == "win32"')
    there = {canonicalize_name("pywin32"): index_releases("304", fits=False)}
    assert texts(fit_to_index(found, there, TARGET)) == [
        'pywin32 (==304) ; sys_platform == "win32"'
    ]


def test_what_one_environment_lacks_is_left_out_there() -> None:
    there = [IndexRelease(Version("6.0"), True, ("linux-aarch64",), True)]
    fit = fit_to_index(classified("pyside2"), {canonicalize_name("pyside2"): there}, TARGET)
    assert texts(fit) == ['pyside2 ; sys_platform != "linux" or platform_machine != "aarch64"']
    assert "Left out on linux-aarch64" in "\n".join(migration_lines(conda("pyside2"), fit, (), ""))


def test_a_wheel_from_an_address_is_required_only_where_it_fits() -> None:
    lines = {
        "any": "https://example.com/any-1.0-py3-none-any.whl",
        "here": "https://example.com/here-1.0%2Bcu1-cp310-cp310-linux_x86_64.whl",
        "older": "https://example.com/older-1.0-cp39-cp39-linux_x86_64.whl#sha256=00",
        "source": "https://example.com/source-1.0.tar.gz",
    }
    found = classified_pip(*(f"{name} @ {url}" for name, url in lines.items()))
    fit = fit_addresses(found, [TARGET, Target("linux-aarch64", "3.10")], _fits)
    x86 = 'sys_platform != "linux" or platform_machine != "aarch64"'
    assert [(item.name, item.entry.marker) for item in fit.required] == [
        ("any", ""),
        ("here", x86),
        ("source", ""),
    ]
    (skipped,) = fit.skipped
    assert skipped.reason.startswith("its wheel is not for Python 3.10 on linux-x86_64")


def test_those_left_out_in_the_same_environments_are_named_in_one_line() -> None:
    there = {
        canonicalize_name(name): [IndexRelease(Version("6.0"), True, ("linux-aarch64",), True)]
        for name in ("mkl", "pyside2")
    }
    listing = conda("pyside2", "mkl")
    fit = fit_to_index(classified_pip("pyside2", "mkl"), there, TARGET)
    lines = [line for line in migration_lines(listing, fit, (), "") if "Left out" in line]
    assert lines == ["  Left out on linux-aarch64, because it has no files there: pyside2, mkl"]


def test_what_brings_a_package_without_files_is_left_out_where_it_has_none() -> None:
    found = classified_pip("gui==1.0", "only-here", "plain")
    gui, here, lib, tool = map(canonicalize_name, ("gui", "only-here", "gui-lib", "tool"))
    brought = {gui: frozenset({gui, lib}), here: frozenset({here, tool})}
    missing = {lib: ["linux-aarch64"], tool: ["linux-x86_64", "linux-aarch64"]}
    fit = without_missing_files(found, missing, brought, "linux-x86_64")
    assert fit is not None
    marker = 'sys_platform != "linux" or platform_machine != "aarch64"'
    assert texts(fit) == [f"gui (==1.0) ; {marker}", "plain"]
    (skipped,) = fit.skipped
    assert (skipped.written, "tool" in skipped.reason) == ("only-here", True)
    assert without_missing_files(fit, missing, brought, "linux-x86_64") is None


def test_a_source_that_cannot_be_made_sense_of_is_left_to_the_user() -> None:
    found = classified("good", "bad", "ready")
    there = {
        canonicalize_name("good"): index_releases("1.0", fits=False, source=True),
        canonicalize_name("bad"): index_releases("1.0", "2.0", fits=False, source=True),
        canonicalize_name("ready"): index_releases("1.0"),
    }
    asked = []

    def fault(name: str, version: Version) -> str | None:
        asked.append((name, str(version)))
        return "which can't be built here (no gdal-config)" if name == "bad" else None

    done = without_builds(found, there, fault, TARGET)
    assert texts(done) == ["good", "ready"]
    assert asked == [("good", "1.0"), ("bad", "2.0")]
    (skipped,) = done.skipped
    assert "(no gdal-config): add it with `poetry add bad`" in skipped.reason


def test_what_has_wheels_for_others_only_is_not_compiled_here() -> None:
    windows = 'elsewhere-too==1.0 ; sys_platform == "win32"'
    found = classified_pip("elsewhere==1.0", "python-two==1.0", windows)
    compiled = [IndexRelease(Version("1.0"), False, (), True, True, is_compiled=True)]
    there = {
        canonicalize_name("elsewhere"): compiled,
        canonicalize_name("elsewhere-too"): compiled,
        canonicalize_name("python-two"): [IndexRelease(Version("1.0"), False, (), True, True)],
    }
    done = without_builds(found, there, lambda *_: pytest.fail("nothing is asked"), TARGET)
    assert texts(done) == [
        "python-two (==1.0)",
        'elsewhere-too (==1.0) ; sys_platform == "win32"',
    ]
    (skipped,) = done.skipped
    assert skipped.reason == (
        "PyPI has no wheel of it for Python 3.10, only source code to compile: add it with "
        "`poetry add elsewhere@1.0` where the libraries it needs are installed"
    )


def test_versions_in_conflict_give_way_step_by_step() -> None:
    found = classified_pip("a==1.2", "b>=1,<3", "c")
    first = relax_conflicting(found, {"a", "c", "tensorflow"})
    assert first is not None
    assert texts(first) == ["a (>=1.2,<2)", "b (<3,>=1)", "c"]
    second = relax_conflicting(first, {"a", "b"})
    assert second is not None
    assert texts(second) == ["a", "b (>=1,<2)", "c"]
    assert relax_conflicting(second, {"a", "c"}) is None
    every = relax_conflicting(found, (), everything=True)
    assert every is not None
    assert texts(every) == ["a", "b", "c"]
