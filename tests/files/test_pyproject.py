"""pyproject.toml: what a project declares, in whichever of the places Poetry reads it from."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from poetry.core.constraints.version import VersionConstraint, parse_constraint
from poetry.core.factory import Factory
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.files.pyproject import Pyproject, PythonRange
from poetry_tf.files.requirements import MAIN, _parse_plain
from tests.made import pyproject_of, requirement_of
from tests.support.poetry import KNOWS_DEPENDENCY_GROUPS

COMPARES_STRINGS = Version(version("poetry-core")) >= Version("2.5")

# -- one requirement, wherever it stands ----------------------------------------------------

PLACES = {
    "[project]": ('[project]\ndependencies = ["{pep508}"]', MAIN, False),
    "extra": ('[project.optional-dependencies]\ngpu = ["{pep508}"]', MAIN, True),
    "group": ('[dependency-groups]\nml = ["{pep508}"]', "ml", False),
    "legacy": ("[tool.poetry.dependencies]\n{name} = {legacy}", MAIN, False),
    "legacy in an array": ("[tool.poetry.dependencies]\n{name} = [{legacy}]", MAIN, False),
    "legacy dev": ("[tool.poetry.dev-dependencies]\n{name} = {legacy}", "dev", False),
    "legacy group": ("[tool.poetry.group.ml.dependencies]\n{name} = {legacy}", "ml", False),
    "inline": ("tool = {{ poetry = {{ dependencies = {{ {name} = {legacy} }} }} }}", MAIN, False),
    "dotted": ("tool.poetry.dependencies.{name} = {legacy}", MAIN, False),
}
# Extras, a PEP 508 version, the same as Poetry spells it, and a marker.
REQUIREMENTS = [
    ("", "", "*", ""),
    ("", ">=2.13.0,<2.14.0", "~2.13.0", ""),
    ("", "~=2.13.0", "~=2.13.0", ""),
    ("", "==2.13.*", "2.13.*", ""),
    ("", "==2.13.1", "2.13.1", ""),
    ("", "(>=2.13,<3.0)", "^2.13", ""),
    ("[and-cuda]", ">=2.18,!=2.18.0", ">=2.18,!=2.18.0", ""),
    ("[and_cuda,B]", "", "*", "sys_platform == 'linux'"),
    ("", "<3", "<3", "python_version < '3.12' and platform_machine == 'x86_64'"),
]


def spelt(
    place: str, name: str, *, version: str, own: str, extras: str = "", marker: str = ""
) -> str:
    text, _, _ = PLACES[place]
    pep508 = f"{name}{extras} {version}" + (f" ; {marker}" if marker else "")
    parts = [f'version = "{own}"']
    if extras:
        listed = ", ".join(f'"{item}"' for item in extras.strip("[]").split(","))
        parts.append(f"extras = [{listed}]")
    if marker:
        parts.append(f'markers = "{marker}"')
    alone = len(parts) == 1 and "array" not in place
    legacy = f'"{own}"' if alone else f"{{ {', '.join(parts)} }}"
    return text.format(name=name, pep508=pep508, legacy=legacy)


def equal(one: VersionConstraint, other: VersionConstraint) -> bool:
    return one.allows_all(other) and other.allows_all(one)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("extras", "version", "own", "marker"), REQUIREMENTS)
def test_a_requirement_is_the_same_wherever_it_is_written(
    place: str, extras: str, version: str, own: str, marker: str
):
    item = requirement_of(
        spelt(place, "TensorFlow_cpu", extras=extras, version=version, own=own, marker=marker)
    )
    _, group, optional = PLACES[place]
    assert item.name == "tensorflow-cpu"
    assert equal(item.constraint, parse_constraint(own))
    assert item.extras == {part.lower().replace("_", "-") for part in extras[1:-1].split(",")} - {
        ""
    }
    assert item.marker == parse_marker(marker)
    assert (item.group, item.optional) == (group, optional)
    assert item.is_pep508 is ("legacy" not in place and place not in {"inline", "dotted"})


@pytest.mark.parametrize("place", ["[project]", "group"])
@pytest.mark.parametrize(
    "written",
    [
        "",
        ">=2.13,<3.0",
        ">=2.13",
        "==2.13.*",
        "~=2.13",
        "<3,>=2.13",
        ">= 2.13, < 3",
    ],
)
def test_a_constraint_is_told_as_the_user_wrote_it(place: str, written: str):
    assert requirement_of(spelt(place, "tensorflow", version=written, own="")).written == written


@pytest.mark.parametrize(
    "text",
    [
        "tensorflow(~=2.13)",
        "tensorflow ( ~=2.13 )",
        "tensorflow[a, b]~=2.13;os_name=='x'",
        "tensorflow ~=2.13 ; os_name=='x'",
        "tensorflow~=2.13 # a comment, which Poetry admits",
    ],
)
def test_a_constraint_is_told_without_what_is_around_it(text: str):
    assert requirement_of(f'[project]\ndependencies = ["{text}"]').written == "~=2.13"


@pytest.mark.parametrize("place", PLACES)
def test_a_requirement_knows_where_it_stands(place: str):
    text = spelt(place, "tensorflow", version=">=2.13", own=">=2.13")
    pyproject = pyproject_of(text)
    (item,) = pyproject.requirements
    for path in (item.path, item.constraint_path):
        position = pyproject.position(path)
        line = text.splitlines()[position.line - 1]
        assert line[position.column - 1 :].startswith(
            ("tensorflow", '"tensorflow', "{ version", "version")
        )
    assert ">=2.13" in str(pyproject.document.get(item.constraint_path))


@pytest.mark.parametrize(
    ("entry", "marker"),
    [
        ('python = "^3.9"', 'python_version >= "3.9" and python_version < "4.0"'),
        ('python = "~3.9 || ~3.11"', 'python_version == "3.9" or python_version == "3.11"'),
        ('platform = "linux"', 'sys_platform == "linux"'),
        (
            """python = "<3.12", platform = "darwin", markers = "platform_machine == 'arm64'" """,
            'python_version < "3.12" and sys_platform == "darwin" and platform_machine == "arm64"',
        ),
    ],
)
def test_poetrys_own_keys_are_markers(entry: str, marker: str):
    item = requirement_of(f'[tool.poetry.dependencies]\ntensorflow = {{version = "*", {entry}}}')
    assert item.marker.intersect(parse_marker(marker)) == item.marker
    assert parse_marker(marker).intersect(item.marker) == parse_marker(marker)


@pytest.mark.parametrize(
    "text",
    [
        '[project]\ndependencies = ["tensorflow @ https://example.com/tensorflow-2.13.1-py3-none-any.whl"]',
        '[project]\ndependencies = ["tensorflow @ git+https://example.com/tensorflow.git"]',
        '[tool.poetry.dependencies]\ntensorflow = {git = "https://example.com/tensorflow.git"}',
        '[tool.poetry.dependencies]\ntensorflow = {path = "../tensorflow", develop = true}',
        '[tool.poetry.dependencies]\ntensorflow = {url = "https://example.com/tensorflow.whl"}',
        '[tool.poetry.dependencies]\ntensorflow = {file = "tensorflow.whl"}',
        '[tool.poetry.dependencies]\npython = "^3.11"',
        '[dependency-groups]\nall = [{include-group = "ml"}]\nml = []',
        "[tool.poetry.group.dev]\noptional = true",
        "",
    ],
)
def test_what_comes_from_no_index_is_no_requirement(text: str):
    assert pyproject_of(text).requirements == ()


def test_every_place_is_read_and_main_comes_first():
    text = """\
