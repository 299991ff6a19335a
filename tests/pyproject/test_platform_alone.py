"""The distribution of one platform required alone: what `--fix` writes instead."""

from __future__ import annotations

import pytest

from poetry_tf.actions.fix import fix, fix_requirements
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, make_targets
from poetry_tf.plan.settings import read_settings
from tests.made import found, in_memory

MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'
NOT_MAC = 'sys_platform != "darwin" or platform_machine != "arm64"'
WINDOWS = 'sys_platform == "win32" and platform_machine == "AMD64"'
NOT_WINDOWS = 'sys_platform != "win32" or platform_machine != "AMD64"'
ARM = 'sys_platform == "linux" and platform_machine == "aarch64"'
NOT_ARM = 'sys_platform != "linux" or platform_machine != "aarch64"'
HEAD = '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\n'


def fixed(text: str) -> Project:
    after = fix_requirements(in_memory(text))
    assert [item for item in found(after) if item.edits and item.code != "TF501"] == []
    return after


def lines(project: Project) -> list[str]:
    return [
        f"{item.name} {item.written}" + ("" if item.marker.is_any() else f" ; {item.marker}")
        for item in project.pyproject.requirements
        if item.name.startswith("tensorflow")
    ]


MARKERS = {
    "tensorflow-macos": (MAC, NOT_MAC),
    "tensorflow-intel": (WINDOWS, NOT_WINDOWS),
    "tensorflow-cpu-aws": (ARM, NOT_ARM),
}


def modern(line: str, python: str = ">=3.10,<3.12") -> str:
    return (
        f'[project]\nname = "demo"\nversion = "1"\nrequires-python = "{python}"\n'
        f"dependencies = [\n    '{line}',\n]\n[tool.poetry]\npackage-mode = false\n"
    )


def both(name: str, version: str) -> list[str]:
    own, others = MARKERS[name]
    return [f"{name} {version} ; {own}", f"tensorflow {version} ; {others}"]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorflow-macos", "~=2.9.2"),
        ("tensorflow-macos", ">=2.12,<2.13"),
        ("tensorflow-macos", "==2.15.0"),
        ("tensorflow-intel", "~=2.15.0"),
        ("tensorflow-intel", "==2.18.0"),
        ("tensorflow-intel", "~=2.18.0"),
        ("tensorflow-cpu-aws", "~=2.13.0"),
    ],
)
def test_both_are_required_where_tensorflow_has_no_files_of_its_own(
    name: str, version: str
) -> None:
    python = ">=3.10,<3.11" if "2.9" in version else ">=3.10,<3.12"
    assert lines(fixed(modern(name + version, python))) == both(name, version)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorflow-macos", "~=2.15.0"),
        ("tensorflow-macos", "~=2.16.1"),
        ("tensorflow-intel", "~=2.10.0"),
    ],
)
def test_tensorflow_takes_its_place_where_it_has_the_files(name: str, version: str) -> None:
    python = ">=3.10,<3.11" if "2.10" in version else ">=3.10,<3.12"
    assert lines(fixed(modern(name + version, python))) == [f"tensorflow {version}"]


def test_a_release_that_only_managed_projects_can_lock_counts_in_these() -> None:
    """Of 2.18 only 2.18.1 has the files for Windows."""
    text = modern("tensorflow-intel~=2.18.0", ">=3.10,<3.13")
    assert lines(fixed(f"{text}[tool.poetry-tf]\n")) == ["tensorflow ~=2.18.0"]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("tensorflow-macos", ["tensorflow >=2.15.1,<2.16.0"]),
        ("tensorflow-cpu-aws>=2.12", both("tensorflow-cpu-aws", ">=2.12,<2.13")),
    ],
)
def test_what_is_too_wide_gets_the_series_that_its_pin_would(line: str, after: list[str]) -> None:
    assert lines(fix(in_memory(modern(line)), codes={"TF103"})) == after


