"""Files as they should not be: of surprising types and sizes, links, folders, unreadable ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from cleo.testers.command_tester import CommandTester

from poetry_tf.commands.check import CheckCommand
from poetry_tf.releases.images import load_images
from tests.files.test_reading import KINDS, make
from tests.made import content_hash
from tests.robustness.mutations import mutated
from tests.robustness.seeds import CONTAINER, LEGACY, SEEDS, SETTINGS, STANDARD, lock
from tests.robustness.test_mutations import contents

NAMES = ("pyproject.toml", "poetry.lock", "poetry.toml", ".devcontainer/devcontainer.json")
GOOD = SEEDS[0]


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def check(root: Path, options: str = "") -> tuple[int, str]:
    """The exit status and all that is said; what is on the disk stays as it is."""
    before = contents(root)
    tester = CommandTester(CheckCommand())
    old = Path.cwd()
    os.chdir(root)
    try:
        status = tester.execute(options)
    finally:
        os.chdir(old)
    assert contents(root) == before
    return status, tester.io.fetch_output() + tester.io.fetch_error()


# -- types ----------------------------------------------------------------------------------

ODD = ("3", "1.5", "true", "1979-05-27", '""', '"x"', "[]", "[3]", "[[]]", "{}", "{ a = 1 }")
# Every place that a rule reads, with what has to stand around it.
PLACES = {
    "project": "project = {}",
    "project.name": "project.name = {}\n[tool.poetry-tf]",
    "requires-python": "project.requires-python = {}",
    "dynamic": "project.dynamic = {}\nproject.dependencies = ['tensorflow']",
    "dependencies": "project.dependencies = {}",
    "requirement": "project.dependencies = [{}, 'tensorflow==2.15.1']",
    "extras": "project.optional-dependencies = {}",
    "extra": "project.optional-dependencies.x = {}",
    "scripts": "project.scripts = {}\nproject.dependencies = ['tensorflow']",
    "dependency-groups": "dependency-groups = {}",
    "group": "dependency-groups.x = {}",
    "tool": "tool = {}",
    "poetry": "tool.poetry = {}",
    "poetry name": "tool.poetry.name = {}\n[tool.poetry-tf]",
    "package-mode": "tool.poetry.package-mode = {}\n[tool.poetry-tf]",
    "legacy dependencies": "tool.poetry.dependencies = {}",
    "legacy python": "tool.poetry.dependencies.python = {}",
    "legacy requirement": "tool.poetry.dependencies.tensorflow = {}",
    "legacy array": "tool.poetry.dependencies.tensorflow = [{}]",
    **{
        f"legacy {key}": f"tool.poetry.dependencies.tensorflow = {{{{ {key} = {{}} }}}}"
        for key in ("version", "extras", "markers", "python", "platform", "optional", "source")
    },
    "legacy groups": "tool.poetry.group = {}",
    "legacy group": "tool.poetry.group.x = {}",
    "legacy extras": "tool.poetry.extras = {}\n[tool.poetry.dependencies]\ntensorflow = '*'",
    "legacy extra": "tool.poetry.extras.x = {}\n[tool.poetry.dependencies]\ntensorflow = '*'",
    "sources": "tool.poetry.source = {}\n[project]\ndependencies = ['tensorflow']",
    "source url": "tool.poetry.source = [{{ name = 'x', url = {} }}]\n"
    "[project]\ndependencies = ['tensorflow']",
    "source priority": "tool.poetry.source = [{{ url = 'https://mirrors.163.com/pypi/simple', "
    "priority = {} }}]\n[project]\ndependencies = ['tensorflow']",
    "settings": "tool.poetry-tf = {}",
    **{
        f"settings {key}": f"tool.poetry-tf.{key} = {{}}"
        for key in ("gpu", "environments", "pin", "devcontainer", "keras", "ignore", "other")
    },
    "build-system": "build-system = {}\n[tool.poetry-tf]",
    "build-backend": "build-system.build-backend = {}\n[project]\ndependencies = ['tensorflow']",
}


@pytest.mark.slow
@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_a_value_of_any_type_in_pyproject_is_judged_or_named(tmp_path: Path, text: str):
    write(tmp_path, {name: GOOD[name] for name in NAMES[1:]})
    for odd in ODD:
        write(tmp_path, {"pyproject.toml": text.format(odd)})
        status, output = check(tmp_path)
        assert status in {0, 1, 2} and output, odd


LOCK_PLACES = {
    "package": "package = {}\n[metadata]",
    "name": "[[package]]\nname = {}\nversion = '1'\n[metadata]",
    "version": "[[package]]\nname = 'tensorflow'\nversion = {}\n[metadata]",
    **{
        f"package {key}": f"[[package]]\nname = 'tensorflow'\nversion = '2.15.1'\n{key} = {{}}\n"
        "[metadata]\nlock-version = '2.1'"
        for key in (
            *("optional", "python-versions", "groups", "markers", "files", "dependencies"),
            *("dependencies.keras", "extras", "extras.and-cuda", "source", "source.url", "develop"),
        )
    },
    "file": "[[package]]\nname = 'tensorflow'\nversion = '2.15.1'\nfiles = [{}]\n[metadata]",
    "file name": "[[package]]\nname = 'tensorflow'\nversion = '2.15.1'\n"
    "files = [{{ file = {} }}]\n[metadata]",
    "extras": "extras = {}\n[metadata]",
    "metadata": "metadata = {}",
    **{
        f"metadata {key}": f"[[package]]\nname = 'tensorflow'\nversion = '2.15.1'\n"
        f"[metadata]\n{key} = {{}}"
        for key in ("lock-version", "content-hash", "python-versions", "files", "files.tensorflow")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LOCK_PLACES.values(), ids=LOCK_PLACES)
def test_a_value_of_any_type_in_the_lock_is_judged_or_named(tmp_path: Path, text: str):
    write(tmp_path, GOOD)
    for odd in ODD:
        write(tmp_path, {"poetry.lock": text.format(odd)})
        status, output = check(tmp_path)
        assert status == 1 and "TF" in output, odd


ODD_JSON = ("3", "1.5", "true", "null", '""', '"x"', "[]", "[3]", "[[]]", "{}", '{"a": 1}')
CONTAINER_PLACES = {
    "all": "{}",
    **{
        key: f'{{{{"{key}": {{}}}}}}'
        for key in (
            *("name", "image", "build", "dockerFile", "dockerComposeFile", "features", "runArgs"),
            *("hostRequirements", "onCreateCommand", "postCreateCommand", "mounts"),
            *("containerEnv", "customizations"),
        )
    },
    "feature": f'{{{{"features": {{{{"{load_images().cuda.reference}": {{}}}}}}}}}}',
    "version": f'{{{{"features": {{{{"{load_images().poetry_features[0]}:2": '
    '{{"version": {}}}}}}}',
    "gpu": '{{"hostRequirements": {{"gpu": {}}}}}',
    "task": '{{"postCreateCommand": {{"a": {}}}}}',
    "extensions": '{{"customizations": {{"vscode": {{"extensions": {}}}}}}}',
}


@pytest.mark.slow
@pytest.mark.parametrize("text", CONTAINER_PLACES.values(), ids=CONTAINER_PLACES)
def test_a_value_of_any_type_in_devcontainer_json_is_judged_or_named(tmp_path: Path, text: str):
    write(tmp_path, GOOD)
    for odd in ODD_JSON:
        write(tmp_path, {NAMES[3]: text.format(odd)})
        for options in ("", "--diff") if odd in {"3", "{}"} else ("",):
            status, output = check(tmp_path, options)
            assert status == 1 and "TF" in output, odd


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("text", ["tf = {}", "tf.mirror = {}", "tf.mirror = [{}]"])
@pytest.mark.sample(every=4)
def test_a_value_of_any_type_in_poetry_toml_is_passed_over(tmp_path: Path, text: str, odd: str):
    write(tmp_path, {**GOOD, "poetry.toml": text.format(odd)})
    assert check(tmp_path)[0] == 1


# -- size and depth -------------------------------------------------------------------------


@pytest.mark.slow
def test_an_enormous_lock_is_judged(tmp_path: Path):
    """Ten megabytes: some ten thousand packages, as no project has them."""
    block = '[[package]]\nname = "p{}"\nversion = "1.0"\noptional = false\nfiles = [\n'
    block += '    {{file = "p-1.0-py3-none-any.whl", hash = "sha256:' + "0" * 64 + '"}},\n' * 1
    block += "]\n\n[package.dependencies]\n" + 'other = ">=1"\n\n'
    one, _, metadata = lock(STANDARD).rpartition("[extras]")
    many = "".join(map(block.format, range(10_000_000 // len(block))))
    write(tmp_path, {**GOOD, "poetry.lock": f"{one}{many}[extras]{metadata}"})
    assert (tmp_path / "poetry.lock").stat().st_size > 9_500_000
    status, output = check(tmp_path, "--ignore TF304")
    assert status == 1 and "TF401" in output


def test_a_file_of_one_enormous_line_is_judged(tmp_path: Path):
    write(tmp_path, {**GOOD, NAMES[3]: '{"name": "' + "x" * 250_000 + '"}'})
    status, output = check(tmp_path)
    assert status == 1 and "TF501" not in output
    write(tmp_path, {**GOOD, NAMES[0]: STANDARD + "# " + "[" * 1_000_000})
    assert check(tmp_path)[0] == 1


@pytest.mark.parametrize("depth", [50, 101, 3_000, 100_000])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.sample(every=3)
def test_deep_nesting_is_judged_or_named(tmp_path: Path, name: str, depth: int):
    if name.endswith(".json"):
        texts = ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth]
    else:
        deep = f"{'[' * depth}{']' * depth}"
        texts = [
            f"{GOOD[name]}\n[deep]\na = {deep}\n",
            f"{GOOD[name]}\n[{'.'.join('a' * min(depth, 3000))}]\n",
            f"{GOOD[name]}\n[deep]\na = {'{ a = ' * depth}1{' }' * depth}\n",
            f"a = {'[' * depth}",
        ]
    for text in texts:
        write(tmp_path, {**GOOD, name: text})
        status, output = check(tmp_path)
        assert status in {1, 2} and output


# -- what a path leads to -------------------------------------------------------------------


@pytest.mark.sample
@pytest.mark.parametrize("name", NAMES)
def test_a_file_outside_the_project_is_read_through_a_link(tmp_path: Path, name: str):
    root, outside = tmp_path / "project", tmp_path / "outside"
    write(root, GOOD)
    expected = check(root)
    outside.mkdir()
    (root / name).rename(outside / "file")
    (root / name).symlink_to(outside / "file")
    assert check(root) == expected
    assert contents(outside) == {"file": GOOD[name].encode()}


@pytest.mark.parametrize("options", ["", "--diff", "--format json"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["loop", "dangling", "unreadable", *KINDS])
@pytest.mark.sample(every=3)
def test_what_is_no_readable_file_is_named(tmp_path: Path, name: str, kind: str, options: str):
    write(tmp_path, GOOD)
    path = tmp_path / name
    if kind == "unreadable":
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
    else:
        path.unlink()
    if kind in KINDS:
        make(path, kind)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    try:
        status, output = check(tmp_path, options)
    finally:
        if kind == "unreadable":
            path.chmod(0o600)
    if kind == "dangling" and name != NAMES[0]:
        assert status == 1  # as if it were not there
    else:
        assert status == (2 if name in {NAMES[0], NAMES[2]} else 1)
        assert path.name in output


def test_a_folder_of_devcontainers_that_loops_is_named(tmp_path: Path):
    write(tmp_path, {name: GOOD[name] for name in NAMES[:3]})
    (tmp_path / ".devcontainer").symlink_to(".devcontainer")
    status, output = check(tmp_path)
    assert status == 1 and "TF501" in output


# -- locks of every time --------------------------------------------------------------------

FILES_ASIDE = """\
[[package]]
name = "tensorflow"
version = "2.13.1"
description = ""
category = "main"
optional = false
python-versions = ">=3.8"

