"""TF3xx: the lock, and what Poetry installs from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.project import Project
from poetry_tf.releases.images import load_images
from tests.made import content_hash, found, in_memory, lock_text, on_disk, place

TEXT = """\
[project]
name = "study"
requires-python = ">=3.10,<3.12"
dependencies = ["tensorflow~=2.13.0", "setuptools<82"]
"""
MANAGED = f"""\
{TEXT}[tool.poetry]
package-mode = false
[tool.poetry-tf]
environments = ["linux-x86_64"]
"""


def lock_of(pyproject: str, *packages: tuple[str, str]) -> str:
    return lock_text(*packages, content_hash=content_hash(pyproject))


# -- package mode ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "after"),
    [
        ('[tool.poetry]\nname = "x"\n', 1, '[tool.poetry]\nname = "x"\npackage-mode = false\n'),
        (
            "[tool.poetry]\npackage-mode = true # on\n",
            2,
            "[tool.poetry]\npackage-mode = false # on\n",
        ),
        ("[tool.poetry]\n", 1, "[tool.poetry]\npackage-mode = false\n"),
    ],
)
def test_package_mode_is_turned_off_where_there_is_no_package(text: str, line: int, after: str):
    requirement = '\n[tool.poetry.dependencies]\ntensorflow = "~2.13.0"\npython = "~3.11"\n'
    project = in_memory(text + requirement)
    (finding,) = found(project, "TF301")
    assert finding.position is not None
    assert finding.position.line == line
    assert fix(project).pyproject.document.text == after + requirement
    assert found(fix(project), "TF301") == []


@pytest.mark.parametrize(
    "text",
    [
        "[tool.poetry]\npackage-mode = false",
        '[tool.poetry]\npackages = [{include = "lib"}]',
        '[tool.poetry.scripts]\nrun = "a:b"',
        '[project]\nname = "x"',  # nothing says that it is Poetry's
        '[project]\nname = "x"\n[tool.uv]',
    ],
)
def test_package_mode_is_no_matter_where_it_is_off_or_meant(text: str):
    assert found(in_memory(text), "TF301") == []


def test_package_mode_is_no_matter_without_tensorflow():
    assert found(in_memory('[tool.poetry]\nname = "x"\n')) == []


def test_a_lock_says_that_the_project_is_poetrys(tmp_path: Path):
    project = on_disk(tmp_path, {"pyproject.toml": TEXT, "poetry.lock": lock_of(TEXT)})
    assert [item.code for item in found(project)] == ["TF301"]


# -- the lock -------------------------------------------------------------------------------


def test_a_managed_project_has_to_be_locked(tmp_path: Path):
    (finding,) = found(on_disk(tmp_path, {"pyproject.toml": MANAGED}), "TF302")
    assert place(finding) == "poetry.lock:None"
    assert "poetry lock" in finding.remedy
    assert found(in_memory(TEXT), "TF302") == []


def test_a_fresh_lock_is_fine(tmp_path: Path):
    lock = lock_of(MANAGED, ("tensorflow", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    assert [item.code for item in found(project)] == ["TF501"]


def test_a_lock_from_before_a_change_is_stale(tmp_path: Path):
    changed = MANAGED.replace("2.13.0", "2.13.1")
    lock = lock_of(MANAGED, ("tensorflow", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": changed, "poetry.lock": lock})
    (finding,) = found(project, "TF302")
    assert place(finding) == "poetry.lock:1:1"


def test_a_lock_of_another_managers_project_is_not_judged(tmp_path: Path):
    text = f'{TEXT}[build-system]\nbuild-backend = "hatchling.build"\n'
    lock = lock_of(TEXT.replace("2.13.0", "2.13.1"))
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF302") == []


@pytest.mark.parametrize(
    ("lock", "where"),
    [
        ("x = \n", "poetry.lock:1:5"),
        ("", "poetry.lock:1:1"),
        ("package = 3\n[metadata]\n", "poetry.lock:1:1"),
        ("[[package]]\n[metadata]\n", "poetry.lock:1:1"),
        ("<<<<<<< HEAD\n", "poetry.lock:1:1"),
    ],
)
def test_a_lock_that_cannot_be_read_is_reported_with_its_place(
    tmp_path: Path, lock: str, where: str
):
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    (finding,) = found(project, "TF302")
    assert place(finding) == where
    assert "could not read the lock file" in finding.message


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        'content-hash = "0"',
        "content-hash = 3",
        'lock-version = "99.0"\ncontent-hash = "0"',
        'lock-version = "x"',
        "hashes = {}",
    ],
)
def test_a_lock_of_another_time_is_stale_whatever_it_lacks(tmp_path: Path, metadata: str):
    lock = f"[metadata]\n{metadata}\n"
    project = on_disk(tmp_path, {"pyproject.toml": MANAGED, "poetry.lock": lock})
    unread = ["TF306"] if "99.0" in metadata else []
    assert [item.code for item in found(project)] == ["TF302", *unread, "TF501"]


# -- what is locked -------------------------------------------------------------------------


@pytest.mark.parametrize(("packages", "count"), [([], 1), ([("tensorflow", "2.13.1")], 0)])
def test_a_group_that_was_left_out_of_a_fresh_lock_is_reported(
    tmp_path: Path, packages: list[tuple[str, str]], count: int
):
    """Which Poetry 2.1 does with [dependency-groups], and says nothing of."""
    text = '[project]\nname = "study"\n[dependency-groups]\ntrain = ["tensorflow~=2.13.0"]\n'
    files = {"pyproject.toml": text, "poetry.lock": lock_of(text, *packages)}
    findings = found(on_disk(tmp_path, files), "TF303")
    assert [place(finding) for finding in findings] == ["pyproject.toml:4:10"] * count
    assert all("Poetry 2.2 or later" in str(finding.remedy) for finding in findings)


def test_a_locked_release_outside_the_pin_is_reported_where_it_is_locked(tmp_path: Path):
    lock = lock_of(TEXT, ("numpy", "1.24.3"), ("tensorflow", "2.15.1"))
    project = on_disk(tmp_path, {"pyproject.toml": TEXT, "poetry.lock": lock})
    (finding,) = found(project, "TF303")
    line = lock.splitlines().index('version = "2.15.1"') + 1
    assert place(finding) == f"poetry.lock:{line}:1"
    assert finding.message.startswith("tensorflow 2.15.1 is locked, but pyproject.toml requires ")


@pytest.mark.parametrize(
    "packages",
    [
        [("tensorflow", "2.13.0")],
        [("tensorflow", "2.13.1"), ("tensorflow-intel", "2.13.1")],
        [("numpy", "1.24.3")],
        [],
    ],
)
def test_a_locked_release_within_the_pin_is_fine(tmp_path: Path, packages: list[tuple[str, str]]):
    files = {"pyproject.toml": TEXT, "poetry.lock": lock_of(TEXT, *packages)}
    assert found(on_disk(tmp_path, files), "TF303") == []


def test_several_locked_releases_that_markers_tell_apart_are_fine(tmp_path: Path):
    text = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = ">=3.9,<3.12"
tensorflow = [
    {version = "~2.13.0", python = "<3.10"},
    {version = "~2.15.0", python = ">=3.10"},
]
"""
    lock = lock_of(text, ("tensorflow", "2.13.1"), ("tensorflow", "2.15.1"))
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF303") == []


