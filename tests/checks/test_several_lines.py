"""Projects with several requirements on TensorFlow: each is judged, and fixed, where it counts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from poetry_tf.actions.fix import fix_requirements
from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import make_targets
from poetry_tf.plan.requirement import tensorflow_requirements
from tests.made import content_hash, found, in_memory, lock_text, place

STANDARD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = "{python}"
dependencies = {lines}
[tool.poetry]
package-mode = false
"""
LEGACY = """\
[tool.poetry]
name = "demo"
version = "0.1.0"
package-mode = false
[tool.poetry.dependencies]
python = "{python}"
{lines}
"""


def standard(python: str, *lines: str) -> str:
    return STANDARD.format(python=python, lines=json.dumps(lines))


def legacy(python: str, *lines: str) -> str:
    return LEGACY.format(python=python, lines="\n".join(lines))


def judged(project: Project) -> list[tuple[str, str]]:
    """The findings about pins and Pythons, each with its place."""
    return [
        (item.code, place(item))
        for item in found(project)
        if item.code.startswith("TF2") or item.code == "TF101"
    ]


def fixed(text: str, *locked: tuple[str, str]) -> tuple[str, dict[str, list[str]]]:
    """The Pythons and the versions required after `--fix`, by distribution."""
    after = fix_requirements(in_memory(text, lock=lock_text(*locked) if locked else None))
    assert [item for item in found(after) if item.edits and item.code != "TF501"] == []
    versions: dict[str, list[str]] = {}
    for item in tensorflow_requirements(after):
        versions.setdefault(item.name, []).append(item.written)
    assert after.pyproject.python is not None
    return after.pyproject.python.written, versions


# -- the series of a pin that is too wide -----------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        standard(">=3.9,<3.13", "tensorflow >=2.2,<3"),
        standard(">=3.9,<3.13", "tensorflow>=2.2"),
        legacy(">=3.9,<3.13", 'tensorflow = ">=2.2,<3"'),
        legacy(">=3.9,<3.13", 'tensorflow = {version = "^2.2"}'),
    ],
)
def test_a_wide_pin_gets_a_series_for_every_python(text: str):
    python, versions = fixed(text)
    assert python == ">=3.9,<3.13"
    assert versions in ({"tensorflow": [">=2.20.0,<2.21.0"]}, {"tensorflow": ["~2.20.0"]})


def test_its_own_first_series_is_taken_where_that_serves_all():
    assert fixed(standard(">=3.9,<3.12", "tensorflow (>=2.15,<3)")) == (
        ">=3.9,<3.12",
        {"tensorflow": [">=2.15,<2.16"]},
    )
    # Plain Poetry would lock a release for ARM, so its first without one is not enough.
    assert fixed(standard(">=3.9,<3.11", "tensorflow (>=2.9)"))[1] != {
        "tensorflow": [">=2.9,<2.10"]
    }


def test_of_the_locked_series_the_newest_that_serves_all():
    text = standard(">=3.9,<3.13", "tensorflow >=2.2,<3")
    both = ("tensorflow", "2.20.0"), ("tensorflow", "2.21.0")
    assert fixed(text, *both) == (">=3.9,<3.13", {"tensorflow": [">=2.20.0,<2.21.0"]})
    assert fixed(text, ("tensorflow", "2.16.2"))[1] == {"tensorflow": [">=2.16.2,<2.17.0"]}


def test_where_none_serves_all_nothing_is_cut():
    project = in_memory(standard(">=3.8,<3.14", "tensorflow >=2.2"))
    assert judged(project) == [("TF101", "pyproject.toml:5:17")]
    (finding,) = found(project, "TF101")
    assert "require 2.13 for Python 3.8 and 2.20 for Python 3.9 to 3.13" in finding.remedy
    assert 'python_version < "3.9"' in finding.remedy
    assert fix_requirements(project) == project
    # Nor where the locked one lacks a Python that another has.
    text = standard(">=3.9,<3.13", "tensorflow >=2.15")
    assert fixed(text, ("tensorflow", "2.15.1")) == (">=3.9,<3.13", {"tensorflow": [">=2.15"]})


