"""TF2xx: the Pythons that the project admits against those that TensorFlow has wheels for."""

from __future__ import annotations

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.plan.model import CONTAINER_PLATFORM
from poetry_tf.releases import load
from tests.made import found, in_memory, place

CATALOG = load()
LAST = CATALOG.releases[-1]
MINORS = LAST.pythons[CONTAINER_PLATFORM]
PIN = f"~={LAST.version}"
NEXT = f"3.{int(MINORS[-1].split('.')[1]) + 1}"

PROJECT = (
    f'[project]\nname = "x"\nrequires-python = "{{}}" # mine\ndependencies = ["tensorflow{PIN}"]\n'
)
LEGACY = f"[tool.poetry.dependencies]\npython = '{{}}'\ntensorflow = \"{PIN}\"\n"


@pytest.mark.parametrize(("text", "where"), [(PROJECT, "3:1"), (LEGACY, "2:1")])
@pytest.mark.parametrize(
    ("declared", "narrowed"),
    [
        (f">={MINORS[0]}", f">={MINORS[0]},<{NEXT}"),
        (f">={MINORS[0]}.1", f">={MINORS[0]}.1,<{NEXT}"),
        (f">={MINORS[1]},<4.0", f">={MINORS[1]},<{NEXT}"),
        (">=3.8", f">={MINORS[0]},<{NEXT}"),
        (f"<{MINORS[-1]}", f">={MINORS[0]},<{MINORS[-1]}"),
        ("*", f">={MINORS[0]},<{NEXT}"),
    ],
)
def test_a_python_without_a_wheel_is_reported_and_the_range_narrowed(
    text: str, where: str, declared: str, narrowed: str
):
    project = in_memory(text.format(declared))
    (finding,) = found(project, "TF201")
    assert place(finding) == f"pyproject.toml:{where}"
    assert str(LAST.version) in finding.message
    assert f'"{narrowed}"' in finding.remedy
    after = fix(project)
    assert after.pyproject.document.text.startswith(text.format(narrowed))
    assert found(after, "TF201") == []


@pytest.mark.parametrize(
    "declared",
    [
        f">={MINORS[0]},<{NEXT}",
        f"~={MINORS[0]}.0",
        f"=={MINORS[0]}.*",
        f"=={MINORS[-1]}.*",
        f">={MINORS[0]}.2,<={MINORS[-1]}.5",
        f">={MINORS[0]},<{NEXT},!={MINORS[0]}.3",
    ],
)
@pytest.mark.parametrize("text", [PROJECT, LEGACY])
def test_a_range_within_the_wheels_is_fine(text: str, declared: str):
    assert [item for item in found(in_memory(text.format(declared))) if "TF2" in item.code] == []


@pytest.mark.parametrize(
    ("text", "where", "path"),
    [
        (
            f'[project]\nname = "x"\ndependencies = ["tensorflow{PIN}"]\n',
            "1:1",
            ("project", "requires-python"),
        ),
        (
            f'[tool.poetry.dependencies]\ntensorflow = "{PIN}"\n',
            "1:1",
            ("tool", "poetry", "dependencies", "python"),
        ),
    ],
)
def test_without_any_range_one_is_written_where_the_project_has_such_things(
    text: str, where: str, path: tuple[str, ...]
):
    project = in_memory(text)
    (finding,) = found(project, "TF201")
    assert place(finding).startswith(f"pyproject.toml:{where[0]}:")
    assert fix(project).pyproject.document.get(path) == f">={MINORS[0]},<{NEXT}"


@pytest.mark.parametrize("text", [PROJECT, LEGACY])
@pytest.mark.parametrize("declared", [f">={NEXT}", "<3.8", "==2.7.*"])
def test_where_no_python_fits_at_all_a_person_has_to_choose(text: str, declared: str):
    project = in_memory(text.format(declared))
    assert found(project, "TF201") == []
    (finding,) = found(project, "TF202")
    assert finding.edits == ()
    assert ", ".join(MINORS) in finding.remedy
    assert place(finding) in {"pyproject.toml:3:1", "pyproject.toml:2:1"}


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nrequires-python = ">=3.8"\ndependencies = ["numpy"]',
        # What the data doesn't know may fit.
        '[project]\nrequires-python = ">=3.6"\ndependencies = ["tensorflow>=1.0,<2.13"]',
        '[project]\nrequires-python = ">=3.6"\ndependencies = ["tensorflow==1.15.5"]',
        '[project]\nrequires-python = ">=3.6"\ndependencies = ["tensorflow>=99"]',
    ],
)
def test_where_nothing_is_known_nothing_is_said(text: str):
    assert [item for item in found(in_memory(text)) if item.code.startswith("TF2")] == []


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        (f"python_version >= '{MINORS[0]}' and python_version < '{NEXT}'", []),
        (f"python_version == '{MINORS[-1]}'", []),
        (f"python_version >= '{MINORS[0]}' and python_version < '{MINORS[-1]}'", []),
        ("sys_platform == 'linux'", ["TF201"]),
        (f"python_version >= '{NEXT}'", ["TF202"]),
    ],
)
def test_a_marker_on_tensorflow_limits_the_pythons_in_question(marker: str, expected: list[str]):
    text = f'[project]\nrequires-python = ">=3.8"\ndependencies = ["tensorflow{PIN} ; {marker}"]\n'
    assert [item.code for item in found(in_memory(text)) if item.code.startswith("TF2")] == expected


def test_a_single_version_is_not_what_was_meant():
    """3.11 means 3.11.0, which no container has."""
    text = '[tool.poetry.dependencies]\npython = "3.11"  # the lab\'s\ntensorflow = "~2.18.0"\n'
    (finding,) = found(in_memory(text), "TF201")
    assert "3.11" in finding.message and 'Write ">=3.11,<3.12"' in finding.remedy
    after = fix(in_memory(text)).pyproject.document.text
    assert after.startswith(text.replace('"3.11"', '">=3.11,<3.12"'))