# -- what can be installed ------------------------------------------------------------------

PINNED = """\
[project]
name = "study"
requires-python = "{python}"
dependencies = ["tensorflow (>=2.13.1,<2.14)"]
[tool.poetry]
package-mode = false
"""
LINUX = tuple(
    f"cp{minor}-cp{minor}-manylinux_2_17_{machine}"
    for minor in ("38", "39", "310", "311")
    for machine in ("x86_64", "aarch64")
)
WINDOWS = tuple(f"cp{minor}-cp{minor}-win_amd64" for minor in ("38", "39", "310", "311"))
FILESYSTEM = "tensorflow-io-gcs-filesystem"


def package(name: str, version: str, *tags: str, more: str = "", optional: bool = False) -> str:
    stem = f"{name.replace('-', '_')}-{version}"
    files = "".join(f'    {{file = "{stem}-{tag}.whl", hash = "sha256:0"}},\n' for tag in tags)
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        f'optional = {str(optional).lower()}\npython-versions = ">=3.8"\ngroups = ["main"]\n'
        f"{more}files = [\n{files}]\n\n"
    )


TENSORFLOW = package("tensorflow", "2.13.1", *LINUX, *WINDOWS)


def project_of(
    root: Path, *packages: str, python: str = ">=3.10,<3.12", settings: str = ""
) -> Project:
    """A locked project for TensorFlow 2.13.1 that has a lock with these packages."""
    pyproject = PINNED.format(python=python) + settings
    lock = lock_text(content_hash=content_hash(pyproject))
    lock = lock.replace("[metadata]", f"{TENSORFLOW}{''.join(packages)}[metadata]")
    return on_disk(root, {"pyproject.toml": pyproject, "poetry.lock": lock})