[metadata]
lock-version = "{form}"
python-versions = "~3.11"
content-hash = "{hash}"

[metadata.files]
tensorflow = [
    {{file = "tensorflow-2.13.1-{tag}.whl", hash = "sha256:00"}},
]
"""
PINNED = """\
[tool.poetry]
package-mode = false

[tool.poetry.dependencies]
python = "~3.11"
tensorflow = "~2.13.1"
"""
LINUX = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"


@pytest.mark.parametrize("form", ["1.0", "1.1", "2.0", "2.1", "2.9", "3.0"])
def test_a_lock_of_every_form_is_read(tmp_path: Path, form: str):
    text = FILES_ASIDE.format(form=form, hash=content_hash(PINNED), tag=LINUX)
    if form >= "2":
        # Since 2.0 each package has its own files.
        head, _, files = text.partition("\n[metadata.files]\n")
        files = files.replace("tensorflow = ", "files = ", 1)
        text = head.replace('>=3.8"\n', f'>=3.8"\n{files}') + "\n"
    write(tmp_path, {"pyproject.toml": PINNED, "poetry.lock": text})
    status, output = check(tmp_path)
    assert (status, "TF306" in output) == ((1, True) if form == "3.0" else (0, False)), output
    # Its files are looked at, wherever they stand.
    write(tmp_path, {"poetry.lock": text.replace(LINUX, "cp311-cp311-win_amd64")})
    assert "TF304" in check(tmp_path)[1]


def test_a_mutation_is_the_same_every_time():
    assert mutated(17) == mutated(17)
    assert len({tuple(mutated(number).items()) for number in range(50)}) > 45


def test_what_is_mutated_is_sound_before(tmp_path: Path):
    assert {*GOOD} == {*NAMES}
    for number, files in enumerate(SEEDS):
        write(tmp_path / str(number), files)
        status, output = check(tmp_path / str(number))
        assert status == 1 and "TF402" in output
    assert all(text in SEEDS[0].values() for text in (STANDARD, CONTAINER, SETTINGS))
    assert SEEDS[1]["pyproject.toml"] == LEGACY
