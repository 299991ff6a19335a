"""What breaks with a later version of a dependency: prevented, or only reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.checks.findings import Finding
from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.pyproject.bounds import outdated_bound_edits
from tests.made import content_hash, found, in_memory, lock_text, on_disk

MANAGED = '[tool.poetry-tf]\ngpu = "none"\nenvironments = ["linux-x86_64"]\n'
APPLICATION = "[tool.poetry]\npackage-mode = false\n"
PACKAGE = '[tool.poetry]\npackages = [{ include = "lib" }]\n'
LINE = "setuptools (<82)"


def text_of(*lines: str, python: str = ">=3.10,<3.12", more: str = APPLICATION + MANAGED) -> str:
    return (
        f'[project]\nname = "x"\nversion = "1"\nrequires-python = "{python}"\n'
        f"dependencies = {json.dumps(lines)}\n{more}"
    )


def findings_of(text: str, root: Path | None = None, *packages: tuple[str, str]) -> list[Finding]:
    """What TF305 finds; with a folder, in a project with a lock of these packages."""
    if root is None:
        return found(in_memory(text), "TF305")
    lock = lock_text(*packages, content_hash=content_hash(text))
    lock = lock.replace("optional = false\n", 'optional = false\ngroups = ["main"]\n')
    return found(on_disk(root, {"pyproject.toml": text, "poetry.lock": lock}), "TF305")


def fixed(text: str) -> list[Requirement]:
    """The requirements on setuptools after `check --fix`, by which nothing is left to fix."""
    after = fix(in_memory(text))
    assert [item for item in found(after, "TF305") if item.edits] == []
    assert fix(after) == after
    return [item for item in after.pyproject.requirements if item.name == "setuptools"]


# -- an application -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        (["tensorflow (~=2.18.0)"], [LINE]),
        (["tensorflow~=2.20.0"], ["setuptools<82"]),
        (["tensorflow-cpu (~=2.15.0)"], [LINE]),
        (["tensorflow (~=2.18.0)", "setuptools"], [LINE]),
        (["tensorflow (~=2.18.0)", "Setuptools>=65"], ["Setuptools>=65,<82"]),
        (["tensorflow (~=2.18.0)", "setuptools (>=65,!=70.0)"], ["setuptools (>=65,!=70.0,<82)"]),
        (["tensorflow (~=2.18.0)", "setuptools (~=75.0)"], ["setuptools (~=75.0)"]),
        # A TensorBoard of one's own.
        (["tensorflow (~=2.21.0)", "tensorboard (~=2.20.0)"], [LINE]),
        (["tensorflow (~=2.21.0)", "tensorboard (>=2.20)"], []),
        (["tensorflow (~=2.21.0)"], []),
        (["setuptools (<82)", "tensorflow (~=2.21.0)"], ["setuptools (<82)"]),
    ],
)
def test_setuptools_is_kept_below_82_for_an_old_tensorboard(lines: list[str], after: list[str]):
    project = fix(in_memory(text_of(*lines)))
    dependencies = project.pyproject.data["project"]["dependencies"]
    assert [line for line in dependencies if "setuptools" in line.lower()] == after
    assert found(project, "TF305") == []


def test_it_is_a_warning_that_says_why():
    (finding,) = findings_of(text_of("tensorflow (~=2.18.0)"))
    assert finding.severity == "warning"
    assert finding.message == (
        "tensorboard >=2.18,<2.19 admits setuptools 82: it imports pkg_resources, which "
        "setuptools 82 removed, so it fails to start"
    )
    assert finding.remedy == f"Add '{LINE}'"
    (numpy,) = (
        item for item in findings_of(text_of("tensorflow (==2.14.0)")) if "numpy" in item.message
    )
    assert numpy.severity == "error"


@pytest.mark.parametrize("line", ["setuptools (>=82)", "setuptools (==82.0.1)"])
def test_a_contradiction_is_for_a_person_to_settle(line: str):
    (finding,) = findings_of(text_of("tensorflow (~=2.18.0)", line))
    assert (finding.edits, finding.severity) == ((), "warning")
    assert finding.remedy == "Require setuptools below 82"


def test_it_counts_where_the_old_tensorboard_does():
    old, new = "python_version < '3.10'", "python_version >= '3.10'"
    text = text_of(
        f"tensorflow (~=2.20.0) ; {old}", f"tensorflow (~=2.21.0) ; {new}", python=">=3.9,<3.13"
    )
    (item,) = fixed(text)
    assert str(item.marker) == 'python_version < "3.10"'
    # A line for every Python stays as it is beside that.
    (mine, ours) = fixed(text.replace('"tensorflow', '"setuptools (>=65)", "tensorflow', 1))
    assert (mine.written, str(ours.marker)) == (">=65", 'python_version < "3.10"')


def test_lines_for_both_kinds_of_computer_need_one_for_everywhere():
    linux = "sys_platform == 'linux' and platform_machine == 'x86_64'"
    rest = "sys_platform != 'linux' or platform_machine != 'x86_64'"
    (item,) = fixed(
        text_of(f"tensorflow[and-cuda] (~=2.18.0) ; {linux}", f"tensorflow (~=2.18.0) ; {rest}")
    )
    assert item.marker.is_any()


def test_one_from_a_path_is_left_alone():
    text = text_of("tensorflow (~=2.18.0)", "setuptools @ https://example.org/setuptools-81.zip")
    assert findings_of(text) == []


STYLES = {
    "extra": '[project]\nname = "x"\nversion = "1"\nrequires-python = "{python}"\n'
    '[project.optional-dependencies]\nml = ["tensorflow (~=2.18.0)"]\n',
    "group": '[project]\nname = "x"\nversion = "1"\nrequires-python = "{python}"\n'
    '[dependency-groups]\nml = ["tensorflow (~=2.18.0)"]\n',
    "legacy": '[tool.poetry.dependencies]\npython = "{python}"\ntensorflow = "~2.18.0"\n',
    "legacy group": '[tool.poetry.dependencies]\npython = "{python}"\n'
    '[tool.poetry.group.ml.dependencies]\ntensorflow = "~2.18.0"\n',
    "legacy extra": '[tool.poetry.dependencies]\npython = "{python}"\n'
    'tensorflow = {{ version = "~2.18.0", optional = true }}\n'
    '[tool.poetry.extras]\nml = ["tensorflow"]\n',
}


@pytest.mark.parametrize("style", STYLES)
def test_it_stands_where_tensorflow_does(style: str):
    text = STYLES[style].format(python=">=3.10,<3.12") + APPLICATION + MANAGED
    main = in_memory(text).pyproject.requirements[0]
    (item,) = fixed(text)
    assert (item.group, item.optional) == (main.group, main.optional)


# -- what a package publishes, and projects that are not managed ----------------------------

NEW = (("tensorflow", "2.18.1"), ("tensorboard", "2.18.0"), ("setuptools", "84.2.1"))
OLD = (*NEW[:2], ("setuptools", "81.0.0"))
DEV = '[dependency-groups]\ndev = ["setuptools (<82)"]\n'


@pytest.mark.parametrize("more", [PACKAGE + MANAGED, PACKAGE, "[tool.hatch]\n[tool.poetry-tf]\n"])
def test_what_is_published_is_reported_by_the_lock_and_not_changed(tmp_path: Path, more: str):
    text = text_of("tensorflow (~=2.18.0)", more=more)
    (finding,) = findings_of(text, tmp_path, *NEW)
    assert (finding.edits, finding.severity) == ((), "warning")
    assert findings_of(text, tmp_path, *OLD) == []
    assert findings_of(text + DEV, tmp_path, *NEW) == []


def test_a_group_of_a_package_is_not_published():
    text = text_of(more=f'[dependency-groups]\nml = ["tensorflow (~=2.18.0)"]\n{PACKAGE}{MANAGED}')
    (item,) = fixed(text)
    assert item.group == "ml"


def test_a_project_that_is_not_managed_is_judged_by_its_lock(tmp_path: Path):
    text = text_of("tensorflow (~=2.18.0)", more=APPLICATION)
    assert findings_of(text) == []
    assert findings_of(text, tmp_path, *OLD) == []
    (finding,) = findings_of(text, tmp_path, *NEW)
    assert (finding.edits, finding.severity) == ((), "warning")
    assert finding.message.startswith("tensorboard 2.18.0 admits setuptools 82: ")
    assert finding.remedy == f"Add '{LINE}'"


@pytest.mark.parametrize(
    ("tensorflow", "other"),
    [
        ("2.14.0", ("numpy", "2.1.0")),
        ("2.10.1", ("numpy", "2.2.6")),
        ("2.8.0", ("protobuf", "4.25.3")),
        ("2.9.0", ("protobuf", "3.20.0")),
    ],
)
@pytest.mark.parametrize("more", [APPLICATION, PACKAGE, "[tool.hatch]\n"])
def test_what_fails_at_import_is_an_error_in_any_lock(
    tmp_path: Path, tensorflow: str, other: tuple[str, str], more: str
):
    text = text_of(f"tensorflow (=={tensorflow})", python=">=3.9,<3.11", more=more)
    packages = [("tensorflow", tensorflow), ("numpy", "1.23.5"), ("protobuf", "3.19.6"), other]
    packages = list(dict(packages).items())
    (finding,) = findings_of(text, tmp_path, *packages)
    assert (finding.severity, finding.edits) == ("error", ())
    assert f"tensorflow {tensorflow} admits {other[0]}" in finding.message


HUB = (("tensorflow", "2.21.0"), ("tensorflow-hub", "0.16.1"))


def test_a_hub_that_cannot_be_imported_is_an_error(tmp_path: Path):
    text = text_of("tensorflow (~=2.21.0)", "tensorflow-hub (==0.16.1)")
    (finding,) = findings_of(text)
    assert finding.severity == "error"
    assert "tensorflow-hub 0.16.1 admits setuptools 82: its import fails" in finding.message
    (item,) = fixed(text)
    assert item.written == "<82"
    # Open upwards, what is locked decides; so it does where another package brings it.
    for line in ("tensorflow-hub", "tensorflowjs"):
        text = text_of("tensorflow (~=2.21.0)", line)
        assert findings_of(text) == []
        (finding,) = findings_of(text, tmp_path, *HUB, ("setuptools", "82.0.0"))
        assert (finding.severity, bool(finding.edits)) == ("error", True)


@pytest.mark.parametrize("version", ["0.12.0", "0.17.0"])
def test_a_hub_without_pkg_resources_is_let_be(tmp_path: Path, version: str):
    text = text_of("tensorflow (~=2.21.0)", "tensorflow-hub")
    packages = (HUB[0], ("tensorflow-hub", version), ("setuptools", "84.2.1"))
    assert findings_of(text, tmp_path, *packages) == []


DATASETS = (("tensorflow", "2.18.1"), ("tensorflow-datasets", "4.9.10"))


@pytest.mark.parametrize(
    ("protobuf", "metadata", "fails"),
    [
        *(("5.29.6", "1.21.0", True), ("4.25.9", "1.21.0", True)),
        *(("6.31.1", "1.21.0", False), ("7.35.0", "1.21.0", False), ("5.29.6", "1.17.3", False)),
    ],
)
def test_what_is_generated_for_a_newer_protobuf_is_held_below(
    tmp_path: Path, protobuf: str, metadata: str, fails: bool
):
    """Of the two nobody requires the other in a version that works: only both together tell."""
    text = text_of("tensorflow (~=2.18.0)", "tensorflow-datasets", LINE)
    assert findings_of(text) == []
    both = (("protobuf", protobuf), ("tensorflow-metadata", metadata))
    found = findings_of(text, tmp_path, *DATASETS, *both)
    assert [(one.severity, bool(one.edits)) for one in found] == [("error", True)] * fails
    if fails:
        assert "tensorflow-metadata (<1.21)" in found[0].remedy
        assert (
            f"protobuf {protobuf}, which is locked, admits tensorflow-metadata" in found[0].message
        )
    # Without tensorflow-metadata there is nothing to say.
    assert findings_of(text, tmp_path, *DATASETS[:1], both[0]) == []


@pytest.mark.parametrize(
    ("lines", "more", "list_", "line"),
    [
        ((), '[dependency-groups]\ndata = ["tensorflow-datasets"]\n', "data", ""),
        ((), '[project.optional-dependencies]\ndata = ["tensorflow-datasets"]\n', "data", ""),
        (
            ('tensorflow-datasets; python_version < "3.11"',),
            "",
            "dependencies",
            ' ; python_version < "3.11"',
        ),
    ],
    ids=["a group", "an extra", "a marker"],
)
def test_a_bound_that_only_the_lock_shows_stands_beside_what_brings_both(
    tmp_path: Path, lines: tuple[str, ...], more: str, list_: str, line: str
):
    text = text_of("tensorflow (~=2.18.0)", *lines, LINE, more=more + APPLICATION + MANAGED)
    lock = lock_text(
        *(("tensorflow", "2.18.1"), ("protobuf", "5.29.6"), ("tensorflow-metadata", "1.21.0")),
        ("tensorflow-datasets", "4.9.10"),
        content_hash=content_hash(text),
    ).replace(
        "[metadata]",
        '[package.dependencies]\nprotobuf = "*"\ntensorflow-metadata = "*"\n\n[metadata]',
    )
    made = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    (finding,) = found(made, "TF305")
    after = apply(made, finding.edits)
    (item,) = (item for item in after.pyproject.requirements if item.name == "tensorflow-metadata")
    assert item.path[-2] == list_
    assert after.pyproject.document.get(item.path) == f"tensorflow-metadata (<1.21){line}"


@pytest.mark.parametrize(("macos", "fails"), [("2.14.0", True), ("2.15.1", False)])
def test_a_tensorflow_without_files_breaks_with_nothing(tmp_path: Path, macos: str, fails: bool):
    """tensorflow-recommenders requires tensorflow-macos, whose last wheels are empty."""
    managed = MANAGED.replace('"linux-x86_64"', '"linux-x86_64", "macos-arm64"')
    text = text_of(
        "tensorflow (~=2.18.0)", "tensorflow-recommenders", LINE, more=APPLICATION + managed
    )
    packages = (
        ("tensorflow", "2.18.1"),
        ("tensorflow-recommenders", "0.7.7"),
        ("tensorflow-macos", macos),
        ("numpy", "2.0.2"),
    )
    messages = [one.message for one in findings_of(text, tmp_path, *packages)]
    assert any(f"tensorflow-macos {macos}" in one for one in messages) is fails


HELD = "tensorflow-metadata (<1.21)"


@pytest.mark.parametrize(
    ("old", "new", "line", "stays"),
    [
        # 2.21 requires protobuf 6.31.1 or later.
        ("tensorflow (~=2.18.0)", "tensorflow (~=2.21.0)", HELD, False),
        ("tensorflow (~=2.20.0)", "tensorflow (~=2.21.0)", HELD, False),
        # 2.19 still requires an older one, and 2.20 keeps the one that is locked.
        ("tensorflow (~=2.18.0)", "tensorflow (~=2.19.0)", HELD, True),
        ("tensorflow (~=2.18.0)", "tensorflow (~=2.20.0)", HELD, True),
        # What somebody else wrote.
        ("tensorflow (~=2.18.0)", "tensorflow (~=2.21.0)", "tensorflow-metadata (<1.20)", True),
        (
            "tensorflow (~=2.18.0) ; python_version < '3.13'",
            "tensorflow (~=2.21.0) ; python_version < '3.13'",
            HELD,
            False,
        ),
    ],
)
def test_a_bound_for_an_older_protobuf_goes_with_it(
    tmp_path: Path, old: str, new: str, line: str, stays: bool
):
    text = text_of(old, "tensorflow-datasets", LINE, line)
    version = "2.18.1" if "2.18" in old else "2.20.0"
    packages = (("tensorflow", version), ("protobuf", "5.29.6"), ("tensorflow-metadata", "1.17.3"))
    assert findings_of(text, tmp_path, *packages, DATASETS[1]) == []
    before = Project.read(tmp_path)
    lock = (tmp_path / "poetry.lock").read_text("utf-8")
    after = in_memory(text.replace(old, new), lock=lock)
    left = apply(after, outdated_bound_edits(before, after)).pyproject.data["project"]
    assert (line in left["dependencies"]) is stays


def test_a_project_without_tensorflow_is_none_of_our_business(tmp_path: Path):
    text = text_of("torch", "tensorboard (~=2.18.0)", more=APPLICATION)
    assert findings_of(text, tmp_path, ("torch", "2.11"), *NEW[1:]) == []


# -- the lock -------------------------------------------------------------------------------


def test_the_locked_tensorboard_decides(tmp_path: Path):
    text = text_of("tensorflow (~=2.21.0)", "tensorboard")
    assert findings_of(text) == []
    packages = [("tensorflow", "2.21.0"), ("tensorboard", "2.21.0"), ("setuptools", "84.2.1")]
    assert findings_of(text, tmp_path, *packages) == []
    packages[1] = ("tensorboard", "2.20.0")
    (finding,) = findings_of(text, tmp_path, *packages)
    assert "tensorboard 2.20.0 admits setuptools 82" in finding.message


def test_a_tensorboard_that_something_else_brings_is_reported(tmp_path: Path):
    text = text_of("tensorflow (~=2.21.0)", "a-package")
    packages = (
        ("tensorflow", "2.21.0"),
        ("a-package", "1.0"),
        ("tensorboard", "2.20.0"),
        ("setuptools", "84.2.1"),
    )
    (finding,) = findings_of(text, tmp_path, *packages)
    assert finding.message.startswith("tensorboard 2.20.0, which is locked, admits setuptools 82")
    after = fix(Project.read(tmp_path)).pyproject.data["project"]["dependencies"]
    assert after == ["tensorflow (~=2.21.0)", "a-package", LINE]