def managed(*environments: str) -> str:
    named = ", ".join(f'"{name}"' for name in environments)
    return "[tool.poetry-tf]\n" + (f"environments = [{named}]\n" if environments else "")


def test_what_has_no_file_for_a_declared_environment_is_reported_where_it_is_locked(tmp_path: Path):
    settings = managed("linux-x86_64", "linux-aarch64", "windows-amd64")
    project = project_of(tmp_path, package(FILESYSTEM, "0.37.1", *LINUX), settings=settings)
    (finding,) = found(project, "TF304")
    lock = (tmp_path / "poetry.lock").read_text("utf-8").splitlines()
    line = lock.index('version = "0.37.1"') + 1
    assert place(finding) == f"poetry.lock:{line}:1"
    assert finding.message == f"{FILESYSTEM} 0.37.1 has no file for windows-amd64"
    assert finding.remedy == (
        f"0.31.0 has one: require {FILESYSTEM} 0.31.0 there and 0.37.1 elsewhere, with markers"
    )
    assert finding.edits == ()


def test_where_markers_tell_two_versions_apart_all_is_well(tmp_path: Path):
    here, there = 'sys_platform == \\"win32\\"', 'sys_platform != \\"win32\\"'
    project = project_of(
        tmp_path,
        package(FILESYSTEM, "0.31.0", *WINDOWS, more=f'markers = "{here}"\n'),
        package(FILESYSTEM, "0.37.1", *LINUX, more=f'markers = "{there}"\n'),
        settings=managed("linux-x86_64", "windows-amd64"),
    )
    assert found(project, "TF304") == []


@pytest.mark.parametrize(
    ("settings", "tag", "where"),
    [
        # The container's environments, unless others are declared.
        (managed(), "cp38-abi3-manylinux_2_17_x86_64", "linux-aarch64"),
        (managed("linux-x86_64"), "cp38-abi3-manylinux_2_17_x86_64", None),
        (managed(), "cp310-cp310-manylinux_2_17_aarch64", "linux-x86_64 and linux-aarch64 with"),
        # Nobody said where it is to run: the container's first.
        ("", "cp38-abi3-manylinux_2_17_x86_64", None),
        ("", "cp38-abi3-manylinux_2_17_aarch64", "linux-x86_64"),
        # The image's glibc.
        ("", "cp38-abi3-manylinux_2_99_x86_64", "linux-x86_64"),
    ],
)
def test_which_environments_are_judged(tmp_path: Path, settings: str, tag: str, where: str | None):
    found_ = found(project_of(tmp_path, package("demo", "1.0", tag), settings=settings), "TF304")
    assert [item.message.startswith(f"demo 1.0 has no file for {where}") for item in found_] == (
        [] if where is None else [True]
    )