@pytest.mark.parametrize("keras", [">=3.0.0,<4.0", "^3", ">=3.3"])
def test_a_series_that_contradicts_another_requirement_is_none(keras: str):
    text = legacy(">=3.9,<3.13", f'keras = "{keras}"', 'tensorflow = "^2.15.0"')
    assert fixed(text) == (">=3.9,<3.13", {"tensorflow": ["~2.20.0"]})
    # A requirement that counts elsewhere rules nothing out.
    text = standard(
        ">=3.9,<3.12", f"keras (>=3) ; sys_platform == {'emscripten'!r}", "tensorflow (>=2.15.0)"
    )
    assert fixed(text)[1] == {"tensorflow": [">=2.15.0,<2.16.0"]}


@pytest.mark.parametrize(
    "markers",
    [
        ("platform_system=='Linux'", "platform_system=='Darwin'"),
        ('sys_platform == "linux"', 'sys_platform == "darwin"'),
        (
            "sys_platform != 'darwin' or platform_machine != 'arm64'",
            "sys_platform == 'darwin' and platform_machine == 'arm64'",
        ),
    ],
)
def test_lines_for_platforms_get_one_series_that_each_of_them_has(markers: tuple[str, str]):
    linux, mac = markers
    lines = f"tensorflow>=2.7,<2.12; {linux}", f"tensorflow-macos>=2.7,<2.12; {mac}"
    assert fixed(standard(">=3.10,<3.11", *lines)) == (
        ">=3.10,<3.11",
        {"tensorflow": [">=2.11.1,<2.12.0"], "tensorflow-macos": [">=2.11.0,<2.12.0"]},
    )


def test_the_platform_key_is_such_a_marker():
    text = legacy(
        ">=3.10,<3.11",
        'tensorflow = {version = ">=2.7,<2.12", platform = "linux"}',
        'tensorflow-macos = {version = ">=2.7,<2.12", platform = "darwin"}',
    )
    assert fixed(text)[1] == {"tensorflow": ["~2.11.1"], "tensorflow-macos": ["~2.11.0"]}


def test_a_wide_line_goes_with_the_pin_of_the_other():
    lines = (
        "tensorflow (>=2.20.0,<2.21) ; sys_platform == 'linux'",
        "tensorflow (>=2.9) ; sys_platform != 'linux'",
    )
    _, versions = fixed(standard(">=3.10,<3.12", *lines))
    assert versions == {"tensorflow": [">=2.20.0,<2.21", ">=2.20.0,<2.21.0"]}


# -- Pythons ----------------------------------------------------------------------------------

SPLIT = [
    legacy(
        ">=3.9,<3.13",
        'tensorflow = [{{version="~{}", python="<{}"}}, {{version="~{}", python=">={}"}}]',
    ),
    legacy(
        ">=3.9,<3.13",
        'tensorflow = [{{version="~{}", markers="python_version < \'{}\'"}}, '
        '{{version="~{}", markers="python_version >= \'{}\'"}}]',
    ),
]


@pytest.mark.parametrize("text", SPLIT)
@pytest.mark.parametrize("locked", [(), (("tensorflow", "2.20.0"), ("tensorflow", "2.21.0"))])
def test_each_line_is_judged_by_its_own_pythons(text: str, locked: tuple[tuple[str, str], ...]):
    right = text.format("2.20.0", "3.10", "2.21.0", "3.10")
    lock = lock_text(*locked) if locked else None
    assert judged(in_memory(right, lock=lock)) == []
    wrong = text.format("2.18.0", "3.12", "2.15.0", "3.12")
    ((code, where),) = judged(in_memory(wrong))
    assert (code, where.rpartition(":")[0]) == ("TF202", "pyproject.toml:7")
    assert int(where.rpartition(":")[2]) > 20  # the second of them


