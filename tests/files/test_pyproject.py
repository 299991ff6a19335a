"""pyproject.toml: the project, its Pythons, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from poetry.core.constraints.version import parse_constraint

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.files.pyproject import Pyproject, PythonRange
from tests.files.oracle import equal
from tests.made import pyproject_of


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
def test_an_exact_python_is_distinguished_from_a_range(written: str, exact: bool):
    python = pyproject_of(f'[project]\nrequires-python = "{written}"').python
    assert python is not None
    assert python.is_exact is exact


def test_without_a_declared_python_there_is_none():
    assert pyproject_of('[project]\nname = "x"').python is None


# -- what kind of project it is -------------------------------------------------------------


POETRYS = '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'
SETUPTOOLS = '[build-system]\nbuild-backend = "setuptools.build_meta"\n'


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
        (f'{SETUPTOOLS}[project]\nname = "my-study"', [], True),
        (f'{SETUPTOOLS}[tool.poetry]\nname = "my-study"', [], True),
        (f'{POETRYS}\n[project]\nname = "my-study"', [], False),
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
        (
            "[tool.poetry.dependencies]\na = 3",
            "a has the value 3, which is not a constraint",
            (2, 1),
        ),
        ('[tool.poetry.dependencies]\na = "!"', "'!' is not a version constraint", (2, 1)),
        ('[tool.poetry.dependencies]\n"" = "*"', "a requirement has no name", (2, 1)),
        (
            '[project]\ndependencies = ["a"]\n[tool.poetry.dependencies]\na = {markers = "x"}',
            "a marker of a is not valid",
            (4, 1),
        ),
        ("[tool.poetry.dependencies]\na = {version = 3}", "3 is not a version constraint", (2, 6)),
        ('[tool.poetry.dependencies]\na = {markers = "x"}', "a marker of a is not valid", (2, 1)),
        ('[tool.poetry.dependencies]\na = [{markers = "x"}]', "a marker of a is not valid", (2, 6)),
        ('[project]\nrequires-python = "!"', "'!' is not a version constraint", (2, 1)),
        ("[project]\nrequires-python = 3.11", "3.11 is not a version constraint", (2, 1)),
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