def test_arm_linux_is_a_warning_where_the_project_did_not_ask_for_it(tmp_path: Path):
    here = package("demo", "1.0", "cp38-abi3-manylinux_2_17_x86_64")
    (finding,) = found(project_of(tmp_path, here, settings=managed()), "TF304")
    assert finding.severity == "warning"
    assert finding.remedy == (
        'To leave it out, write environments = ["linux-x86_64"] in [tool.poetry-tf]. Otherwise: '
        "require another version of it there"
    )
    left_out = managed("linux-x86_64")
    assert found(project_of(tmp_path, here, settings=left_out), "TF304") == []
    asked = managed("linux-x86_64", "linux-aarch64")
    (finding,) = found(project_of(tmp_path, here, settings=asked), "TF304")
    assert finding.severity == "error"
    # What is missing on x86-64 as well is no matter of ARM.
    nowhere = package("demo", "1.0", "cp38-abi3-win_amd64")
    (finding,) = found(project_of(tmp_path, nowhere, settings=managed()), "TF304")
    assert finding.severity == "error"


def test_a_python_that_one_package_lacks_is_named(tmp_path: Path):
    tags = [tag for tag in LINUX if not tag.startswith("cp38")]
    project = project_of(tmp_path, package("demo", "1.0", *tags), python=">=3.8,<3.12")
    (finding,) = found(project, "TF304")
    assert finding.message == "demo 1.0 has no file for linux-x86_64 with Python 3.8"
    assert finding.remedy.endswith("or narrow project.requires-python")


def test_what_tensorflow_itself_cannot_be_had_with_is_not_reported_again(tmp_path: Path):
    tags = [tag for tag in LINUX if not tag.startswith("cp38")]
    project = project_of(tmp_path, package("demo", "1.0", *tags), python=">=3.9,<3.13")
    assert found(project, "TF201")
    assert found(project, "TF304") == []


def test_of_an_open_range_only_where_it_begins_is_judged(tmp_path: Path):
    tags = [tag for tag in LINUX if tag.startswith("cp310")]
    project = project_of(tmp_path, package("demo", "1.0", *tags), python=">=3.10")
    assert found(project, "TF304") == []


@pytest.mark.parametrize("pythons", ["~3.10", ">=3.10,<3.11", ">=3.10.4,<3.11"])
def test_a_lock_is_judged_for_the_pythons_that_it_was_made_for(tmp_path: Path, pythons: str):
    """That it has to be made again for more of them is one finding, which a new lock fixes."""
    tags = [tag for tag in LINUX if tag.startswith("cp310")]
    demo = package("demo", "1.0", *tags)
    old = package("old", "1.0", "py3-none-any").replace(">=3.8", "<3.11")
    project = project_of(tmp_path, demo, old, python=">=3.10,<3.12")
    lock = (
        (project.root / "poetry.lock")
        .read_text("utf-8")
        .replace(TENSORFLOW, package("tensorflow", "2.13.1", *tags))
    )
    assert len(found(on_disk(tmp_path, {"poetry.lock": lock}), "TF304")) == 3
    lock = lock.replace('"*"', f'"{pythons}"').replace('content-hash = "', 'content-hash = "0')
    stale = on_disk(tmp_path, {"poetry.lock": lock})
    assert [item.code for item in found(stale) if item.file.name == "poetry.lock"] == ["TF302"]


def test_what_tensorflow_lacks_for_a_platform_is_another_matter(tmp_path: Path):
    """Its wheels for ARM hand over to tensorflow-cpu-aws, which isn't locked: no file is missing,
    a package is."""
    project = project_of(tmp_path, settings=managed("linux-x86_64", "linux-aarch64"))
    assert found(project, "TF304") == []