@pytest.mark.parametrize("marker", ["", ' ; python_version > "3"'])
def test_an_open_range_is_judged_by_the_pythons_with_wheels(marker: str) -> None:
    text = modern(f"tensorflow-macos~=2.13.0{marker}", ">=3")
    assert len(lines(fix(in_memory(text), codes={"TF103"}))) == 2


BOTH = [f"tensorflow-macos ~2.13.0 ; {MAC}", f"tensorflow ~2.13.0 ; {NOT_MAC}"]


@pytest.mark.parametrize(
    "text",
    [
        f'{HEAD}tensorflow-macos = "~2.13.0"\n',
        f'{HEAD}tensorflow-macos = {{ version = "~2.13.0" }}  # the Mac\n',
        f'{HEAD}tensorflow-macos = [\n    {{ version = "~2.13.0" }},\n]\n',
        f'{HEAD}[[tool.poetry.dependencies.tensorflow-macos]]\nversion = "~2.13.0"\n',
        f'{HEAD}[tool.poetry.group.ml.dependencies]\ntensorflow-macos = "~2.13.0"\n',
        f"{HEAD}[tool.poetry.group.ml]\noptional = true\n"
        '[tool.poetry.group.ml.dependencies]\ntensorflow-macos = "~2.13.0"\n',
        f'{HEAD}tensorflow-macos = {{ version = "~2.13.0", optional = true }}\n'
        '[tool.poetry.extras]\nml = ["tensorflow-macos"]\n',
    ],
)
def test_both_are_required_in_every_form(text: str) -> None:
    after = fixed(text)
    assert sorted(lines(after)) == sorted(BOTH)
    document = after.pyproject.document.text
    if "extras" in text:
        assert 'ml = ["tensorflow-macos", "tensorflow"]' in document
        assert document.count("optional = true") == 2
    assert ("# the Mac" in document) is ("# the Mac" in text)


def test_a_marker_for_pythons_is_kept() -> None:
    line = 'tensorflow-macos = { version = "~2.13.0", python = "<3.11" }\n'
    mac, others = fixed(HEAD + line).pyproject.requirements
    for target in make_targets(["linux-x86_64", "macos-arm64"], ["3.10", "3.11"]):
        counts = target.admits(mac.marker), target.admits(others.marker)
        is_mac = target.environment == "macos-arm64"
        assert counts == ((is_mac, not is_mac) if target.python == "3.10" else (False, False))


@pytest.mark.sample
@pytest.mark.parametrize("series", ["2.12", "2.13"])
@pytest.mark.parametrize(
    ("declared", "after"),
    [
        ("", [*DEFAULT_ENVIRONMENTS, "macos-arm64"]),
        ('environments = ["linux-x86_64"]\n', ["linux-x86_64", "macos-arm64"]),
        ('environments = ["macos-arm64", "linux-x86_64"]\n', ["macos-arm64", "linux-x86_64"]),
    ],
)
def test_a_managed_project_declares_the_environment(
    series: str, declared: str, after: list[str]
) -> None:
    text = f'{HEAD}tensorflow-macos = "~{series}.0"\n[tool.poetry-tf]\n{declared}'
    project = fixed(text)
    assert [*(read_settings(project)[0].environments or ())] == after
    assert {item.code for item in found(project)} <= {"TF302", "TF501"}
    tensorflow = [
        item for item in project.pyproject.requirements if item.name.startswith("tensorflow")
    ]
    for target in make_targets(after, ["3.10", "3.11"]):
        names = {item.name for item in tensorflow if target.admits(item.marker)}
        is_mac = target.environment == "macos-arm64"
        assert ("tensorflow-macos" in names, "tensorflow" in names) == (is_mac, not is_mac)


