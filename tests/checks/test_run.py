"""Running the rules over a project, and applying what fixes their findings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poetry_tf.actions.fix import fix, is_fixable
from poetry_tf.checks.findings import RULES, Finding, Rule, find_problems, make_context, rule
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.pyproject import Pyproject
from poetry_tf.files.toml import TomlDocument
from poetry_tf.plan.model import PlanError
from poetry_tf.releases.images import load_images
from tests.files.test_pyproject import PATHS, values
from tests.made import NOWHERE, OLDER, codes, content_hash, found, in_memory, lock_text

BROKEN = """\
# A study.
[tool.poetry]   # by hand
name = "study"

[tool.poetry.dependencies]
tersorflow = '^2.13'   # which one?
python = "^3.8"

# a comment that stays
[tool.poetry.group.dev.dependencies]
pytest = "*"
"""

PINNED = '[project]\nrequires-python = ">=3.11,<3.12"\ndependencies = ["tensorflow~=2.13.0"]\n'


def fixable(finding: Finding) -> bool:
    """Whether its rule is said to be one that --fix fixes."""
    return RULES[finding.code].fixable


def test_every_rule_explains_itself_and_is_asked():
    find_problems(make_context(in_memory("")))
    numbers = [1, *range(101, 110), 201, 202, *range(301, 307), 401, 402, *range(501, 510), 601]
    assert {f"TF{number:03}" for number in numbers} == set(RULES)
    for code, known in RULES.items():
        assert re.fullmatch(r"TF\d{3}", code)
        first, *paragraphs = (known.check.__doc__ or "").split("\n\n")
        assert re.fullmatch(r"\S[^\n]*\.", first), f"{code} has no title of one line"
        assert paragraphs, f"{code} says no more than its title"
        assert known.title + "." == first
        assert all("\n" not in text for text in known.explanation)


def test_a_code_is_given_once():
    find_problems(make_context(in_memory("")))
    with pytest.raises(ValueError, match="TF101"):
        rule("TF101")(lambda context: iter(()))


def test_findings_come_in_the_order_of_their_codes():
    assert codes(in_memory(BROKEN)) == ["TF106", "TF301"]
    assert codes(in_memory(BROKEN.replace("tersorflow", "tensorflow-gpu"))) == [
        "TF101",
        "TF103",
        "TF201",
        "TF301",
    ]


def test_what_one_fix_uncovers_is_fixed_too():
    after = fix(in_memory(BROKEN))
    assert found(after) == []
    assert after.pyproject.document.text == BROKEN.replace(
        "tersorflow = '^2.13'", "tensorflow = '~2.13'"
    ).replace('"^3.8"', '">=3.8,<3.12"').replace(
        'name = "study"\n', 'name = "study"\npackage-mode = false\n'
    )
    assert fix(after) == after


def test_a_project_in_order_is_not_touched():
    text = BROKEN.replace("tersorflow = '^2.13'", "tensorflow = '~2.13.1'").replace("^3.8", "~3.11")
    text = text.replace('name = "study"', "package-mode = false")
    project = in_memory(text)
    assert found(project) == []
    assert fix(project) is project


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_every_line_that_is_not_wrong_stays_as_it_is(newline: str):
    before = BROKEN.replace("\n", newline)
    after = fix(in_memory(before)).pyproject.document.text
    kept = [line for line in after.split(newline) if line in before.split(newline)]
    assert kept == [
        line for line in before.split(newline) if not line.startswith(("tersorflow", "python"))
    ]
    assert len(after.split(newline)) == len(before.split(newline)) + 1


def test_why_there_is_no_plan_is_handed_on():
    context = make_context(in_memory(f'[tool.poetry.dependencies]\ntensorflow = "{OLDER}"'))
    assert context.plan is None
    assert isinstance(context.plan_error, PlanError)
    context = make_context(in_memory(""))
    assert (context.plan, context.plan_error) == (None, None)


def test_two_rules_that_undo_each_other_come_to_an_end(monkeypatch: pytest.MonkeyPatch):
    from poetry_tf.files.edits import Edit

    def seesaw(context):
        document = context.project.pyproject.document
        path = context.project.pyproject.path
        value = not document.get(("tool", "up"))
        yield Finding(path, None, "", "", (Edit(path, "set", ("tool", "up"), value),))

    monkeypatch.setitem(RULES, "TF999", Rule("TF999", seesaw, "error", fixable=True))
    monkeypatch.setattr("poetry_tf.actions.fix.MAX_FIXES", 7)
    assert fix(in_memory("")).pyproject.data["tool"]["up"] is True


def test_a_project_is_judged_whatever_it_lacks():
    assert codes(in_memory("")) == []
    assert codes(in_memory("[tool.poetry-tf]")) == ["TF301", "TF302", "TF501"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), values, min_size=1, max_size=3))
def test_odd_values_are_judged_or_named_and_fixed_for_good(entries: dict[str, str]):
    text = "\n".join(f"{path} = {value}" for path, value in entries.items())
    try:
        project = in_memory(text)
        found(project)
    except ProjectError as error:
        assert error.position is not None
        return
    undeclared = [
        item for item in found(project) if is_fixable(project, item) and not fixable(item)
    ]
    assert undeclared == []
    after = fix(project)
    assert fix(after) == after
    assert [item for item in found(after) if is_fixable(after, item) and not item.locks] == []
    Pyproject(NOWHERE, TomlDocument.parse(after.pyproject.document.text))


def test_what_cannot_be_written_is_left_to_a_person_and_the_rest_is_fixed():
    images = load_images()
    text = f'{{"image": "{images.repository}:1-3.11", "hostRequirements": "big"}}'
    settings = f"[tool.poetry-tf]\n{PINNED}"
    project = in_memory(settings, container=text)
    (finding,) = found(project, "TF504")
    assert finding.edits and not is_fixable(project, finding)
    after = fix(project)
    assert [item.code for item in found(after) if is_fixable(after, item)] == ["TF302"]
    assert "TF504" in codes(after)
    document = after.document(after.devcontainer_path)
    assert document and document.get(("image",)) == images.image("3.11")


def test_what_only_a_lock_fixes_is_fixed_too_but_not_by_fix():
    project = in_memory(f"[tool.poetry-tf]\n{PINNED}")
    (finding,) = found(project, "TF302")
    assert finding.locks and is_fixable(project, finding)
    assert found(fix(project), "TF302")
    foreign = f'[build-system]\nbuild-backend = "hatchling.build"\n[tool.poetry-tf]\n{PINNED}'
    assert [item.locks for item in found(in_memory(foreign), "TF302")] == [False]


PINS = ("~=2.15.0", "~=2.15.7", ">=2.13", "==2.14.0", "", "==99.0", "~=2.13.1")
COMPANIONS = ("tensorflow-io==0.31.0", "tensorflow-io", "tensorflow-metal==1.2", "tensorbord")
SOURCES = (
    *("https://pypi.tuna.tsinghua.edu.cn/simple", "http://mirrors.aliyun.com/pypi/simple/"),
    *("https://pypi.doubanio.com/simple/", "https://index.example.com/simple"),
)
MIRRORS_SET = (
    *('"auto"', '"http://pypi.douban.com/simple"', '"http://mirrors.aliyun.com/pypi/simple"'),
    *('["http://pypi.mirrors.ustc.edu.cn/simple", "tuna"]', '"http://index.example.com/"', "3"),
)
LOCKED = ("2.15.1", "2.15.7", "2.13.1", "99.0.0")
CONTAINERS = (
    '{{"image": "{image}", "features": {{"{feature}:2": {{"version": "{poetry}"}}}}}}',
    '{{"onCreateCommand": "pipx install poetry=={poetry} && poetry install"}}',
    '{{"image": "python:3.8", "features": {{"{retired}:2": "{poetry}"}}}}',
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_what_is_called_fixable_is_fixed_for_good_whatever_stands_beside_it(data: st.DataObject):
    def one(values: tuple[str, ...], label: str) -> str:
        return data.draw(st.sampled_from(values), label=label)

    images = load_images()
    lines = [f"tensorflow{one(PINS, 'pin')}"]
    lines += data.draw(st.lists(st.sampled_from(COMPANIONS), max_size=2, unique=True))
    listed = ", ".join(f'"{line}"' for line in lines)
    text = f'[project]\nname = "x"\nrequires-python = ">=3.10"\ndependencies = [{listed}]\n'
    for number, url in enumerate(data.draw(st.lists(st.sampled_from(SOURCES), max_size=2))):
        priority = one(("primary", "supplemental", "explicit"), "priority")
        text += f'[[tool.poetry.source]]\nname = "s{number}"\nurl = "{url}"\n'
        text += f'priority = "{priority}"\n'
    text += one(("[tool.poetry-tf]\n", "[tool.poetry]\n", ""), "settings")
    lock = None
    if data.draw(st.booleans(), label="locked"):
        packages = [("tensorflow", one(LOCKED, "version"))]
        packages += [("tensorflow-io", "0.31.0"), ("keras", "3.3.3")][: len(lines) - 1]
        lock = lock_text(*packages, poetry="2.2.0", content_hash=content_hash(text))
        lock = lock.replace('"2.1"', one(('"2.1"', '"2.0"', '"1.1"', '"3.0"'), "form"))
    container = one(("", *CONTAINERS), "container").format(
        image=images.image("3.11"),
        feature=images.poetry_features[0],
        retired=images.retired_poetry_features[0],
        poetry=one(("1.1.15", "1.8.3", "2.2.0", "latest"), "poetry"),
    )
    mirror = one(("", *MIRRORS_SET), "mirror")
    project = in_memory(
        text,
        lock=lock,
        container=container or None,
        poetry_toml=f"[tf]\nmirror = {mirror}\n" if mirror else None,
    )
    promised = [item for item in found(project) if is_fixable(project, item)]
    assert all(fixable(item) for item in promised)
    after = fix(project)
    assert fix(after) == after
    left = found(after)
    assert [item for item in left if is_fixable(after, item) and not item.locks] == []
    if not promised:
        assert after is project