def test_a_package_for_an_older_python_is_reported(tmp_path: Path):
    demo = package("demo", "1.0", "py3-none-any").replace(">=3.8", ">=3.8,<3.11")
    (finding,) = found(project_of(tmp_path, demo), "TF304")
    assert finding.message == (
        "demo 1.0 is needed on linux-x86_64 with Python 3.11, but admits Python >=3.8,<3.11 only"
    )


def test_an_extra_may_be_for_another_platform_where_nobody_says_where_to_run(tmp_path: Path):
    apple = package("tensorflow-metal", "1.0.0", "cp311-cp311-macosx_12_0_arm64", optional=True)
    assert found(project_of(tmp_path, apple), "TF304") == []
    (finding,) = found(project_of(tmp_path, apple, settings=managed()), "TF304")
    assert "linux-x86_64 and linux-aarch64" in finding.message
    half = package("demo", "1.0", LINUX[-2], optional=True)
    (finding,) = found(project_of(tmp_path, half), "TF304")
    assert "with Python 3.10" in finding.message


def test_leaving_an_environment_out_is_offered_where_another_is_left(tmp_path: Path):
    demo = package("demo", "1.0", "cp38-abi3-win_amd64")
    both = managed("linux-x86_64", "windows-amd64")
    (finding,) = found(project_of(tmp_path, demo, settings=both), "TF304")
    assert finding.remedy == (
        "Require another version of it there, or take linux-x86_64 out of environments in "
        "[tool.poetry-tf]"
    )
    (finding,) = found(project_of(tmp_path, demo, settings=managed("linux-x86_64")), "TF304")
    assert finding.remedy == "Require another version of it there"


def test_a_requirement_of_the_projects_own_can_be_given_a_marker(tmp_path: Path):
    demo = package("demo", "1.0", "cp38-abi3-win_amd64")
    project = project_of(tmp_path, demo, settings='[tool.poetry.dependencies]\ndemo = "*"\n')
    assert found(project, "TF304")[0].remedy == "Require another version of it there"
    text = PINNED.format(python=">=3.10,<3.12").replace('2.14)"', '2.14)", "demo"')
    lock = lock_text(content_hash=content_hash(text))
    lock = lock.replace("[metadata]", f"{TENSORFLOW}{demo}[metadata]")
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF304")[0].remedy == (
        "Require another version of it there, or give it a marker that leaves linux-x86_64 out"
    )


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "x"\nrequires-python = ">=3.10"\n',  # no TensorFlow
        '[project]\nname = "x"\ndependencies = ["tensorflow"]\n',  # any Python
        '[project]\nname = "x"\nrequires-python = ">=3.10"\n[build-system]\n'
        'build-backend = "hatchling.build"\n',
    ],
)
def test_where_nothing_can_be_said_nothing_is(tmp_path: Path, text: str):
    lock = lock_text().replace("[metadata]", package("demo", "1.0", *WINDOWS) + "[metadata]")
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.lock": lock})
    assert found(project, "TF304") == []


def test_a_lock_of_an_older_poetry_is_judged_by_the_projects_requirements(tmp_path: Path):
    needed = package("numpy", "1.24.3", *WINDOWS).replace('groups = ["main"]\n', "")
    tensorflow = TENSORFLOW.replace('groups = ["main"]\n', "").replace(
        "]\n\n", ']\n\n[package.dependencies]\nnumpy = ">=1.22"\n\n', 1
    )
    unneeded = package("forgotten", "1.0", *WINDOWS).replace('groups = ["main"]\n', "")
    pyproject = PINNED.format(python=">=3.10,<3.12")
    lock = lock_text(content_hash=content_hash(pyproject)).replace(
        "[metadata]", f"{tensorflow}{needed}{unneeded}[metadata]"
    )
    project = on_disk(tmp_path, {"pyproject.toml": pyproject, "poetry.lock": lock})
    assert [item.message for item in found(project, "TF304")] == [
        "numpy 1.24.3 has no file for linux-x86_64"
    ]


