"""What becomes of each line: required, left to others, or left to the user."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.commands.init_output import migration_lines
from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.migration import read_list
from poetry_tf.migration.classify import Classification, classify_entries, direct_entries
from poetry_tf.migration.entries import PackageList
from poetry_tf.migration.fit import (
    IndexRelease,
    fit_to_index,
    relax_conflicting,
    without_unreadable_sources,
)
from poetry_tf.migration.required import Relaxation, line_edits, relax_specifier, requirement_text
from poetry_tf.plan.environments import Target
from poetry_tf.releases import Release, load

CELL = Target("linux-x86_64", "3.10")


def release(series: str) -> Release:
    found = load().newest(series)
    assert found is not None
    return found


def read(*entries: str) -> PackageList:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    return read_list(f"dependencies:\n{lines}".encode(), Path("environment.yml"))


def pip(*lines: str) -> PackageList:
    return read_list("\n".join(lines).encode(), Path("requirements.txt"))


def classified(
    *entries: str, series: str = "2.12", present: tuple[str, ...] = ()
) -> Classification:
    return classify_entries(read(*entries), release(series), "3.10", present)


def texts(found: Classification) -> list[str]:
    return [requirement_text(item) for item in found.required]


def reasons(found: Classification) -> dict[str, str]:
    return {item.entry.name: item.reason for item in found.dropped}


def test_each_line_goes_where_it_belongs() -> None:
    found = classified(
        "python=3.10",
        "tensorflow=2.12",
        "cudatoolkit=11.8",
        "cudnn",
        "cuda-nvcc",
        "libcublas",
        "libcurl",
        "mkl",
        "openssl",
        "xorg-libx11",
        "pip",
        "nb_conda",
        "keras=2.12",
        "tensorboard",
        "opencv<4.9",
        "pytables",
        "conda-forge::scikit-learn >=1.0",
        "something-unknown",
    )
    assert texts(found) == [
        "opencv-python-headless (<4.9)",
        "tables",
        "scikit-learn (>=1.0)",
        "something-unknown",
    ]
    assert reasons(found) == {
        "cudatoolkit": "container",
        "cudnn": "container",
        "cuda-nvcc": "container",
        "libcublas": "container",
        "libcurl": "system",
        "mkl": "builds",
        "openssl": "system",
        "xorg-libx11": "system",
        "pip": "tools",
        "nb_conda": "tools",
        "keras": "tensorflow",
        "tensorboard": "tensorflow",
    }


def test_the_build_tells_a_library_from_a_package() -> None:
    found = classified(
        "unheard-of-lib=1.0=h5eee18b_1",
        "unheard-of-package=1.0=py37h5eee18b_1",
        "noarch-package=1.0=pyhd8ed1ab_0",
        "metapackage=1.0=hd8ed1ab_0",
        "numba=0.45.1=np117py37_6",
    )
    assert [item.name for item in found.required] == [
        "unheard-of-package",
        "noarch-package",
        "metapackage",
        "numba",
    ]
    assert reasons(found) == {"unheard-of-lib": "system"}


def test_keras_3_is_asked_for_where_tensorflow_takes_it() -> None:
    assert texts(classified("keras >=3.4", series="2.18")) == ["keras (>=3.4)"]
    assert texts(classified("keras", series="2.18")) == []
    assert texts(classified("keras=3.4.1", series="2.18")) == ["keras (==3.4.1)"]
    assert texts(classified("keras >=3.4", series="2.15")) == []
    assert texts(classified("keras <3", series="2.18")) == []


def test_what_the_project_requires_stays_as_it_is() -> None:
    found = classified("numpy=1.21", "pandas", present=("numpy",))
    assert texts(found) == ["pandas"]
    assert reasons(found) == {"numpy": "present"}


def test_two_lines_on_one_package_become_one() -> None:
    assert texts(classified("numpy>=1.19", "numpy<2")) == ["numpy (<2,>=1.19)"]
    assert texts(classified("typing_extensions=4.1.1", "typing-extensions=4.1.1")) == [
        "typing-extensions (==4.1.1)"
    ]
    found = classify_entries(pip("numpy==1.19", "numpy==1.21"), release("2.12"), "3.10", ())
    assert texts(found) == ["numpy (==1.21)"]
    (note,) = found.skipped
    assert (str(note.location), note.reason) == (
        "requirements.txt:1",
        "contradicts 'numpy==1.21' in line 2, which is taken",
    )
    assert texts(
        classify_entries(pip("scikit-learn==1.0.2", "sklearn==0.0"), release("2.12"), "3.10", ())
    ) == ["scikit-learn (==1.0.2)"]


def test_markers_stay_and_lines_that_hold_nowhere_go() -> None:
    found = classify_entries(
        pip(
            'pywin32>=300 ; sys_platform == "win32"',
            'dataclasses-json ; python_version < "3.7"',
            'numpy==1.22 ; python_version < "3.11"',
            'numpy==1.26 ; python_version >= "3.11"',
        ),
        release("2.12"),
        "3.10",
        (),
    )
    assert texts(found) == [
        'pywin32 (>=300) ; sys_platform == "win32"',
        'numpy (==1.22) ; python_version < "3.11"',
    ]
    assert list(reasons(found).values()) == ["elsewhere", "elsewhere"]


def test_a_marker_that_compares_nothing_is_for_poetry_to_refuse() -> None:
    line = 'numpy ; python_version ~= "x"'
    assert texts(classify_entries(pip(line), release("2.12"), "3.10", ())) == [line]


def test_a_companion_bound_to_another_series_loses_its_version() -> None:
    assert texts(classified("tensorflow-text=2.7.0")) == ["tensorflow-text"]
    assert texts(classified("tensorflow-text==2.12.0")) == ["tensorflow-text (==2.12.0)"]
    assert texts(classified("tensorflow-hub")) == ["tensorflow-hub (<0.16)"]
    assert texts(classified("tensorflow-hub", series="2.15")) == ["tensorflow-hub"]


def test_what_is_for_other_systems_goes_and_what_has_a_marker_is_kept_for_them() -> None:
    assert reasons(classified("tensorflow-metal", "apple::tensorflow-deps")) == {
        "tensorflow-metal": "elsewhere",
        "tensorflow-deps": "tensorflow",
    }
    found = classify_entries(
        pip('pywin32==304 ; sys_platform == "win32"'), release("2.12"), "3.10", ()
    )
    there = {canonicalize_name("pywin32"): index_releases("304", fits=False)}
    assert texts(fit_to_index(found, there, CELL)) == ['pywin32 (==304) ; sys_platform == "win32"']


def test_the_builds_of_pytorchs_own_index_become_pypis() -> None:
    found = classify_entries(pip("torch==2.0.1+cu118"), release("2.12"), "3.10", ())
    assert texts(found) == ["torch (==2.0.1)"]
    assert found.required[0].reason == "PyPI has no builds that are called +cu118"


def test_a_collection_is_left_to_the_user() -> None:
    (skipped,) = classified("anaconda=2020.07").skipped
    assert (skipped.location.line, skipped.actionable) == (2, True)


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("https://github.com/me/x.git", {"git": "https://github.com/me/x.git"}),
        ("https://github.com/me/x@v1", {"git": "https://github.com/me/x", "rev": "v1"}),
        ("ssh://git@host/me/x.git", {"git": "ssh://git@host/me/x.git"}),
        ("ssh://git@host/me/x@a/b", {"git": "ssh://git@host/me/x", "rev": "a/b"}),
    ],
)
def test_a_repository_stands_in_poetrys_own_table_as_poetry_has_it(
    tmp_path: Path, address: str, entry: dict[str, str]
) -> None:
    text = '[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.10"\n'
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    project = Project.read(tmp_path)
    found = classify_entries(pip(f"git+{address}#egg=x"), release("2.12"), "3.10", ())
    after = apply(project, line_edits(project, found.required))
    assert after.pyproject.data["tool"]["poetry"]["dependencies"]["x"] == entry


# Exports


def test_of_an_export_stays_what_nothing_else_needs() -> None:
    lines = [f"{name}=1.0=py310_0" for name in "abcdefghij"]
    found = classified(*lines, "numpy=1.23.5=py310_0")
    requires = {
        "a": ("b", "c"),
        "c": ("numpy",),
        "d": ("e",),  # d and e require each other, and nothing else requires them
        "e": ("d", "f"),
        "tensorboard": ("g",),
    }
    normal = {canonicalize_name(key): [*map(canonicalize_name, of)] for key, of in requires.items()}
    kept = direct_entries(found, normal, release("2.12"))
    # numpy is needed by c, and imported by people all the same.
    assert [item.name for item in kept.required] == ["a", "d", "h", "i", "j", "numpy"]
    assert {item.entry.name for item in kept.dropped if item.reason == "needed"} == {*"bcefg"}


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), max_size=6
    )
)
def test_whatever_requires_whatever_all_is_reached(requires: dict[str, list[str]]) -> None:
    found = classified(*(f"{name}=1.0=py310_0" for name in "abcdef"))
    normal = {canonicalize_name(key): [*map(canonicalize_name, of)] for key, of in requires.items()}
    kept = direct_entries(found, normal, release("2.12"))
    queue, reached = [str(item.key) for item in kept.required], set[str]()
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue += requires.get(name, [])
    assert reached >= {*"abcdef"}
    assert len(kept.required) + sum(item.reason == "needed" for item in kept.dropped) == 6


# What an index has


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
    found = classify_entries(pip(line), release("2.12"), "3.10", ())
    assert texts(fit_to_index(found, {canonicalize_name("x"): there}, CELL)) == [expected]


def test_what_an_index_lacks_is_left_to_the_user() -> None:
    found = classified("gone", "stale")
    there = {
        canonicalize_name("gone"): None,
        canonicalize_name("stale"): index_releases("1", fits=False),
    }
    fit = fit_to_index(found, there, CELL)
    assert fit.required == ()
    assert [(line.location.line, line.reason[:30]) for line in fit.skipped] == [
        (2, "PyPI has no package of that na"),
        (3, "PyPI has nothing of it that Py"),
    ]


def test_what_one_environment_lacks_is_left_out_there() -> None:
    there = [IndexRelease(Version("6.0"), True, ("linux-aarch64",), True)]
    fit = fit_to_index(classified("pyside2"), {canonicalize_name("pyside2"): there}, CELL)
    assert texts(fit) == ['pyside2 ; sys_platform != "linux" or platform_machine != "aarch64"']
    assert "Left out on linux-aarch64" in "\n".join(migration_lines(read("pyside2"), fit, ()))


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
        return "no gdal-config." if name == "bad" else None

    done = without_unreadable_sources(found, there, fault)
    assert texts(done) == ["good", "ready"]
    assert asked == [("good", "1.0"), ("bad", "2.0")]
    (skipped,) = done.skipped
    assert "(no gdal-config): add it with `poetry add bad`" in skipped.reason


# What a solver says


def test_versions_in_conflict_give_way_step_by_step() -> None:
    found = classify_entries(pip("a==1.2", "b>=1,<3", "c"), release("2.12"), "3.10", ())
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


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["==", ">=", "<=", "<", ">", "!=", "~="]),
            st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", fullmatch=True),
        ),
        max_size=3,
    )
)
def test_what_is_looser_is_a_specifier_and_ends_at_nothing(parts: list[tuple[str, str]]) -> None:
    written = ",".join(operator + version for operator, version in parts)
    for relaxation in Relaxation:
        text = relax_specifier(written, relaxation)
        SpecifierSet(text)
        Requirement(f"x ({text})" if text else "x")
    assert relax_specifier(written, Relaxation.ANY) == ""


# The account


def test_the_account_names_every_line_once() -> None:
    entries = [
        "python=3.10",
        "tensorflow=2.12",
        "numpy",
        "cudnn",
        "mkl",
        "opencv",
        "anaconda",
        "pip",
    ]
    found = read(*entries)
    done = classify_entries(found, release("2.12"), "3.10", ())
    whole = migration_lines(found, done, ("Python 3.9 becomes 3.10: why",), whole=True)
    text = "\n".join(whole)
    assert text.startswith("From environment.yml, 8 packages:\n  Python 3.9 becomes 3.10: why\n")
    for name in ("numpy", "cudnn", "mkl", "opencv is opencv-python-headless", "pip"):
        assert name in text
    assert [line.written for line in done.undecided] == ["anaconda"]


def test_a_name_that_is_not_known_is_carried_over_and_named() -> None:
    found = read("numpy", "something-new", "built-one=1.0=py310_0", "opencv")
    done = classify_entries(found, release("2.12"), "3.10", ())
    lines = [*migration_lines(found, done, ())]
    assert "  Taken to have the same name on PyPI (1): something-new" in lines
    of_pip = pip("something-new")
    done = classify_entries(of_pip, release("2.12"), "3.10", ())
    assert not any("same name" in line for line in migration_lines(of_pip, done, ()))


def test_long_lists_are_cut_unless_all_is_asked_for() -> None:
    entries = [f"package-{number}" for number in range(30)]
    found = read(*entries)
    done = classify_entries(found, release("2.12"), "3.10", ())
    assert "and 24 more (all with -v)" in "\n".join(migration_lines(found, done, ()))
    assert "package-29" in "\n".join(migration_lines(found, done, (), whole=True))
