"""`poetry tf check`: which findings count, in which form they are told, and what explains them."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from poetry_tf.checks.findings import rules
from tests.integration.conftest import RIGHT
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.projects import contents

PIN = "tensorflow (>=2.18.1,<2.19.0)"
CONTAINER = ".devcontainer/devcontainer.json"
CODES = [rule.code for rule in rules()]
FIXABLE = "fixable with `poetry tf check --fix`"


@pytest.fixture
def wrong(right: PoetryRunner, project: Path) -> PoetryRunner:
    """The same with three errors, TF104, TF302 and TF503, and a warning, TF506."""
    cpu = PIN.replace("tensorflow", "tensorflow-cpu")
    _replace(project, "pyproject.toml", f'"{PIN}"', f'"{PIN}",\n    "{cpu}"')
    _replace(project, CONTAINER, '"9.3.0.75"', '"9.1.0.70"')
    _warn(project)
    return right


def _warn(project: Path) -> None:
    _replace(project, CONTAINER, "pipx install poetry==", "pipx install poetry==2.1.0 #")


def _replace(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_bytes().decode()
    assert old in text
    (project / name).write_bytes(text.replace(old, new, 1).encode())


def _check(poetry: PoetryRunner, *options: str, cwd: Path | None = None) -> Result:
    result = poetry.call("tf", "check", *options, cwd=cwd)
    assert "Traceback" not in result.output
    return result


def _codes(result: Result) -> list[str]:
    return re.findall(r"^\S+ (TF\d{3}) ", result.stderr, re.MULTILINE)


# What has to come first


def test_a_lock_comes_after_the_fixes_that_it_depends_on(
    right: PoetryRunner, project: Path
) -> None:
    """`poetry lock` refuses a wide pin, so the hint names what does both."""
    lock = (project / "poetry.lock").read_bytes()
    (project / "poetry.lock").unlink()
    assert "    hint: Run `poetry lock`\n" in _check(right).stderr
    _replace(project, "pyproject.toml", PIN, "tensorflow >=2.18")
    for name, content in {"stale": lock, "missing": None}.items():
        if content is not None:
            (project / "poetry.lock").write_bytes(content)
        else:
            (project / "poetry.lock").unlink()
        result = _check(right)
        assert _codes(result) == ["TF101", "TF302"], name
        assert "Run `poetry lock`" not in result.stderr
        assert (
            "    hint: Run `poetry tf check --fix`, which fixes pyproject.toml first, then locks\n"
        ) in result.stderr
    assert not right.call("lock").ok
    assert _check(right, "--fix").ok


# Where a finding is, for a terminal to open


@pytest.mark.parametrize(
    ("folder", "options", "prefix"),
    [
        (".", [], ""),
        ("src/deep", [], "../../"),
        ("..", ["-C", "{name}"], "{name}/"),
        ("src", ["--directory", "../src/.."], "../"),
        ("..", ["-C", "{name}/src"], "{name}/"),
        ("..", ["-P", "{name}"], "{name}/"),
        ("..", ["-C", "{root}"], "{root}/"),
    ],
)
def test_a_path_is_as_seen_from_where_the_command_was_typed(
    wrong: PoetryRunner, project: Path, folder: str, options: list[str], prefix: str
) -> None:
    (project / "src/deep").mkdir(parents=True)
    names = {"name": project.name, "root": project.as_posix()}
    words = [word.format(**names) for word in options]
    shown = _check(wrong, *words, cwd=project / folder)
    places = re.findall(r"^(\S+?):\d+:\d+ TF\d{3} ", shown.stderr, re.MULTILINE)
    wanted = ("pyproject.toml", "poetry.lock", CONTAINER, CONTAINER)
    assert places == [f"{prefix.format(**names)}{name}" for name in wanted]


def test_an_error_names_the_file_as_seen_from_where_the_command_was_typed(
    right: PoetryRunner, project: Path
) -> None:
    (project / "poetry.toml").write_text("[tf]\nmirror = \n", "utf-8")
    shown = _check(right, "-C", project.name, cwd=project.parent)
    assert shown.stderr.startswith(f"Error: {project.name}/poetry.toml:2:")


def test_every_container_that_was_checked_counts(right: PoetryRunner, project: Path) -> None:
    other = project / ".devcontainer/other/devcontainer.json"
    other.parent.mkdir()
    other.write_bytes((project / CONTAINER).read_bytes())
    said = "TensorFlow 2.18.1, 2 containers: no problems found."
    assert _check(right) == Result(0, f"All set! {said}\n", "")


def test_a_container_that_fix_changes_has_to_be_rebuilt_and_a_new_one_has_not(
    right: PoetryRunner, project: Path
) -> None:
    step = "Next: rebuild the container (Dev Containers: Rebuild Container in VS Code, or "
    _replace(project, CONTAINER, "3-3.12", "3-3.11")
    assert step in _check(right, "--fix").stdout
    (project / CONTAINER).unlink()
    assert "TF501" in (stdout := _check(right, "--fix").stdout) and step not in stdout


# Which findings there are


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ([], ["TF104", "TF302", "TF503", "TF506"]),
        (["--select", "TF503"], ["TF503"]),
        (["--select", "TF503,TF104"], ["TF104", "TF503"]),
        (["--select", "TF503, tf1", "--select=TF3"], ["TF104", "TF302", "TF503"]),
        (["--select", "TF5"], ["TF503", "TF506"]),
        (["--select", "TF"], ["TF104", "TF302", "TF503", "TF506"]),
        (["--ignore", "TF5"], ["TF104", "TF302"]),
        (["--ignore", "TF104,", "--ignore", "TF50"], ["TF302"]),
        (["--select", "TF5", "--ignore", "TF503"], ["TF506"]),
        (["--select", "TF1,TF2,TF301"], ["TF104"]),
        (["--select", "", "--ignore", ""], ["TF104", "TF302", "TF503", "TF506"]),
    ],
    ids=" ".join,
)
def test_rules_are_chosen_by_code(
    wrong: PoetryRunner, options: list[str], codes: list[str]
) -> None:
    result = _check(wrong, *options)
    assert _codes(result) == codes
    assert result.returncode == (0 if codes == ["TF506"] else 1)


def test_without_what_was_chosen_all_is_set(wrong: PoetryRunner) -> None:
    said = f"TensorFlow 2.18.1, 1 container, 2 of {len(CODES)} rules: no problems found."
    assert _check(wrong, "--select", "TF2") == Result(0, f"All set! {said}\n", "")


@pytest.mark.parametrize("option", ["--select", "--ignore", "--explain"])
@pytest.mark.parametrize("code", ["TF999", "E501", "T", "TF1012", "*"])
def test_a_rule_that_there_is_not(right: PoetryRunner, option: str, code: str) -> None:
    result = _check(right, option, code)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"Error: Unknown rule {code!r}",
        f"The rules are {', '.join(CODES)}.",
    ]


def test_fix_changes_what_was_chosen_and_nothing_else(wrong: PoetryRunner, project: Path) -> None:
    before = contents(project)
    assert _check(wrong, "--fix", "--select", "TF1").returncode == 1
    assert contents(project) == before
    shown = _check(wrong, "--diff", "--select", "TF503")
    assert "9.3.0.75" in shown.stdout and "poetry==" not in shown.stdout
    result = _check(wrong, "--fix", "--ignore", "TF1,TF302,TF506")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Fixed TF503 in\n  {CONTAINER}\nNext: rebuild the container")
    assert _codes(_check(wrong)) == ["TF104", "TF302", "TF506"]
    assert contents(project)["poetry.lock"] == before["poetry.lock"]


def test_a_lock_that_fix_itself_makes_stale_is_made_again_whatever_was_chosen(
    right: PoetryRunner, project: Path
) -> None:
    _replace(project, "pyproject.toml", ">=3.12,<3.13", ">=3.11,<3.13")
    _replace(project, "pyproject.toml", PIN, "tensorflow (>=2.18)")
    assert right.call("lock", plugins=False).ok
    assert _check(right, "--fix", "--select", "TF101").ok
    assert right.call("check", "--lock", plugins=False).ok


# Warnings


def test_a_warning_is_reported_and_does_not_count(right: PoetryRunner, project: Path) -> None:
    _warn(project)
    result = _check(right)
    assert (result.returncode, result.stdout, _codes(result)) == (0, "", ["TF506"])
    assert result.stderr.splitlines()[-1] == f"1 warning, 1 {FIXABLE}"


def test_a_warning_counts_where_that_is_asked_for(right: PoetryRunner, project: Path) -> None:
    _warn(project)
    assert _check(right, "--strict").returncode == 1
    assert _check(right, "--strict", "--ignore", "TF506").returncode == 0


def test_an_error_beside_a_warning_counts(wrong: PoetryRunner) -> None:
    result = _check(wrong)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (f"4 problems (1 warning), 3 {FIXABLE}")


def test_what_cannot_be_judged_has_a_status_of_its_own(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow (>=1.15,<1.16)"], requires_python=">=3.11,<3.12")
    result = _check(warm_poetry)
    assert result.returncode == 2
    assert "Warning: " in result.stderr
    assert _check(warm_poetry, "--strict").returncode == 2


# `ignore` in the settings


def _settings(project: Path, text: str) -> None:
    _replace(project, "pyproject.toml", 'gpu = "auto"\n', f'gpu = "auto"\n{text}\n')


def test_what_the_settings_let_be_is_counted_and_nothing_more(
    wrong: PoetryRunner, project: Path
) -> None:
    _settings(project, 'ignore = [{ code = "TF104", reason = "both are tried out here" }]')
    result = _check(wrong)
    assert _codes(result) == ["TF302", "TF503", "TF506"]
    assert "1 problem ignored by [tool.poetry-tf]: TF104" in result.stderr.splitlines()
    result = _check(wrong, "--fix")
    assert result.ok
    assert result.stderr.splitlines()[-1] == "1 problem ignored by [tool.poetry-tf]: TF104"
    assert result.stdout.splitlines()[-1].startswith("All set! ")


def test_what_the_settings_let_be_is_not_fixed(right: PoetryRunner, project: Path) -> None:
    reason = "the service wants its own Python"
    text = f'[[tool.poetry-tf.ignore]]\ncode = "TF502"\nreason = "{reason}"'
    _settings(project, text)
    _replace(project, CONTAINER, "3-3.12", "3-3.11")
    before = contents(project)
    assert _check(right, "--fix").stdout.startswith("All set! ")
    assert contents(project) == before
    assert right.call("tf", "init", "-n").ok
    assert "TF502" not in right.call("tf", "init", "-n").output


def test_a_name_is_let_through(warm_poetry: PoetryRunner, project: Path) -> None:
    let = '{ code = "TF106", name = "Tensorfl0w", reason = "our own" }'
    write_pyproject(
        project,
        ["tensorfl0w", "tersorflow"],
        more=f"[tool.poetry-tf]\nignore = [{let}]\n",
    )
    result = _check(warm_poetry, "--select", "TF106")
    assert result.returncode == 1
    (message,) = (line for line in result.stderr.splitlines() if " TF106 " in line)
    assert "tersorflow looks like" in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('ignore = "TF101"', "ignore is not an array"),
        ('ignore = { TF101 = "because" }', "ignore is not an array"),
        ('ignore = ["TF101"]', "an entry is not a table with a code and a reason"),
        ('ignore = [{ code = "TF101" }]', "TF101 has no reason"),
        ('ignore = [{ code = "TF101", reason = " " }]', "TF101 has no reason"),
        ('ignore = [{ code = "TF101", reason = 1 }]', "TF101 has no reason"),
        ('ignore = [{ reason = "so" }]', "an entry has no code"),
        ('ignore = [{ code = 101, reason = "so" }]', "an entry has no code"),
        ('ignore = [{ code = "TF999", reason = "so" }]', "unknown rule TF999"),
        ('ignore = [{ code = "TF1", reason = "so" }]', "unknown rule TF1"),
        (
            'ignore = [{ code = "TF101", reason = "so", names = [] }]',
            "an entry has the unknown key names",
        ),
        ('ignore = [{ code = "TF101", reason = "so", name = 3 }]', "name of TF101 is not a string"),
    ],
)
def test_an_ignore_that_means_nothing_is_found(
    right: PoetryRunner, project: Path, text: str, says: str
) -> None:
    _settings(project, text)
    result = _check(right)
    assert result.returncode == 1
    assert _codes(result) == ["TF001"]
    assert result.stderr.startswith("pyproject.toml:16:")
    assert says in result.stderr.splitlines()[0]


# JSON


def _json(poetry: PoetryRunner, *options: str) -> tuple[int, dict[str, Any]]:
    result = _check(poetry, "--format", "json", *options)
    return result.returncode, json.loads(result.stdout)


def _shape(value: Any) -> Any:
    """The keys of a document and the types of its values, to any depth."""
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value[:1]]
    return type(value).__name__


def test_json_says_all_that_is_known_of_a_finding(wrong: PoetryRunner, project: Path) -> None:
    _settings(project, 'ignore = [{ code = "TF302", reason = "in the next commit" }]')
    status, document = _json(wrong)
    assert status == 1
    findings = document.pop("findings")
    assert document == {
        "version": 1,
        "tool": {"name": "poetry-tf", "version": metadata.version("poetry-tf")},
        "project": {
            "root": str(project),
            "name": "project",
            "managed": True,
            "tensorflow": "2.18.1",
            "origin": "packaged",
            "not_judged": [],
        },
        "counts": {"error": 2, "warning": 1, "fixable": 2, "ignored": 1},
        "fixed": {"codes": {}, "files": []},
        "trouble": None,
    }
    assert findings[1] == {
        "code": "TF503",
        "severity": "error",
        "file": CONTAINER,
        "line": 10,
        "column": 13,
        "message": "TensorFlow 2.18.1 needs CUDA 12.5 and cuDNN 9.3.0.75, but the feature has "
        "cudnnVersion '9.1.0.70'",
        "remedy": 'Write cudnnVersion "9.3.0.75"',
        "fixable": True,
    }
    assert [(item["code"], item["severity"], item["fixable"]) for item in findings] == [
        ("TF104", "error", False),
        ("TF503", "error", True),
        ("TF506", "warning", True),
    ]


def test_json_tells_the_same_as_text(wrong: PoetryRunner) -> None:
    status, document = _json(wrong)
    text = _check(wrong)
    assert status == text.returncode
    lines = [
        f"{item['file']}:{item['line']}:{item['column']} {item['code']}"
        f"{' [*]' if item['fixable'] else ''} {item['message']}"
        for item in document["findings"]
    ]
    assert lines == text.stderr.splitlines()[:-1:2]


def test_json_is_all_that_goes_to_stdout(right: PoetryRunner, project: Path) -> None:
    (project / "poetry.lock").unlink()
    (project / CONTAINER).unlink()
    status, document = _json(right, "--fix")
    assert (status, document["findings"]) == (0, [])
    assert document["fixed"] == {
        "codes": {"TF302": 1, "TF501": 1},
        "files": [CONTAINER, "poetry.lock"],
    }
    assert contents(project) == RIGHT


def test_json_of_a_file_that_is_missing_has_no_line(right: PoetryRunner, project: Path) -> None:
    (project / CONTAINER).unlink()
    (finding,) = _json(right)[1]["findings"]
    assert (finding["file"], finding["line"], finding["column"]) == (CONTAINER, None, None)


def test_json_of_a_clean_project(right: PoetryRunner) -> None:
    result = _check(right, "--format=json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["findings"] == []


def test_json_of_a_project_without_tensorflow(warm_poetry: PoetryRunner, project: Path) -> None:
    write_pyproject(project, ["six"])
    status, document = _json(warm_poetry)
    assert (status, document["findings"]) == (0, [])
    assert document["project"]["tensorflow"] is None


def test_json_of_what_cannot_be_judged(warm_poetry: PoetryRunner, project: Path) -> None:
    write_pyproject(project, ["tensorflow (>=1.15,<1.16)"], requires_python=">=3.11,<3.12")
    status, document = _json(warm_poetry)
    assert (status, document["findings"]) == (2, [])
    assert set(document["trouble"]) == {"message", "remedy"}
    assert document["trouble"]["message"]


def test_json_of_what_cannot_be_checked(
    warm_poetry: PoetryRunner, right: PoetryRunner, project: Path
) -> None:
    (project / "pyproject.toml").write_text('[project]\nname = "x', "utf-8")
    status, document = _json(right)
    assert status == 2
    assert document["project"] is None
    assert document["trouble"]["message"].startswith("pyproject.toml:2:")
    (project / "pyproject.toml").unlink()
    status, document = _json(right)
    assert status == 2
    assert "No pyproject.toml" in document["trouble"]["message"]


def test_json_of_a_lock_that_fails(right: PoetryRunner, project: Path) -> None:
    _replace(project, "pyproject.toml", f'"{PIN}"', f'"{PIN}", "no-such-package"')
    before = contents(project)
    status, document = _json(right, "--fix")
    assert status == 2
    assert [item["code"] for item in document["findings"]] == ["TF302"]
    assert "Could not lock the project" in document["trouble"]["message"]
    assert document["fixed"] == {"codes": {}, "files": []}
    assert contents(project) == before


# GitHub


def test_annotations_say_where(wrong: PoetryRunner) -> None:
    result = _check(wrong, "--format", "github", "--ignore", "TF302")
    assert result.returncode == 1
    first, second, third = result.stdout.splitlines()
    assert first == (
        "::error file=pyproject.toml,line=8,col=5,title=TF104::tensorflow and tensorflow-cpu hold "
        "the same files and can't both be installed%0AKeep one of them, or give them markers that "
        "exclude each other"
    )
    assert second.startswith(f"::error file={CONTAINER},line=10,col=13,title=TF503::TensorFlow ")
    assert third.startswith(f"::warning file={CONTAINER},line=48,col=5,title=TF506::Poetry 2.1.0")


def test_annotations_are_escaped(warm_poetry: PoetryRunner, project: Path) -> None:
    text = '[project]\nname = "x"\ndependencies = ["tensorflow~=2.18.1"]\n[tool.poetry-tf]\n'
    (project / "pyproject.toml").write_text(f'{text}"100%\\r\\n::error::" = 1\n', "utf-8")
    result = _check(warm_poetry, "--format", "github", "--select", "TF001")
    (line,) = result.stdout.splitlines()
    assert r"::unknown setting 100%25\r\n::error::" in line


def test_annotations_of_a_part_of_a_repository(wrong: PoetryRunner, project: Path) -> None:
    wrong.environ["GITHUB_WORKSPACE"] = str(project.parent)
    result = _check(wrong, "--format", "github", "--select", "TF104")
    assert result.stdout.startswith(f"::error file={project.name}/pyproject.toml,line=8,")
    wrong.environ["GITHUB_WORKSPACE"] = str(project / "elsewhere")
    result = _check(wrong, "--format", "github", "--select", "TF104")
    assert result.stdout.startswith("::error file=pyproject.toml,line=8,")


def test_annotations_of_what_is_no_finding(
    right: PoetryRunner, warm_poetry: PoetryRunner, project: Path, tmp_path: Path
) -> None:
    assert _check(right, "--format", "github") == Result(0, "", "")
    write_pyproject(project, ["tensorflow (>=1.15,<1.16)"], requires_python=">=3.11,<3.12")
    (project / "poetry.lock").unlink()
    assert _check(right, "--format", "github").stdout.startswith("::warning title=poetry-tf::")
    (project / "pyproject.toml").write_text("a =", "utf-8")
    result = _check(right, "--format", "github")
    assert result.returncode == 2
    assert result.stdout.startswith("::error title=poetry-tf::pyproject.toml:1:")


@pytest.mark.parametrize("options", [["--format", "xml"], ["--diff", "--format", "json"]])
def test_a_form_that_cannot_be_had(right: PoetryRunner, options: list[str]) -> None:
    result = _check(right, *options)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: ")


# --explain


@pytest.mark.parametrize("code", CODES)
def test_every_rule_is_explained(poetry: PoetryRunner, project: Path, code: str) -> None:
    result = _check(poetry, "--explain", code)
    assert (result.returncode, result.stderr) == (0, "")
    title, kind, empty, *explanation = result.stdout.splitlines()
    assert re.fullmatch(rf"{code} \S.*[^.]", title)
    assert re.match(r"(Error|Warning); ", kind)
    assert empty == ""
    assert len(" ".join(explanation)) > 80


@pytest.mark.parametrize("width", [40, 72, 150])
def test_an_explanation_fits_the_terminal(
    poetry: PoetryRunner, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    whole = _check(poetry, "--explain", "TF503").stdout
    monkeypatch.setattr("poetry_tf.poetry_internals.notices._width", lambda _: width)
    shown = _check(poetry, "--explain", "TF503").stdout
    assert shown.split() == whole.split()
    assert width - 20 < max(map(len, shown.splitlines())) <= width


def test_a_rule_is_explained_in_whatever_case(poetry: PoetryRunner) -> None:
    assert _check(poetry, "--explain", "tf101") == _check(poetry, "--explain", "TF101")
    assert "semantic versioning" in _check(poetry, "--explain", "tf101").stdout


def test_without_a_code_all_rules_are_listed(wrong: PoetryRunner) -> None:
    listed = _check(wrong, "--explain")
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    marks = {rule.code: "[*]" if rule.fixable else "   " for rule in rules()}
    assert lines[:-2] == [f"{rule.code} {marks[rule.code]} {rule.title}" for rule in rules()]
    assert lines[-2:] == ["", "[*] `poetry tf check --fix` fixes what needs no decision"]
    assert _check(wrong, "--explain", "--fix", "--strict") == listed


def test_nothing_is_checked_while_explaining(wrong: PoetryRunner) -> None:
    assert _check(wrong, "--explain", "TF506", "--fix").stderr == ""
    assert _codes(_check(wrong)) == ["TF104", "TF302", "TF503", "TF506"]