def test_what_is_for_its_platform_alone_is_left_for_a_person_to_decide() -> None:
    """To remove it, or to rename it, would leave the Mac without TensorFlow."""
    text = f"{HEAD}tensorflow-macos = {{ version = '~2.13.0', markers = '{MAC}' }}\n"
    (finding,) = found(in_memory(text), "TF103")
    assert finding.edits == ()
    assert fix_requirements(in_memory(text)).pyproject.document.text == text
    newer = text.replace("2.13.0", "2.16.1")
    assert lines(fixed(newer)) == [f"tensorflow ~2.16.1 ; {MAC}"]


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        ("~2.12.0", f"Give it the marker {MAC}"),
        ("==2.15.0", f"Give it the marker {MAC}"),
        ("~2.16.1", "Remove it: tensorflow is enough"),
    ],
)
def test_beside_tensorflow_it_is_not_needed_only_where_that_is_true(
    version: str, remedy: str
) -> None:
    text = f"{HEAD}tensorflow = '{version}'\ntensorflow-macos = '{version}'\n"
    (finding,) = found(in_memory(text), "TF103")
    assert finding.remedy == remedy
    after = lines(fix_requirements(in_memory(text)))
    marked = f" ; {MAC}" if finding.edits else ""
    assert after == [f"tensorflow {version}", f"tensorflow-macos {version}{marked}"]


LISTED = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
PLAIN, OF_MAC = "tensorflow>=2.13,<2.14", "tensorflow-macos>=2.13,<2.14"
CHOICES = {
    "extras": f"{LISTED}optional-dependencies = {{ all = ['{PLAIN}'], mac = ['{OF_MAC}'] }}\n"
    "[tool.poetry]\npackage-mode = false\n",
    "extras in Poetry's table": f"{HEAD}tensorflow = {{ version = '~2.13.0', optional = true }}\n"
    "tensorflow-macos = { version = '~2.13.0', optional = true }\n"
    "[tool.poetry.extras]\nall = ['tensorflow']\nmac = ['tensorflow-macos']\n",
    "groups": f"{HEAD}[tool.poetry.group.pc]\noptional = true\n"
    "[tool.poetry.group.pc.dependencies]\ntensorflow = '~2.13.0'\n"
    "[tool.poetry.group.mac]\noptional = true\n"
    "[tool.poetry.group.mac.dependencies]\ntensorflow-macos = '~2.13.0'\n",
}


@pytest.mark.parametrize("text", CHOICES.values(), ids=CHOICES)
def test_what_is_a_choice_beside_tensorflow_may_be_for_one_platform(text: str) -> None:
    assert found(in_memory(text), "TF103") == []
    assert fix_requirements(in_memory(text)).pyproject.document.text == text


@pytest.mark.parametrize(
    "gone", ["optional = true\n", "[tool.poetry.group.mac]\noptional = true\n"]
)
def test_what_is_always_installed_beside_tensorflow_is_no_choice(gone: str) -> None:
    text = CHOICES["groups"].replace(gone, "", 1)
    (finding,) = found(in_memory(text), "TF103")
    assert finding.remedy.startswith(f"Give it the marker {MAC}")


@pytest.mark.sample
@pytest.mark.parametrize("series", ["2.12", "2.15", "2.17"])
def test_what_the_distribution_of_a_platform_needs_is_required_as_well(series: str) -> None:
    """The newest tensorflow-io-gcs-filesystem has no wheel for Windows."""
    line = f'tensorflow-intel = "~{series}.0"\n'
    after = lines(fixed(f"{HEAD}{line}[tool.poetry-tf]\ngpu = 'none'\n"))
    assert after[:2] == [
        f"tensorflow-intel ~{series}.0 ; {WINDOWS}",
        f"tensorflow ~{series}.0 ; {NOT_WINDOWS}",
    ]
    assert [one for one in after if "gcs" in one] == [
        'tensorflow-io-gcs-filesystem >=0.23.1,<0.32 ; sys_platform == "win32"',
        'tensorflow-io-gcs-filesystem >=0.23.1 ; sys_platform != "win32"',
    ]
    assert not any("gcs" in one for one in lines(fixed(HEAD + line)))  # it advises there