def test_a_python_that_one_line_serves_stays_and_the_other_gets_a_marker():
    lines = (
        "tensorflow (>=2.15.0,<2.16) ; sys_platform == 'linux'",
        "tensorflow (>=2.18.0,<2.19) ; sys_platform == 'darwin'",
    )
    project = in_memory(standard(">=3.9,<3.13", *lines))
    assert [code for code, _ in judged(project)] == ["TF201"]
    after = fix_requirements(project)
    assert after.pyproject.data["project"]["requires-python"] == ">=3.9,<3.13"
    assert after.pyproject.data["project"]["dependencies"] == [
        'tensorflow (>=2.15.0,<2.16) ; sys_platform == "linux" and python_version < "3.12"',
        lines[1],
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[project.optional-dependencies]\ntf = ["tensorflow>=2.16,<2.17"]',
            'tf = ["tensorflow>=2.16,<2.17 ; python_version < \\"3.13\\""]',
        ),
        (
            "[tool.poetry.group.tf]\noptional = true\n[tool.poetry.group.tf.dependencies]\n"
            'tensorflow = "~2.16.1"',
            'tensorflow = {version = "~2.16.1", markers = "python_version < \\"3.13\\""}',
        ),
    ],
)
def test_where_tensorflow_is_optional_its_line_is_narrowed(before: str, after: str):
    text = f"{standard('>=3.10,<3.14')}{before}\n"
    fix = fix_requirements(in_memory(text))
    assert fix.pyproject.document.text == text.replace(before.splitlines()[-1], after)
    assert judged(fix) == []


@pytest.mark.parametrize("python", [">=3.6,<4.0", "^3.6"])
def test_a_python_counts_where_what_is_locked_for_the_lowest_has_wheels(python: str):
    """No release has wheels for Python 3.6 on ARM, and none that Poetry locks for it is there."""
    text = legacy(python, 'tensorflow = {version = "^2.1", optional = true}')
    text += '[tool.poetry.extras]\nml = ["tensorflow"]\n'
    (finding,) = found(in_memory(text), "TF201")
    assert finding.remedy == 'Give it the marker: python_version < "3.14"'


@pytest.mark.parametrize(
    ("marker", "cut"),
    [
        ("sys_platform != 'linux'", ""),  # 2.21 has Python 3.13 on Windows and Apple silicon
        ("platform_system == 'Darwin'", ""),
        ("sys_platform == 'darwin' and platform_machine == 'x86_64'", "3.13"),
    ],
)
def test_a_python_that_is_served_on_one_of_undeclared_platforms_is_not_cut(marker: str, cut: str):
    lines = ("tensorflow (>=2.2,<3) ; sys_platform == 'linux'", f"tensorflow (>=2.2,<3) ; {marker}")
    findings = found(in_memory(standard(">=3.8,<3.14", *lines)), "TF201")
    assert [f'python_version < "{cut}"' in one.remedy for one in findings] == [True] * bool(cut)


def test_a_group_that_is_always_installed_cuts_the_project():
    text = f'{standard(">=3.10,<3.14")}[dependency-groups]\ntf = ["tensorflow>=2.16,<2.17"]\n'
    assert fixed(text)[0] == ">=3.10,<3.13"


@pytest.mark.parametrize(
    ("marker", "pin"),
    [("", ">=2.18.0,<2.19.0"), (" ; platform_system != 'Windows'", ">=2.18.1,<2.19.0")],
)
@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_a_pin_begins_with_a_release_that_can_be_locked(name: str, marker: str, pin: str):
    """On Windows 2.18.1 requires a tensorflow-intel that does not exist."""
    text = standard(">=3.9,<3.13", f"{name} (>=2.15,<2.19){marker}")
    assert fixed(text)[1] == {name: [pin]}
    managed = fixed(f"{text}[tool.poetry-tf]\n")[1]
    assert managed[name] == [">=2.18.1,<2.19.0"]  # its metadata is corrected


@pytest.mark.parametrize("version", ["2.18.0", "2.18.1"])
def test_a_pin_begins_with_what_is_locked(version: str):
    text = standard(">=3.9,<3.13", "tensorflow (>=2.15,<3)")
    assert fixed(text, ("tensorflow", version))[1] == {"tensorflow": [f">={version},<2.19.0"]}


# -- what stands beside them --------------------------------------------------------------------