[dependency-groups]
test = ["a"]
[tool.poetry.group.dev.dependencies]
b = "*"
[tool.poetry.dev-dependencies]
c = "*"
[tool.poetry.dependencies]
d = {version = "*", optional = true}
e = [{version = "1", python = "<3.9"}, {version = "2", python = ">=3.9"}]
"""
    items = pyproject_of(text).requirements
    assert [(item.name, item.group, item.optional) for item in items] == [
        ("d", MAIN, True),
        ("e", MAIN, False),
        ("e", MAIN, False),
        ("c", "dev", False),
        ("b", "dev", False),
        ("a", "test", False),
    ]


# -- [project] enriched by Poetry's table ---------------------------------------------------


def main_of(text: str) -> list[tuple[str, str]]:
    return [(item.name, item.written) for item in pyproject_of(text).requirements]


LEGACY = '[tool.poetry.dependencies]\npython = "^3.10"\nnumpy = "*"\n'


@pytest.mark.parametrize(
    ("project", "expected"),
    [
        ('dependencies = ["tensorflow~=2.13.0"]', ["tensorflow"]),
        ('dependencies = ["tensorflow~=2.13.0"]\ndynamic = ["version"]', ["tensorflow"]),
        ('optional-dependencies = {a = ["tensorflow~=2.13.0"]}', ["tensorflow"]),
        (
            'dependencies = ["tensorflow~=2.13.0"]\ndynamic = ["optional-dependencies"]',
            ["tensorflow"],
        ),
        (
            'optional-dependencies = {a = ["tensorflow~=2.13.0"]}\ndynamic = ["dependencies"]',
            ["tensorflow", "numpy"],
        ),
        ('dependencies = ["x @ https://example.com/x.zip"]', []),
        ('name = "x"\ndynamic = ["dependencies"]', ["numpy"]),
        ('name = "x"', ["numpy"]),
        ('dependencies = []\nname = "x"', ["numpy"]),
    ],
)
def test_poetrys_table_counts_where_project_lists_nothing_or_is_dynamic(
    project: str, expected: list[str]
):
    text = f"[project]\n{project}\n{LEGACY}"
    assert [name for name, _ in main_of(text)] == expected


def test_a_source_that_poetrys_table_adds_is_no_second_requirement():
    text = (
        '[project]\ndependencies = ["tensorflow (>=2.13.1,<2.14.0)"]\n'
        '[tool.poetry.dependencies]\ntensorflow = {source = "mirror"}\n'
    )
    assert main_of(text) == [("tensorflow", ">=2.13.1,<2.14.0")]


def test_a_pin_that_poetrys_table_adds_counts():
    text = (
        '[project]\ndependencies = ["tensorflow"]\n'
        '[tool.poetry.dependencies]\ntensorflow = {version = "~2.13", source = "mirror"}\n'
    )
    item = requirement_of(text)
    assert parse_constraint("~2.13").allows_all(item.constraint)
    assert item.written == "~2.13"
    assert item.path == ("project", "dependencies", 0)
    assert item.enriched_at == ("tool", "poetry", "dependencies", "tensorflow")
    assert item.constraint_path == (*item.enriched_at, "version")


def test_two_constraints_on_one_requirement_are_both_told():
    item = requirement_of(
        '[project]\ndependencies = ["tensorflow>=2.13"]\n'
        '[tool.poetry.dependencies]\ntensorflow = "<2.15"\n'
    )
    assert item.written == ">=2.13, <2.15"
    assert equal(item.constraint, parse_constraint(item.written))
    assert item.constraint_path == item.path


def test_constraints_that_contradict_each_other_are_named():
    text = (
        '[project]\ndependencies = ["tensorflow>=2.14"]\n'
        '[tool.poetry.dependencies]\ntensorflow = "~2.13"\n'
    )
    with pytest.raises(ProjectError) as caught:
        _ = pyproject_of(text).requirements
    assert caught.value.position == Position(4, 1)
    assert "'~2.13' contradicts '>=2.14'" in caught.value.message


def test_a_path_that_poetrys_table_adds_takes_the_requirement_from_the_index():
    text = (
        '[project]\ndependencies = ["tensorflow"]\n'
        '[tool.poetry.dependencies]\ntensorflow = {path = "../tensorflow"}\n'
    )
    assert pyproject_of(text).requirements == ()


NAMED = '[project]\nname = "x"\nversion = "1"\n'
LINUX, OTHERS = "sys_platform == 'linux'", "sys_platform != 'linux'"


@pytest.mark.parametrize(
    "text",
    [
        'dependencies = ["a>=1"]\n[tool.poetry.dependencies]\nA = "<2"\nb = "*"',
        'dependencies = ["a[x,y]>=1"]\n[tool.poetry.dependencies]\n'
        'a = {version = "<2", extras = ["z"], source = "mine", optional = true}',
        f'dependencies = ["a>=1"]\n[tool.poetry.dependencies]\na = [{{markers = "{LINUX}"}}, '
        f'{{markers = "{OTHERS}", version = "<2"}}]',
        f'dependencies = ["a>=1 ; {LINUX}"]\n[tool.poetry.dependencies]\n'
        f'a = [{{markers = "{OTHERS}", version = "<2"}}, {{python = "<3.12"}}]',
        f'dependencies = ["a>=1 ; {LINUX}"]\n[tool.poetry.dependencies]\n'
        f'a = {{markers = "{OTHERS}", path = "../a"}}',
        f'dependencies = ["a", "a>=3 ; {LINUX}"]\n[tool.poetry.dependencies]\n'
        f'a = [{{markers = "{LINUX}", path = "../a"}}, {{markers = "{OTHERS}"}}]',
        'dependencies = ["a @ https://example.com/a-1-py3-none-any.whl"]\n'
        '[tool.poetry.dependencies]\na = "*"\nb = "*"',
        'optional-dependencies = {one = ["a>=1"], two = ["a>=1"]}\n[tool.poetry.dependencies]\n'
        "a = [{markers = \"extra == 'one'\", version = '<2'}, "
        "{markers = \"extra == 'two' and extra != 'one'\", source = 'mine'}]",
        'optional-dependencies = {one = ["a>=1"]}\n[tool.poetry.dependencies]\na = "<2"',
        *[
            f"dynamic = {dynamic}\n{lists}\n[tool.poetry.dependencies]\n"
            'a = "<2"\nb = "*"\nc = {version = "*", optional = true}'
            for dynamic in ('["dependencies"]', '["optional-dependencies"]', "[]")
            for lists in (
                'dependencies = ["a"]',
                'optional-dependencies = {one = ["a"]}',
                'dependencies = ["a"]\noptional-dependencies = {one = ["d"]}',
                "",
            )
        ],
    ],
)
def test_the_places_are_taken_together_as_poetry_does_it(tmp_path: Path, text: str):
    assert read(text) == as_poetry_takes_it(tmp_path, text)


def read(text: str) -> set[tuple[object, ...]]:
    """Group, name, whether it is optional, extras, marker and constraint of each requirement."""
    return {
        (
            item.group.lower().replace("_", "-"),
            item.name,
            item.optional,
            item.extras,
            str(item.marker),
            str(item.constraint),
        )
        for item in pyproject_of(NAMED + text).requirements
    }


def as_poetry_takes_it(folder: Path, text: str) -> set[tuple[object, ...]]:
    (folder / "pyproject.toml").write_text(NAMED + text)
    package = Factory().create_poetry(folder).package
    return {
        (group.lower().replace("_", "-"), *written)
        for group in package.dependency_group_names(include_optional=True)
        for item in package.dependency_group(group).dependencies_for_locking
        if not item.is_direct_origin()
        for written in [
            (item.name, item.is_optional(), item.extras, str(item.marker), str(item.constraint))
        ]
    }


@pytest.mark.parametrize(
    ("text", "expected", "without_the_standards"),
    [
        (
            '[dependency-groups]\nmy_group = ["a>=1", "b"]\n'
            '[tool.poetry.group.my_group.dependencies]\na = "<2"\nc = "*"',
            {("my-group", "a", ">=1,<2"), ("my-group", "b", "*")},
            {("my-group", "a", "<2"), ("my-group", "c", "*")},
        ),
        (
            '[dependency-groups]\ndev = ["a>=1"]\nempty = []\n[tool.poetry.dev-dependencies]\n'
            'a = "<2"\n[tool.poetry.group.empty.dependencies]\nb = "*"',
            {("dev", "a", ">=1,<2"), ("empty", "b", "*")},
            {("dev", "a", "<2"), ("empty", "b", "*")},
        ),
    ],
)
def test_groups_are_taken_together_as_poetry_does_it(
    tmp_path: Path, text: str, expected: set[object], without_the_standards: set[object]
):
    assert {(group, name, written) for group, name, *_, written in read(text)} == expected
    # Poetry 2.1 doesn't know [dependency-groups]. The file says what it says all the same, and to
    # everybody else; so what is read of it doesn't depend on the Poetry.
    poetrys = expected if KNOWS_DEPENDENCY_GROUPS else without_the_standards
    taken = as_poetry_takes_it(tmp_path, text)
    assert {(group, name, written) for group, name, *_, written in taken} == poetrys


def test_a_marker_that_only_newer_poetrys_take():
    text = "[project]\ndependencies = [\n  \"tensorflow ; os_name > 'a'\",\n]"
    if COMPARES_STRINGS:
        assert str(requirement_of(text).marker) == 'os_name > "a"'
    else:  # Poetry refuses such a project altogether
        with pytest.raises(ProjectError, match="Invalid marker for 'os_name': > a") as caught:
            _ = pyproject_of(text).requirements
        assert caught.value.position == Position(3, 3)


@pytest.mark.parametrize(
    "text", ["x @ ./x", "x @ ../x-1-py3-none-any.whl", "x @ file:///no/x-1.zip"]
)
def test_relative_paths_are_the_projects_and_not_the_processs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
):
    project = tmp_path / "project"
    for folder in (project / "x", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    (project / "x" / "pyproject.toml").write_text('[build-system]\nrequires = ["poetry-core"]')
    (tmp_path / "x-1-py3-none-any.whl").touch()
    monkeypatch.chdir(tmp_path / "elsewhere")
    pyproject = Pyproject.read(
        project / "pyproject.toml", f'[project]\ndependencies = ["{text}"]\n'
    )
    assert pyproject.requirements == ()
    assert "elsewhere" not in caplog.text
    assert ("does not exist" in caplog.text) is ("file:" in text)


@pytest.mark.parametrize(
    ("text", "legacy"),
    [
        ("", False),
        ("[tool.ruff]", False),
        ('[build-system]\nrequires = ["poetry-core"]', False),
        ('[tool.poetry]\nname = "x"', True),
        ("[tool.poetry.dependencies]", True),
        ('[project]\nname = "x"', False),
        ("[project]\ndependencies = []", False),
        ('[project]\nname = "x"\n[tool.poetry.dependencies]\nnumpy = "*"', True),
        ('[project]\ndependencies = []\n[tool.poetry.dependencies]\nnumpy = "*"', False),
        ("[project.optional-dependencies]\n[tool.poetry.dependencies]", False),
    ],
)
def test_it_is_known_where_the_project_has_its_dependencies(text: str, legacy: bool):
    assert pyproject_of(text).uses_poetry_tables is legacy


# -- Pythons --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written", "path"),
    [
        (
            '[project]\nrequires-python = ">=3.10"',
            ">=3.10",
            ("project", "requires-python"),
        ),
        (
            '[tool.poetry.dependencies]\npython = "^3.10"',
            "^3.10",
            ("tool", "poetry", "dependencies", "python"),
        ),
        (
            '[project]\nrequires-python = ">=3.8"\n[tool.poetry.dependencies]\npython = "^3.10"',
            "^3.10",
            ("tool", "poetry", "dependencies", "python"),
        ),
        (
            '[tool.poetry.dependencies]\npython = {version = "^3.10"}',
            "^3.10",
            ("tool", "poetry", "dependencies", "python", "version"),
        ),
    ],
)
def test_the_pythons_are_those_that_poetry_locks_for(
    text: str, written: str, path: tuple[str, ...]
):
    python = pyproject_of(text).python
    assert python is not None
    assert (python.written, python.path) == (written, path)
    assert equal(python.constraint, parse_constraint(written))


@pytest.mark.parametrize(
    ("written", "exact"),
    [("3.11", True), ("==3.11.4", True), ("3.11.*", False), ("~3.11", False), (">=3.11", False)],
)
def test_an_exact_python_is_told_from_a_range(written: str, exact: bool):
    python = pyproject_of(f'[project]\nrequires-python = "{written}"').python
    assert python is not None
    assert python.is_exact is exact


def test_without_a_declared_python_there_is_none():
    assert pyproject_of('[project]\nname = "x"').python is None


# -- what kind of project it is -------------------------------------------------------------


POETRYS = '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("", None),
        ("[project]", None),
        ("[tool.poetry]", None),
        ("[tool.poetry]\n[tool.uv]", None),
        (POETRYS, None),
        ('[build-system]\nbuild-backend = "poetry_dynamic_versioning.backend"', None),
        ('[build-system]\nrequires = ["setuptools"]', None),
        ("[build-system]\nbuild-backend = 3", None),
        ('[build-system]\nbuild-backend = "hatchling.build"', "the build backend hatchling.build"),
        ('[build-system]\nbuild-backend = "hatchling.build"\n[tool.poetry]', None),
        *[(f"[tool.{name}]", name) for name in ("pdm", "hatch", "uv", "rye", "pixi", "flit")],
        ("[tool.black]", None),
        (f"{POETRYS}[tool.uv]\nindex = []", None),
    ],
)
def test_a_project_of_another_manager_is_known_by_backend_and_tables(
    text: str, foreign: str | None
):
    assert pyproject_of(text).foreign_manager == foreign


@pytest.mark.parametrize(
    ("text", "poetrys"),
    [
        ("[tool.poetry]", True),
        ("[tool.poetry-tf]", True),
        (POETRYS, True),
        ("[project]", False),
        ("[tool.black]", False),
        ('[build-system]\nbuild-backend = "setuptools.build_meta"', False),
    ],
)
def test_a_project_is_poetrys_where_the_file_says_so(text: str, poetrys: bool):
    assert pyproject_of(text).is_poetrys is poetrys


def test_a_project_is_managed_by_its_table():
    assert pyproject_of("[tool.poetry-tf]").is_managed
    assert not pyproject_of("[tool.poetry]").is_managed


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("", True),
        ("[tool.poetry]\npackage-mode = true", True),
        ("[tool.poetry]\npackage-mode = false", False),
        ('[tool.poetry]\npackage-mode = "false"', True),
    ],
)
def test_package_mode_is_on_where_it_is_not_off(text: str, on: bool):
    assert pyproject_of(text).package_mode is on


@pytest.mark.parametrize(
    ("text", "files", "ships"),
    [
        ('[tool.poetry]\nname = "my-study"', [], False),
        ('[tool.poetry]\nname = "my-study"', ["notes.py", "data/x.csv"], False),
        ('[tool.poetry]\nname = "my-study"', ["my_study/__init__.py"], True),
        ('[tool.poetry]\nname = "My.Study"', ["my_study.py"], True),
        ('[project]\nname = "my-study"', ["src/my_study/__init__.py"], True),
        ('[project]\nname = "my-study"', ["src/my_study.py"], True),
        ('[project]\nname = "other"\n[tool.poetry]\nname = "my-study"', ["my_study.py"], False),
        ("[project]", ["src/my_study/__init__.py"], False),
        ("[tool.poetry]\nname = 3", ["3.py"], False),
        ('[tool.poetry]\npackages = [{include = "lib"}]', [], True),
        ("[tool.poetry]\npackages = []", [], False),
        ('[tool.poetry]\ninclude = ["a.txt"]', [], True),
        ('[tool.poetry.scripts]\nrun = "a:b"', [], True),
        ('[tool.poetry.plugins."a.b"]\nrun = "a:b"', [], True),
        ('[tool.poetry.build]\nscript = "build.py"', [], True),
        ('[project.scripts]\nrun = "a:b"', [], True),
        ('[project.gui-scripts]\nrun = "a:b"', [], True),
        ('[project.entry-points."a.b"]\nrun = "a:b"', [], True),
        ('[project]\nname = ""', [], False),
    ],
)
def test_a_project_ships_a_package_if_it_declares_or_has_one(
    tmp_path: Path, text: str, files: list[str], ships: bool
):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert Pyproject.read(tmp_path / "pyproject.toml", text).ships_package is ships


# -- what can't be read ---------------------------------------------------------------------


def everything(pyproject: Pyproject) -> None:
    """Asks for all that is read from a file."""
    assert {
        pyproject.ships_package,
        pyproject.is_managed,
        pyproject.is_poetrys,
        pyproject.package_mode,
        pyproject.uses_poetry_tables,
    } <= {True, False}
    assert isinstance(pyproject.foreign_manager, str | None)
    assert isinstance(pyproject.python, PythonRange | None)
    assert all(item.name for item in pyproject.requirements)


@pytest.mark.parametrize(
    ("text", "says", "position"),
    [
        ("[project\n", "", (1, 9)),
        ("a = 1\nb = \n", "", (2, 5)),
        ("\ufeff[project]", "byte order mark", (1, 1)),
        ("a = 1\n<<<<<<< HEAD\nb = 1\n=======\n", "merge conflict markers", (2, 1)),
        ("a = 1\n<<<<<<< HEAD\r\nb = 1\r\n", "merge conflict markers", (2, 1)),
        ("a = 1\nb = [\n1,\n<<<<<<<\n2,\n=======\n", "merge conflict markers", (4, 1)),
        ("project = 3", "[project] is not a table", (1, 1)),
        ("a = 1\ntool = []", "[tool] is not a table", (2, 1)),
        ("[tool]\npoetry = 3", "[tool.poetry] is not a table", (2, 1)),
        ("[tool.poetry]\ngroup = 3", "[tool.poetry.group] is not a table", (2, 1)),
        ("[tool.poetry.group]\ndev = []", "[tool.poetry.group.dev] is not a table", (2, 1)),
        ("[project]\ndependencies = 3", "project.dependencies is not an array", (2, 1)),
        ("[project]\ndependencies = [3]", "3 is not a requirement string", (2, 17)),
        ('[project]\ndependencies = ["a", "!"]', "'!' is not a valid requirement", (2, 22)),
        ("[dependency-groups]\nml = [3]", "3 is not a requirement string", (2, 7)),
        ("[tool.poetry.dependencies]\na = 3", "a has the value 3, which is no constraint", (2, 1)),
        ('[tool.poetry.dependencies]\na = "!"', "'!' is no version constraint", (2, 1)),
        ('[tool.poetry.dependencies]\n"" = "*"', "a requirement has no name", (2, 1)),
        (
            '[project]\ndependencies = ["a"]\n[tool.poetry.dependencies]\na = {markers = "x"}',
            "a marker of a is not valid",
            (4, 1),
        ),
        ("[tool.poetry.dependencies]\na = {version = 3}", "3 is no version constraint", (2, 6)),
        ('[tool.poetry.dependencies]\na = {markers = "x"}', "a marker of a is not valid", (2, 1)),
        ('[tool.poetry.dependencies]\na = [{markers = "x"}]', "a marker of a is not valid", (2, 6)),
        ('[project]\nrequires-python = "!"', "'!' is no version constraint", (2, 1)),
        ("[project]\nrequires-python = 3.11", "3.11 is no version constraint", (2, 1)),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    text: str, says: str, position: tuple[int, int]
):
    with pytest.raises(ProjectError) as caught:
        everything(pyproject_of(text))
    assert says in caught.value.message
    assert caught.value.position == Position(*position)
    assert str(caught.value).startswith(f"pyproject.toml:{position[0]}:{position[1]}: ")


def test_conflict_markers_in_a_text_of_its_own_are_no_conflict():
    text = 'a = """\n<<<<<<< HEAD\n"""\n'
    assert pyproject_of(text).data == {"a": "<<<<<<< HEAD\n"}


values = st.recursive(
    st.sampled_from(
        [
            "true",
            "0",
            "3.11",
            "inf",
            "2020-01-01",
            "07:32:00",
            '""',
            '"*"',
            '"^3"',
            '"tensorflow"',
            '"x;y"',
            '"3.11"',
            "'\\'",
            '"~2.13 || x"',
            '"tensorflow[a"',
            '"a @ b"',
            '"python_version"',
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(
                [
                    "version",
                    "extras",
                    "markers",
                    "python",
                    "platform",
                    "optional",
                    "git",
                    "dependencies",
                    "dev",
                    "tensorflow",
                    '"!"',
                    '""',
                    "include-group",
                ]
            ),
            inner,
            max_size=3,
        ).map(lambda table: "{" + ", ".join(f"{key} = {item}" for key, item in table.items()) + "}")
    ),
    max_leaves=5,
)
PATHS = (
    "project",
    "tool",
    "dependency-groups",
    "build-system",
    "build-system.build-backend",
    "project.name",
    "project.dynamic",
    "project.dependencies",
    "project.requires-python",
    "project.optional-dependencies",
    "project.scripts",
    "tool.poetry",
    "tool.poetry-tf",
    "tool.poetry.name",
    "tool.poetry.packages",
    "tool.poetry.package-mode",
    "tool.poetry.dependencies",
    "tool.poetry.dependencies.python",
    "tool.poetry.dependencies.tensorflow",
    "tool.poetry.dev-dependencies",
    "tool.poetry.group",
    "tool.poetry.group.dev.dependencies",
    "dependency-groups.dev",
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), values, min_size=1, max_size=3))
def test_values_of_odd_types_are_read_or_named(entries: dict[str, str]):
    text = "\n".join(f"{path} = {value}" for path, value in entries.items())
    try:
        everything(pyproject_of(text))
    except ProjectError as error:
        assert error.position is not None


# -- requirement strings of the simplest form, which are read here ---------------------------

PIECES = st.sampled_from(
    [
        *("tensorflow", "a", "A_b-c", "x.y", "-", "[a]", "[a,b_c]", "[a, b]", "[]", " ", ",", ";"),
        *("==1.0", "~=2.1", ">=2.13,<2.14", "(>=1)", "(", ")", "()", "!=1.*", "==1.*", "<2a1", "<"),
        *(">=1.0.post1", "==1.0+x", "==x", "1", "~=1", "==1!2", ">2,<1", "==2.*.1", "; a", "@ x"),
    ]
)


@given(st.lists(PIECES, min_size=1, max_size=5).map("".join))
def test_a_plain_requirement_is_what_poetry_core_makes_of_it(text: str):
    mine = _parse_plain(text)
    if mine is None:
        return
    theirs = Dependency.create_from_pep_508(text)
    assert mine == theirs
    assert (mine.extras, mine.marker) == (theirs.extras, theirs.marker)
    assert (mine.constraint, mine.pretty_constraint) == (
        theirs.constraint,
        theirs.pretty_constraint,
    )


@pytest.mark.parametrize(
    "text", ["tensorflow", "tensorflow (>=2.13,<2.14)", "a[b,c]~=1.2.3", "a >=1, <2", "a==1.*"]
)
def test_most_requirements_are_plain(text: str):
    assert _parse_plain(text) is not None
