"""Setting a project up: from what is there and what was asked for to what should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from poetry.core.constraints.version import parse_constraint

from poetry_tf.actions.init import (
    is_new,
    open_project,
    project_name,
    with_corrected_names,
    with_options_fixed,
)
from poetry_tf.actions.options import InitOptions, parse_gpu, plan_options
from poetry_tf.checks.findings import find_problems, make_context
from poetry_tf.files.edits import changed_texts
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.pyproject.pins import series_specifier
from poetry_tf.releases import role
from tests.actions.projects import AWS, LEGACY, prepared, settled
from tests.made import SERIES, found, in_memory, lock_text, on_disk

# -- opening --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("study", "study"),
        ("My Study (2)", "my-study-2"),
        ("a.b_c", "a-b-c"),
        ("--x--", "x"),
        ("深度学习", "tensorflow-project"),
        ("学习-tf", "tf"),
        ("...", "tensorflow-project"),
    ],
)
def test_a_project_is_named_after_its_folder(tmp_path: Path, folder: str, name: str):
    (tmp_path / folder).mkdir()
    assert project_name(tmp_path / folder) == name


def test_an_empty_folder_is_a_new_project(tmp_path: Path):
    assert is_new(tmp_path)
    project = open_project(tmp_path)
    assert project.pyproject.name == project_name(tmp_path)
    assert not project.pyproject.package_mode
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_a_new_projects_folder_is_read(tmp_path: Path):
    (tmp_path / "poetry.toml").write_text('[tf]\nmirror = "off"\n')
    (tmp_path / ".devcontainer.json").write_text('{"name": "mine"}')
    project = open_project(tmp_path)
    assert project.devcontainer is not None
    assert project.poetry_toml is not None


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({"pyproject.toml": "a ="}, ProjectError, "nvalid value"),
        ({"pyproject.toml": "[tool.uv]"}, PlanError, "this project uses uv, not Poetry"),
        (
            {"pyproject.toml": '[build-system]\nbuild-backend = "hatchling.build"'},
            PlanError,
            "the build backend hatchling.build",
        ),
        ({"pyproject.toml": "[project]", ".devcontainer.json": "["}, ProjectError, "never closed"),
        ({"pyproject.toml": "[project]", "poetry.toml": "a ="}, ProjectError, "nvalid value"),
    ],
)
def test_what_cannot_be_set_up_is_refused_with_the_reason(
    tmp_path: Path, files: dict[str, str], error: type[Exception], says: str
):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=says):
        open_project(tmp_path)


# -- preparing ------------------------------------------------------------------------------


def test_a_platforms_line_goes_with_the_series_that_needed_it(tmp_path: Path):
    project = prepared(open_project(tmp_path), InitOptions(tensorflow="2.12"), new=True)
    assert any(item.name == "tensorflow-cpu-aws" for item in project.pyproject.requirements)
    moved = prepared(project, InitOptions(tensorflow="2.9", python="3.10"))
    assert not any(item.name == "tensorflow-cpu-aws" for item in moved.pyproject.requirements)


MODES = ("auto", "system", "pip", "none")


@pytest.mark.parametrize("gpu", MODES)
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.sample(every=6)
def test_a_new_project_is_clean_but_for_lock_and_container(tmp_path: Path, series: str, gpu: str):
    options = InitOptions(tensorflow=series, gpu=parse_gpu(gpu))
    project = open_project(tmp_path)
    try:
        plan = plan_options(project, options)
    except PlanError:
        pytest.skip("no such plan")
    after = with_options_fixed(project, options, plan, new=True)
    context = make_context(after)
    assert context.plan_error is None
    assert [item.code for item in find_problems(context)] == ["TF302", "TF501"]
    assert context.plan is not None
    assert (context.plan.release, context.plan.gpu.mode) == (plan.release, plan.gpu.mode)
    data = after.pyproject.data
    minor = int(plan.python.split(".")[1])
    assert data["project"]["requires-python"] == f">={plan.python},<3.{minor + 1}"
    assert data["tool"] == {"poetry": {"package-mode": False}, "poetry-tf": {"gpu": gpu}}
    assert all(
        series_specifier(plan.release) in text
        for text in data["project"]["dependencies"]
        if text.startswith("tensorflow")
    )
    assert after.poetry_toml is not None
    assert after.poetry_toml.data == {"tf": {"mirror": "auto"}}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("pin", "release", "after"),
    [
        ("==2.16.0", "2.16.2", ">=2.16.2,<2.17.0"),
        ("~=2.15.7", "2.15.1", ">=2.15.1,<2.16.0"),
        (">=2.15.7,<2.16", "2.15.1", ">=2.15.1,<2.16.0"),
        ("==2.16.1", "2.16.1", "==2.16.1"),
        (">=2.16,<2.16.2", "2.16.1", ">=2.16,<2.16.2"),
        ("==2.21.9", "2.21.9", "==2.21.9"),  # may be released since
    ],
)
def test_a_pin_in_the_series_stays_if_it_admits_a_release(pin: str, release: str, after: str):
    project = in_memory(
        '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
        f'dependencies = ["tensorflow {pin}"]\n[tool.poetry]\npackage-mode = false\n'
    )
    options = InitOptions(tensorflow=pin.lstrip("=~>")[:4], gpu="none")
    plan = plan_options(project, options)
    assert str(plan.release.version) == release
    moved = with_options_fixed(project, options, plan, new=False)
    (item,) = (one for one in tensorflow_requirements(moved) if role(one.name) == "main")
    assert item.written == after
    # The index decides, where it is not PyPI.
    source = '[[tool.poetry.source]]\nname = "own"\nurl = "https://tf.example.com/simple"\n'
    own = in_memory(project.pyproject.document.text + source)
    moved = with_options_fixed(own, options, plan_options(own, options), new=False)
    assert {one.written for one in tensorflow_requirements(moved) if role(one.name) == "main"} == {
        pin
    }


@pytest.mark.parametrize("text", [LEGACY, LEGACY.replace("\n", "\r\n")])
def test_a_project_in_order_is_not_touched(tmp_path: Path, text: str):
    project = on_disk(tmp_path, {"pyproject.toml": text, "poetry.toml": "tf.mirror = 'off'\n"})
    assert changed_texts(prepared(project, InitOptions())) == {}


@pytest.mark.parametrize(
    ("options", "gone", "come"),
    [
        (InitOptions(gpu="none"), 'gpu = "auto"', 'gpu = "none"'),
        (InitOptions(tensorflow="2.15"), '"~2.13.1"', '"~2.15.1"'),
        (InitOptions(tensorflow="2.13.0"), '"~2.13.1"', '"~2.13.0"'),
        (InitOptions(tensorflow="2.13"), "", ""),
        (InitOptions(python="3.11"), "", ""),
        (InitOptions(tensorflow="2.18", python="3.12"), "'>=3.10,<3.12'", "'>=3.12,<3.13'"),
    ],
)
def test_only_what_was_asked_for_changes(options: InitOptions, gone: str, come: str):
    after = prepared(in_memory(LEGACY, poetry_toml="tf.mirror = 'off'"), options)
    text = LEGACY.replace(gone, come) if gone else LEGACY
    if options.tensorflow == "2.18":
        text = text.replace(AWS, "").replace('"~2.13.1"', '"~2.18.1"')
    assert after.pyproject.document.text == text
    assert after.poetry_toml is not None
    assert after.poetry_toml.text == "tf.mirror = 'off'"
    again = prepared(after, options)
    assert again.pyproject.document.text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[tool.black]\nline-length = 100\n",
        '[project]\nname = "x"\n',
        '[project]\nname = "x"\ndependencies = ["numpy", "tensorflow>=2.13"]\n',
        '[project.optional-dependencies]\ngpu = ["tensorflow[and-cuda]"]\n',
        '[dependency-groups]\nml = ["tensorflow==2.15.*"]\n',
        '[tool.poetry.dependencies]\npython = "^3.9"\ntensorflow = "*"\n',
        '[tool.poetry.dependencies]\npython = "^3.9"\ntensorflow-gpu = "^2.13"\n',
        '[tool.poetry.group.ml.dependencies]\ntensorflow-macos = "^2.13"\n',
    ],
)
@pytest.mark.parametrize("gpu", [None, *MODES])
@pytest.mark.sample(every=6)
def test_a_project_that_was_set_up_has_nothing_left_to_fix(text: str, gpu: str | None):
    options = InitOptions(gpu=None if gpu is None else parse_gpu(gpu))
    project = in_memory(text)
    try:
        after = prepared(project, options)
    except PlanError as error:
        assert gpu == "pip"  # what is written for an older release can't have the wheels
        assert "and-cuda" in error.message
        return
    # The container is written once the lock is there.
    left = [item for item in found(after) if item.edits and item.code != "TF501"]
    assert left == []
    assert tensorflow_requirements(after)
    again = prepared(after, options)
    assert again.pyproject.document.text == after.pyproject.document.text
    assert again.poetry_toml == after.poetry_toml


# -- without a GPU --------------------------------------------------------------------------


def required(project: Project) -> list[str]:
    return [item.name for item in tensorflow_requirements(project)]


@pytest.mark.parametrize(
    ("environments", "name"),
    [
        (None, "tensorflow"),
        (("linux-x86_64",), "tensorflow-cpu"),
        (("windows-amd64", "linux-x86_64"), "tensorflow-cpu"),
        (("linux-x86_64", "linux-aarch64"), "tensorflow"),
        (("macos-arm64",), "tensorflow"),
    ],
)
@pytest.mark.parametrize("text", ["", '[tool.poetry.dependencies]\npython = "~3.11"\n'])
@pytest.mark.sample(every=4)
def test_without_a_gpu_tensorflow_cpu_is_taken_where_every_environment_has_it(
    environments: tuple[str, ...] | None, name: str, text: str
):
    options = InitOptions(tensorflow="2.18", gpu="none", environments=environments)
    after = prepared(in_memory(text), options)
    assert required(after) == [name]
    assert [item for item in found(after) if item.edits and item.code != "TF501"] == []
    assert prepared(after, options).pyproject.document.text == after.pyproject.document.text
    assert prepared(after, InitOptions()).pyproject.document.text == after.pyproject.document.text


CPU = """\
[tool.poetry]
package-mode = false