def test_each_series_gets_what_it_needs_beside_it():
    text = legacy(
        ">=3.9,<3.13",
        'tensorflow = [{version="~2.15.0", python="<3.12"}, {version="~2.18.0", python=">=3.12"}]',
    )
    text += '[tool.poetry-tf]\nenvironments = ["linux-x86_64", "windows-amd64", "linux-aarch64"]\n'
    after = fix_requirements(in_memory(text))
    lines = after.pyproject.data["tool"]["poetry"]["dependencies"]
    assert 'python_version < "3.12"' in lines["tensorflow-cpu-aws"]["markers"]
    assert 'python_version < "3.12"' in lines["tensorflow-intel"]["markers"]
    assert [item for item in found(after) if item.code == "TF305"] == []
    assert fix_requirements(after) == after


@pytest.mark.parametrize(
    "lines",
    [
        (
            "tensorflow-cpu (>=2.18.1,<2.19.0) ; platform_machine == 'x86_64'",
            "tensorflow (>=2.18.1,<2.19.0) ; platform_machine == 'aarch64'",
        ),
        (
            "tensorflow (>=2.20.0,<2.21.0) ; platform_machine == 'aarch64'",
            "tensorflow-cpu (>=2.20.0,<2.21.0) ; platform_machine != 'aarch64'",
        ),
    ],
)
def test_a_declared_environment_is_planned_by_the_line_that_counts_there(lines: tuple[str, str]):
    text = standard(">=3.10,<3.13", *lines, "setuptools (<82)")
    text += '[tool.poetry-tf]\nenvironments = ["linux-x86_64", "linux-aarch64"]\n'
    context = make_context(in_memory(text))
    assert context.plan_error is None
    assert {item.code for item in find_problems(context)} == {"TF302", "TF501"}


@pytest.mark.parametrize(
    "lines",
    [
        'tensorflow = [{version = ">=2.15", platform = "win32"}, '
        '{version = ">=2.15", platform = "linux"}]',
        'tensorflow = {version = ">=2.12", platform = "win32"}',
        'tensorflow = {version = ">=2.12", markers = "os_name == \'nt\'"}',
    ],
)
def test_a_wheel_that_hands_over_serves_nobody_without_what_it_hands_over_to(lines: str):
    _, versions = fixed(legacy(">=3.10,<3.12", lines))
    assert {*versions["tensorflow"]} == {"~2.21.0"}
    # Where that is required as well, the first series is enough.
    beside = 'tensorflow-intel = {version = "~2.15.0", markers = "sys_platform == \'win32\'"}'
    text = legacy(">=3.10,<3.12", 'tensorflow = {version = ">=2.15", platform = "win32"}', beside)
    assert fixed(text)[1]["tensorflow"] == ["~2.15"]


@pytest.mark.parametrize("pin", ["~=2.10.0", ">=2.8,<3"])
def test_a_retired_distribution_is_named_anew_where_no_other_counts(pin: str):
    lines = (
        f"tensorflow-gpu {pin} ; sys_platform == 'linux'",
        f"tensorflow {pin} ; sys_platform != 'linux'",
    )
    _, versions = fixed(standard(">=3.10,<3.11", *lines))
    (names,) = versions.items()
    assert names[0] == "tensorflow"
    assert len(names[1]) == 2
    assert len({*names[1]}) == 1
    enough = standard(">=3.10,<3.11", f"tensorflow-gpu {pin}", "tensorflow (~=2.10.0)")
    (finding,) = found(in_memory(enough), "TF103")
    assert (finding.remedy, finding.edits) == ("Remove it: tensorflow is enough", ())


SPLIT = [
    standard(
        ">=3.9,<3.12",
        "tensorflow-cpu (==2.15.1) ; python_version < '3.10'",
        "tensorflow (==2.15.1) ; python_version >= '3.10'",
    ),
    legacy(
        ">=3.9,<3.12",
        """tensorflow-cpu = {version = "==2.15.1", markers = "python_version < '3.10'"}""",
        """tensorflow = {version = "==2.15.1", markers = "python_version >= '3.10'"}""",
    ),
]