# -- the Poetry that reads it ---------------------------------------------------------------

POETRY_FEATURE = load_images().poetry_features[0]


def in_container(form: str, container: str) -> Project:
    lock = lock_of(MANAGED, ("tensorflow", "2.13.1")).replace(
        'lock-version = "2.1"', f'lock-version = "{form}"'
    )
    return in_memory(MANAGED, lock=lock, container=container)


@pytest.mark.parametrize(
    ("form", "version"), [("2.1", "1.8.3"), ("2.1", "~=1.8"), ("2.1", "<2"), ("2.0", "1.1.15")]
)
def test_a_container_with_a_poetry_that_cannot_read_the_lock_is_reported_and_fixed(
    form: str, version: str
):
    project = in_container(
        form,
        f'{{\n  "features": {{\n    "{POETRY_FEATURE}:2": {{"version": "{version}"}}\n  }}\n}}',
    )
    (finding,) = found(project, "TF306")
    assert place(finding).startswith("devcontainer.json:3:")
    assert f"Poetry {version} can't read the lock" in finding.message
    after = fix(project, codes={"TF306"})
    assert found(after, "TF306") == []
    document = after.document(after.devcontainer_path)
    assert document is not None
    assert document.get(("features", f"{POETRY_FEATURE}:2", "version")) == "2.1.4"


def test_a_poetry_that_pipx_installs_is_judged_too():
    container = '{"onCreateCommand": "pipx install \'poetry<2\'"}'
    (finding,) = found(in_container("2.1", container), "TF306")
    assert place(finding) == "devcontainer.json:1:2"
    assert found(in_container("2.0", container), "TF306") == []


@pytest.mark.parametrize(
    ("form", "version"),
    [
        ("2.1", "2.0.1"),
        ("2.1", "2.5.1"),
        ("2.1", "latest"),
        ("2.1", ">=1.8"),
        ("2.2", "2.5.1"),
        ("2.0", "1.8.3"),
        ("2.0", "1.2.2"),
        ("1.1", "1.0.0"),
        ("1.0", "2.1.0"),
    ],
)
def test_a_poetry_that_reads_the_lock_is_fine(form: str, version: str):
    container = f'{{"features": {{"{POETRY_FEATURE}:2": {{"version": "{version}"}}}}}}'
    assert found(in_container(form, container), "TF306") == []


@pytest.mark.parametrize(
    ("form", "python", "is_found"),
    [("2.1", "3.8", True), ("2.1", "3.9", False), ("2.0", "3.8", False), ("2.0", "3.6", True)],
)
def test_an_image_whose_python_has_no_poetry_that_reads_the_lock_is_reported(
    form: str, python: str, is_found: bool
):
    image = f'{{"image": "{load_images().repository}:1-{python}"}}'
    project = in_container(form, image)
    # TensorFlow's Python says it already, and fixes it.
    assert [item.code for item in found(project) if item.code in {"TF306", "TF502"}] == ["TF502"]
    unknown = lock_text(("tensorflow", "99.0.0")).replace('"2.1"\n', f'"{form}"\n')
    text = MANAGED.replace("tensorflow~=2.13.0", "tensorflow~=99.0.0")
    findings = found(in_memory(text, lock=unknown, container=image), "TF306")
    assert [place(item) for item in findings] == (["devcontainer.json:1:2"] if is_found else [])


@pytest.mark.parametrize("form", ["3.0", "17.1"])
def test_a_form_that_nobody_knows_is_reported_at_its_line(form: str):
    (finding,) = found(in_container(form, "{}"), "TF306")
    assert place(finding) == "poetry.lock:9:1"
    assert form in finding.message