[tool.poetry.dependencies]
python = "~3.11"
tensorflow = { version = "~2.18.1", optional = true }  # it
setuptools = { version = "<82", optional = true }
%s
[tool.poetry.extras]
ml = ["tensorflow", "setuptools"]

[tool.poetry-tf]
gpu = "%s"
environments = ["linux-x86_64"]
"""


def test_an_existing_project_changes_its_distribution_when_it_is_asked_to_and_back():
    before = in_memory(CPU % ("", "none"))
    assert required(prepared(before, InitOptions())) == ["tensorflow"]
    without = prepared(before, InitOptions(gpu="none"))
    assert without.pyproject.document.text == (CPU % ("", "none")).replace(
        "tensorflow =", "tensorflow-cpu ="
    ).replace('"tensorflow"', '"tensorflow-cpu"')
    # Said once more, or nothing said, it stays.
    for options in (InitOptions(gpu="none"), InitOptions(), InitOptions(tensorflow="2.18")):
        assert prepared(without, options).pyproject == without.pyproject
    assert required(prepared(without, InitOptions(tensorflow="2.20"))) == ["tensorflow-cpu"]
    for gpu in ("auto", "system"):
        back = prepared(without, InitOptions(gpu=parse_gpu(gpu)))
        assert back.pyproject.document.text == CPU % ("", gpu)
    wheels = prepared(without, InitOptions(gpu="pip"))
    assert [sorted(item.extras) for item in tensorflow_requirements(wheels)] == [["and-cuda"], []]
    elsewhere = InitOptions(environments=("linux-x86_64", "linux-aarch64"))
    assert required(prepared(without, elsewhere)) == ["tensorflow"]


def optional_groups(first: str, second: str) -> str:
    lines = "".join(
        f"[tool.poetry.group.{name}]\noptional = true\n"
        f"[tool.poetry.group.{name}.dependencies]\n{line}\n"
        for name, line in (("one", first), ("two", second))
    )
    head = '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "~3.11"\n'
    return f"{head}{lines}"


def extras(first: str, second: str) -> str:
    return (
        '[project]\nname = "study"\nversion = "1"\nrequires-python = ">=3.11,<3.12"\n'
        "[project.optional-dependencies]\n"
        f"one = ['{first}']\ntwo = ['{second}']\n[tool.poetry]\npackage-mode = false\n"
    )


APART = [
    optional_groups(
        'tensorflow-cpu = "~2.18.0"',
        'tensorflow = { version = "~2.18.0", extras = ["and-cuda"] }',
    ),
    optional_groups('tensorflow-cpu = { version = "~2.18.0" }', 'tensorflow = "~2.18.0"'),
    extras("tensorflow-cpu>=2.18.0,<2.19", "tensorflow[and-cuda]>=2.18.0,<2.19"),
]


@pytest.mark.sample
@pytest.mark.parametrize("text", APART)
def test_another_optional_group_or_extra_keeps_its_distribution(text: str):
    before = in_memory(text)
    for options in (InitOptions(), InitOptions(tensorflow="2.18"), InitOptions(tensorflow="2.20")):
        assert required(prepared(before, options)) == ["tensorflow-cpu", "tensorflow"]


@pytest.mark.parametrize(
    "lines",
    [
        "tensorflow-cpu = { version = '~2.18.0', platform = 'linux' }\n"
        "tensorflow = { version = '~2.18.0', platform = 'darwin' }\n",
        "tensorflow-cpu = { version = '~2.18.0', markers = 'sys_platform == \"linux\"' }\n"
        "[tool.poetry.group.dev.dependencies]\n"
        "tensorflow = { version = '~2.18.0', markers = 'sys_platform == \"darwin\"' }\n",
    ],
)
def test_the_line_of_another_platform_keeps_its_distribution(lines: str):
    head = '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = "~3.11"\n'
    before = in_memory(head + lines)
    for options in (InitOptions(), InitOptions(tensorflow="2.20"), InitOptions(gpu="none")):
        assert required(prepared(before, options)) == ["tensorflow-cpu", "tensorflow"]


def test_tensorflow_cpu_is_not_taken_where_a_line_for_another_platform_needs_tensorflow():
    text = (CPU % ("", "auto")).replace(
        'tensorflow = { version = "~2.18.1", optional = true }  # it',
        "tensorflow = [\n    { version = '~2.18.1', platform = 'linux', optional = true },\n"
        "    { version = '~2.18.1', platform = 'darwin', optional = true },\n]",
    )
    after = prepared(in_memory(text), InitOptions(gpu="none"))
    assert required(after) == ["tensorflow", "tensorflow"]


@pytest.mark.parametrize(
    "beside", ['tensorflow-text = "*"', 'tf-keras = "*"', 'tensorflow-hub = "*"']
)
def test_what_requires_tensorflow_itself_keeps_it(beside: str):
    after = prepared(in_memory(CPU % (f"{beside}\n", "auto")), InitOptions(gpu="none"))
    assert required(after) == ["tensorflow"]


def test_what_is_locked_because_of_tensorflow_keeps_it(tmp_path: Path):
    lock = lock_text(("tensorflow", "2.18.1"), ("our-models", "1.0"))
    lock = lock.replace("[metadata]", '[package.dependencies]\ntensorflow = ">=2"\n\n[metadata]')
    files = {"pyproject.toml": CPU % ("", "auto"), "poetry.lock": lock}
    assert required(prepared(on_disk(tmp_path, files), InitOptions(gpu="none"))) == ["tensorflow"]


def test_tensorflow_cpu_that_a_user_has_named_is_planned_as_what_it_is():
    text = (CPU % ("", "auto")).replace("tensorflow =", "tensorflow-cpu =")
    text = text.replace('"tensorflow"', '"tensorflow-cpu"')
    plan = plan_options(in_memory(text), InitOptions())
    assert (plan.release.distribution, plan.gpu.mode) == ("tensorflow-cpu", "none")
    assert prepared(in_memory(text), InitOptions()).pyproject.document.text == text
    for gpu in ("system", "pip"):
        (finding, *_) = found(in_memory(text.replace('gpu = "auto"', f'gpu = "{gpu}"')))
        assert finding.code == "TF001"
        assert "tensorflow-cpu is built without CUDA" in finding.message
        assert f"poetry tf init --gpu {gpu}" in finding.remedy
    everywhere = text.replace('["linux-x86_64"]', '["linux-x86_64", "macos-arm64"]')
    with pytest.raises(PlanError, match="can't be installed on macos-arm64"):
        plan_options(in_memory(everywhere), InitOptions())


@pytest.mark.parametrize("mode", ["", "package-mode = true\n"])
def test_a_project_that_ships_a_package_goes_on_doing_so(mode: str):
    text = LEGACY.replace(
        "package-mode = false   # nothing to publish\n", f"include = ['a']\n{mode}"
    )
    after = prepared(in_memory(text), InitOptions())
    assert after.pyproject.document.text == text


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\npython = "^3.10"\ntersorflow = "~2.13.0"\n',
        '[project]\nrequires-python = ">=3.10"\ndependencies = ["tersorflow~=2.13.0"]\n',
    ],
)
def test_a_misspelt_tensorflow_is_the_one_that_is_meant(text: str):
    after = prepared(with_corrected_names(in_memory(text)), InitOptions())
    item, aws = tensorflow_requirements(after)
    assert parse_constraint("~2.13.0").allows_all(item.constraint)
    assert (aws.name, aws.constraint) == ("tensorflow-cpu-aws", item.constraint)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("tensorflow", "tensorflow-project"),
        ("Keras", "keras-project"),
        ("numpy", "numpy-project"),
        ("my study", "my-study"),
        ("研究", "tensorflow-project"),
    ],
)
def test_a_project_is_not_called_like_what_it_needs(tmp_path: Path, folder: str, name: str):
    """It would be required by itself, which no solver likes."""
    assert project_name(tmp_path / folder) == name


def test_lines_for_several_platforms_are_about_one_tensorflow():
    text = (
        "[project]\nrequires-python = '>=3.10,<3.12'\ndependencies = [\n"
        "    'tensorflow>=2.12,<2.16 ; sys_platform != \"darwin\"',\n"
        "    'tensorflow-macos==2.15 ; sys_platform == \"darwin\"',\n]\n"
    )
    assert settled(text).release.series == "2.15"


@pytest.mark.parametrize("text", ["", "[tool.ruff]\nline-length = 99\n"])
def test_a_file_without_a_project_gets_one(text: str):
    after = prepared(in_memory(text), InitOptions())
    assert after.pyproject.document.text.startswith(text)
    assert "tensorflow (>=" in after.pyproject.data["project"]["dependencies"][0]
    assert {"name", "version", "requires-python"} < set(after.pyproject.data["project"])