@pytest.mark.sample
@pytest.mark.parametrize("text", SPLIT, ids=["standard", "legacy"])
def test_two_lines_that_need_the_same_beside_them_each_get_it(text: str):
    environments = '[tool.poetry-tf]\nenvironments = ["linux-x86_64", "windows-amd64"]\n'
    after = fix_requirements(in_memory(text + environments))
    assert [item for item in found(after) if item.edits and item.code != "TF501"] == []
    items = after.pyproject.requirements
    for name, count in (("tensorflow-intel", 2), ("tensorflow-io-gcs-filesystem", 4)):
        assert sum(item.name == name for item in items) == count
    for target in make_targets(["windows-amd64"], ["3.9", "3.10", "3.11"]):
        for name in ("tensorflow-intel", "tensorflow-io-gcs-filesystem"):
            assert sum(item.name == name and target.admits(item.marker) for item in items) == 1


def test_a_line_counts_where_an_older_release_has_wheels_if_the_newest_has_none():
    """tensorflow-macos 2.15.1 has no files, and hands over to a release that is not there."""
    text = legacy(">=3.10,<3.12", 'tensorflow-macos = ">=2.9"')
    assert "TF202" not in [item.code for item in found(in_memory(text))]


def test_nothing_is_added_beside_what_only_another_source_can_tell():
    text = legacy(">=3.10,<3.13", 'tensorflow = {version = ">=2.15,<2.19", source = "own"}')
    project = in_memory(f"{text}[tool.poetry-tf]\n")
    assert fix_requirements(project) == project


def test_a_python_that_another_release_serves_than_the_locked_one_is_found():
    """No series serves all of its Pythons, so that none is chosen."""
    text = standard(">=3.8,<3.14", "tensorflow (>=2.2,<3)")
    lock = lock_text(("tensorflow", "2.13.1"), content_hash=content_hash(text))
    project = in_memory(text, lock=lock)
    (finding,) = [item for item in found(project) if item.code == "TF304"]
    assert "no wheel for linux-x86_64 with Python 3.12 and 3.13" in finding.message


def test_nothing_is_added_for_one_of_several_releases_that_a_requirement_gets():
    text = standard(">=3.8,<3.14", "tensorflow (>=2.2,<3)") + "[tool.poetry-tf]\n"
    after = fix_requirements(in_memory(text))
    assert not [
        item for item in after.pyproject.requirements if item.name.startswith("tensorflow-")
    ]


@pytest.mark.parametrize(
    ("marker", "locked", "unserved"),
    [
        ("platform_system == 'Darwin'", "2.18.1", []),
        ("sys_platform == 'darwin' and platform_machine == 'arm64'", "2.17.1", []),
        ("sys_platform == 'win32'", "2.18.1", []),
        # 2.15.1 has wheels up to Python 3.11 only, and another release that is admitted has more.
        (
            "platform_system == 'Darwin'",
            "2.15.1",
            ["macos-x86_64 and macos-arm64 with Python 3.12"],
        ),
    ],
)
@pytest.mark.parametrize("written", [standard, legacy])
def test_a_lock_is_judged_where_a_requirement_for_another_platform_counts(
    written: Callable[..., str], marker: str, locked: str, unserved: list[str]
):
    pin = ">=2.15.1" if unserved else f">={locked},<{locked[:4]}.99"
    if written is standard:
        lines = [f"tensorflow {pin} ; {text}" for text in (marker, "sys_platform == 'linux'")]
    else:
        lines = [
            f"tensorflow = [{{ version = '{pin}', markers = \"{marker}\" }}, "
            f"{{ version = '{pin}', platform = 'linux' }}]"
        ]
    settings = "[tool.poetry-tf]\npin = 'warn'\ngpu = 'none'\n"
    text = written(">=3.10,<3.13", *lines) + settings
    lock = lock_text(("tensorflow", locked), content_hash=content_hash(text))
    messages = [item.message for item in found(in_memory(text, lock=lock), "TF304")]
    assert [one for one in messages if "macos" in one or "windows" in one] == [
        f"tensorflow {locked} is locked, which has no wheel for {where}" for where in unserved
    ]
