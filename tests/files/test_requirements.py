"""Requirements, in any of the places from which Poetry reads them."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from poetry.core.constraints.version import parse_constraint
from poetry.core.factory import Factory
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.requirements import MAIN, _parse_plain
from tests.files.oracle import equal
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
def test_a_constraint_is_reported_as_the_user_wrote_it(place: str, written: str):
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
def test_a_constraint_is_reported_without_what_is_around_it(text: str):
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


def test_two_constraints_on_one_requirement_are_both_reported():
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
