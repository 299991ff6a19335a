"""`poetry tf devcontainer`: a file that works, made or mended, with all that is the user's kept."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.integration.conftest import SetUp
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, write_pyproject
from tests.support.projects import changed_lines, contents, patched, read_jsonc

NAME = ".devcontainer/devcontainer.json"
CUDA = "ghcr.io/devcontainers/features/nvidia-cuda:3"

# The seed's file, as it was published in 2024.
SEED = """\
{
    "name": "Python 3",
    "image": "mcr.microsoft.com/devcontainers/python:1-3.8-bookworm",
    "runArgs": [
        "--runtime=nvidia",
        "--gpus=all"
    ],
    "features": {
        "ghcr.io/devcontainers/features/git-lfs:1": {
            "autoPull": true,
            "version": "latest"
        },
        "ghcr.io/devcontainers/features/nvidia-cuda:1": {
            "installCudnn": true,
            "installToolkit": true,
            "cudaVersion": "11.8",
            "cudnnVersion": "8.6.0.163"
        },
        "ghcr.io/devcontainers-contrib/features/poetry:2": {
            "version": "latest"
        },
        "ghcr.io/nikobockerman/devcontainer-features/poetry-persistent-cache:1": {}
    }
}
"""


def _project(poetry: PoetryRunner, pin: str, python: str, *, managed: bool = True) -> None:
    settings = '\n[tool.poetry-tf]\ngpu = "auto"\nenvironments = ["linux-x86_64"]\n'
    more = settings if managed else ""
    write_pyproject(poetry.project, [pin], requires_python=python, more=more)


def _container(project: Path) -> dict[str, Any]:
    found = read_jsonc(project / NAME)
    assert isinstance(found, dict)
    return found


def _write(project: Path, text: str, name: str = NAME) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_bytes(text.encode())


def test_it_is_written_from_the_pin_where_nothing_is_locked(
    poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    _project(poetry, "tensorflow (>=2.13.1,<2.14.0)", ">=3.10,<3.12")
    done = poetry.call("tf", "devcontainer")
    assert done.ok, done.output
    reported, without_plugin = done.stdout.splitlines()
    assert reported == (
        f"Wrote {NAME}: TensorFlow 2.13.1 on Python 3.11; the container brings CUDA 11.8 and "
        "cuDNN 8.6.0.163 (proven for this TensorFlow)"
    )
    assert without_plugin.startswith("The container has no poetry-tf")
    assert done.stderr == ""
    assert index.requests == []
    made = _container(project)
    assert made["image"] == load_images().image("3.11")
    options = made["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == ("11.8", "8.6.0.163")
    assert options["installCudnn"] is options["installToolkit"] is True
    assert made["hostRequirements"] == {"gpu": "optional"}
    assert "poetry install" in made["postCreateCommand"]
    cache, environment = made["mounts"]
    assert cache["type"] == environment["type"] == "volume"
    assert made["containerEnv"]["POETRY_CACHE_DIR"] == cache["target"]
    settings = made["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == f"{environment['target']}/bin/python"


def test_what_is_locked_goes_before_the_pin(warm_poetry: PoetryRunner, project: Path) -> None:
    _project(warm_poetry, "tensorflow (==2.15.0)", ">=3.10,<3.12")
    assert warm_poetry.call("lock").ok
    _project(warm_poetry, "tensorflow (>=2.13,<2.19)", ">=3.10,<3.12")
    assert warm_poetry.call("tf", "devcontainer").ok
    release = load().get("2.15.0")
    pair = load().container_pair(release) if release else None
    assert pair is not None
    options = _container(project)["features"][CUDA]
    assert (options["cudaVersion"], options["cudnnVersion"]) == (pair.cuda, pair.cudnn)


def test_poetry_is_the_one_that_wrote_the_lock(right: PoetryRunner, project: Path) -> None:
    lock = project / "poetry.lock"
    first, rest = lock.read_text("utf-8").split("\n", 1)
    written_by = first.partition(" by Poetry ")[2].split()[0]
    lock.write_text(first.replace(written_by, "2.1.3") + "\n" + rest, "utf-8")
    assert "TF506" in right.call("tf", "check").stderr
    assert right.call("tf", "devcontainer").ok
    assert _container(project)["onCreateCommand"].endswith("pipx install poetry==2.1.3")
    assert right.call("tf", "check").ok


def test_a_second_run_changes_nothing(warm_poetry: PoetryRunner, project: Path) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.10,<3.12")
    assert warm_poetry.call("tf", "devcontainer").ok
    before = contents(project)
    again = warm_poetry.call("tf", "devcontainer")
    assert again.stdout.startswith(f"{NAME} is up to date: TensorFlow 2.18.1 on Python")
    assert contents(project) == before


def test_a_dry_run_shows_what_a_run_writes(warm_poetry: PoetryRunner, project: Path) -> None:
    _project(warm_poetry, "tensorflow (>=2.13.1,<2.14.0)", ">=3.10,<3.12")
    _write(project, SEED)
    before = contents(project)
    dry = warm_poetry.call("tf", "devcontainer", "--dry-run")
    assert dry.ok and dry.stderr == "Nothing was written (--dry-run).\n"
    assert contents(project) == before
    assert warm_poetry.call("tf", "devcontainer").ok
    assert patched(before, dry.stdout) == contents(project) != before


def test_the_seeds_file_becomes_one_that_works(warm_poetry: PoetryRunner, project: Path) -> None:
    _project(warm_poetry, "tensorflow (>=2.13.1,<2.14.0)", ">=3.10,<3.12")
    assert warm_poetry.call("tf", "check", "--fix", "--select", "TF3").ok
    _write(project, SEED)
    result = warm_poetry.call("tf", "check").stderr
    assert {line.split()[1] for line in result.splitlines()[:-1:2]} == {
        "TF502",
        "TF505",
        "TF506",
    }
    assert warm_poetry.call("tf", "devcontainer").ok
    made = _container(project)
    assert made["name"] == "Python 3"
    assert made["image"] == load_images().image("3.11")
    assert "runArgs" not in made
    assert made["hostRequirements"] == {"gpu": "optional"}
    # The pair was right and stays; the feature moves to the version that is kept up.
    before = json.loads(SEED)["features"]["ghcr.io/devcontainers/features/nvidia-cuda:1"]
    assert made["features"][CUDA] == before
    assert not any("devcontainers-contrib" in name for name in made["features"])
    assert "pipx install poetry==" in made["onCreateCommand"]
    assert warm_poetry.call("tf", "check").stdout.startswith("All set! ")


OURS = """\
// The team's container.
{
\t"name": "ours", // ask Jane
\t"image": "mcr.microsoft.com/devcontainers/python:3-3.10-bookworm",
\t"features": {
\t\t"ghcr.io/devcontainers/features/nvidia-cuda:3": {
\t\t\t"installToolkit": true, "installCudnn": true,
\t\t\t"cudaVersion": "11.8", /* as the driver */
\t\t\t"cudnnVersion": "8.6.0.163",
\t\t},
\t\t"ghcr.io/devcontainers/features/node:1": {},
\t},
\t"hostRequirements": { "gpu": true },
\t"onCreateCommand": "pipx install poetry==1.8.2 && echo done",
\t"postCreateCommand": "make setup && poetry install",
}"""


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_only_what_must_change_changes(warm_poetry: PoetryRunner, project: Path, end: str) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    text = OURS.replace("\n", end)
    _write(project, text)
    assert warm_poetry.call("tf", "devcontainer").ok
    gone, new = changed_lines(text.encode(), (project / NAME).read_bytes())
    poetry = new[3].partition("poetry==")[2].split()[0]
    assert [line.strip() for line in gone] == [
        '"image": "mcr.microsoft.com/devcontainers/python:3-3.10-bookworm",',
        '"cudaVersion": "11.8", /* as the driver */',
        '"cudnnVersion": "8.6.0.163",',
        '"onCreateCommand": "pipx install poetry==1.8.2 && echo done",',
    ]
    assert new == [
        f'\t"image": "mcr.microsoft.com/devcontainers/python:3-3.11-bookworm",{end}',
        f'\t\t\t"cudaVersion": "12.5", /* as the driver */{end}',
        f'\t\t\t"cudnnVersion": "9.3.0.75",{end}',
        f'\t"onCreateCommand": "pipx install poetry=={poetry} && echo done",{end}',
        f'\t"remoteEnv": {{{end}',
        f'\t\t"PATH": "${{containerEnv:PATH}}:/usr/local/cuda/bin"{end}',
        f"\t}},{end}",
    ]


def test_the_file_at_the_top_of_the_project_is_used_where_that_is_there(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    _write(project, OURS, ".devcontainer.json")
    done = warm_poetry.call("tf", "devcontainer")
    assert done.stdout.startswith("Wrote .devcontainer.json: ")
    assert set(contents(project)) == {"pyproject.toml", ".devcontainer.json"}


def test_git_lfs_is_installed_where_the_project_uses_it(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    assert warm_poetry.call("tf", "devcontainer").ok
    assert not any("git-lfs" in name for name in _container(project)["features"])
    (project / ".gitattributes").write_text("*.h5 filter=lfs diff=lfs merge=lfs -text\n", "utf-8")
    (project / NAME).unlink()
    assert warm_poetry.call("tf", "devcontainer").ok
    made = _container(project)
    assert any("features/git-lfs:" in name for name in made["features"])
    assert "git lfs pull" in made["postCreateCommand"]


@pytest.mark.parametrize("python", ["~=3.8.0", "~=3.9.0", ">=3.8,<3.10"])
def test_a_project_for_python_3_8_or_3_9_is_refused_with_the_python_to_take(
    warm_poetry: PoetryRunner, project: Path, python: str
) -> None:
    _project(warm_poetry, "tensorflow (>=2.13.1,<2.14.0)", python)
    before = contents(project)
    refused = warm_poetry.call("tf", "devcontainer")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: No dev container can be made for Python 3.")
    assert "begin at Python 3.10" in refused.stderr, "the reason"
    assert "--python 3.11`" in refused.stderr, "the Python to take"
    assert contents(project) == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n  "image": \n}\n', ".devcontainer/devcontainer.json:3:1: expected a value, found '}'"),
        ("[]", ".devcontainer/devcontainer.json:1:1: does not contain an object"),
        ('{"a": 1, "a": 2, }}', ".devcontainer/devcontainer.json:1:"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_alone(
    warm_poetry: PoetryRunner, project: Path, text: str, expected: str
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    _write(project, text)
    refused = warm_poetry.call("tf", "devcontainer")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Error: {expected}")
    assert (project / NAME).read_text("utf-8") == text


def test_a_project_without_tensorflow_is_told_how_to_get_it(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["six"])
    refused = warm_poetry.call("tf", "devcontainer")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: The project has no TensorFlow")
    assert "poetry tf init" in refused.stderr
    assert set(contents(project)) == {"pyproject.toml"}


def test_without_a_project_it_says_so(warm_poetry: PoetryRunner, project: Path) -> None:
    refused = warm_poetry.call("tf", "devcontainer")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "No pyproject.toml" in refused.stderr
    assert contents(project) == {}


def test_a_container_of_the_users_own_making_is_left_to_the_user(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.13")
    _write(project, '{\n  "build": {"dockerfile": "Dockerfile"}\n}\n')
    done = warm_poetry.call("tf", "devcontainer")
    assert done.stdout.startswith(
        f"Wrote {NAME}: TensorFlow 2.18.1. The base image is yours and was not checked: it "
        "needs Python 3.11 or 3.12, CUDA 12.5 and cuDNN 9.3.0.75\n"
    ), "what isn't written isn't promised"
    made = _container(project)
    assert made["build"] == {"dockerfile": "Dockerfile"}
    assert "image" not in made and "onCreateCommand" not in made
    assert made["hostRequirements"] == {"gpu": "optional"}
    made["features"] = {CUDA: {}}
    _write(project, json.dumps(made))
    assert warm_poetry.call("tf", "devcontainer").stdout.startswith(
        f"Wrote {NAME}: TensorFlow 2.18.1; the container brings CUDA 12.5 and cuDNN 9.3.0.75 "
        "(proven for this TensorFlow). The base image is yours and was not "
        "checked: it needs Python 3.11 or 3.12\n"
    )


def test_the_python_that_is_reported_is_the_one_that_the_image_has(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.10,<3.13")
    _write(project, OURS)
    assert "TensorFlow 2.18.1 on Python 3.10; " in warm_poetry.call("tf", "devcontainer").stdout


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("none", ", on the CPU (the project requests no GPU)"),
        ("pip", "; TensorFlow's own wheels bring CUDA and cuDNN (as configured)"),
    ],
)
def test_it_is_told_who_brings_cuda(
    warm_poetry: PoetryRunner, project: Path, gpu: str, expected: str
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").replace('"auto"', f'"{gpu}"'), "utf-8")
    done = warm_poetry.call("tf", "devcontainer")
    first, _ = done.stdout.splitlines()
    assert first == f"Wrote {NAME}: TensorFlow 2.18.1 on Python 3.11{expected}"


def test_a_pair_that_nobody_has_confirmed_is_said_to_be_one(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.16.2,<2.17.0)", ">=3.11,<3.12")
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text("utf-8").replace('"auto"', '"system"'), "utf-8")
    done = warm_poetry.call("tf", "devcontainer")
    assert done.ok
    assert "the container brings CUDA 12.2 and cuDNN 8.9.7.29\n" in done.stdout
    assert done.stderr == (
        "TensorFlow 2.16.2 is not proven to find the GPU with CUDA 12.2 and cuDNN "
        '8.9.7.29; gpu = "auto" uses what is known to work.\n'
    )


def test_a_retired_poetry_feature_on_a_base_of_the_users_own_moves_on(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    text = """\
{
  "build": {"dockerfile": "Dockerfile"},
  "features": {
    // Poetry, of course
    "ghcr.io/devcontainers-contrib/features/poetry:2": {}
  }
}
"""
    _write(project, text)
    assert warm_poetry.call("tf", "devcontainer").ok
    assert "// Poetry, of course\n" in (project / NAME).read_text("utf-8")
    features = read_jsonc(project / NAME)["features"]
    (name, options), *others = features.items()
    assert name == "ghcr.io/devcontainers-extra/features/poetry:2"
    assert set(options) == {"version"} and not others
    again = warm_poetry.call("tf", "devcontainer")
    assert "is up to date" in again.stdout


@pytest.mark.parametrize("key", ["mounts", "containerEnv"])
def test_a_place_that_is_not_what_it_has_to_be_is_reported(
    warm_poetry: PoetryRunner, project: Path, key: str
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    text = f'{{\n  "{key}": true\n}}\n'
    _write(project, text)
    refused = warm_poetry.call("tf", "devcontainer")
    assert refused.returncode == 1
    assert f"{key} is not " in refused.stderr and "Traceback" not in refused.stderr
    assert (project / NAME).read_text("utf-8") == text


def test_what_tensorflow_is_in_is_installed(warm_poetry: PoetryRunner, project: Path) -> None:
    more = """
[project.optional-dependencies]
deep = ["tensorflow (>=2.18.1,<2.19.0)"]
"""
    write_pyproject(project, ["six"], requires_python=">=3.11,<3.12", more=more)
    assert warm_poetry.call("tf", "devcontainer").ok
    assert _container(project)["postCreateCommand"] == (
        "poetry env use python3 && poetry install --extras deep "
        "|| echo 'run: poetry install --extras deep'"
    )


@pytest.mark.parametrize("options", [["--diff"], ["--dry-run"], ["--check"], ["--check", "--diff"]])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there"])
def test_what_differs_can_be_shown_and_asked_for(
    warm_poetry: PoetryRunner, project: Path, options: list[str], is_there: bool
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    if is_there:
        _write(project, OURS)
    before = contents(project)
    result = warm_poetry.call("tf", "devcontainer", *options)
    assert contents(project) == before
    assert result.returncode == int("--check" in options)
    assert ("--- " in result.stdout) == (options != ["--check"])
    assert ("is out of date" in result.stderr) == (options == ["--check"])
    assert warm_poetry.call("tf", "devcontainer").ok
    assert ("--- " not in result.stdout) or patched(before, result.stdout) == contents(project)
    again = warm_poetry.call("tf", "devcontainer", *options)
    shown = [one for one in options if one != "--check"]
    said = f"Nothing was written ({shown[0]}).\n" if shown else ""
    assert (again.returncode, again.stdout.strip(), again.stderr) == (0, "", said)


def test_what_is_unset_on_the_host_hides_no_mirror_of_the_projects(
    poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    """`${localEnv:…}` of a variable that isn't set arrives empty."""
    _project(poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    (project / "poetry.toml").write_text('[tf]\nmirror = "no-such-mirror"\n', "utf-8")
    result = poetry.call("lock", environ={"POETRY_TF_MIRROR": ""})
    assert "no-such-mirror" in result.stderr, "poetry.toml is gone by"


def _settings(project: Path) -> dict[str, Any]:
    data = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    found = data["tool"]["poetry-tf"]
    assert isinstance(found, dict)
    return found


def test_what_a_container_runs_on_is_kept_and_every_command_agrees(
    right: PoetryRunner, project: Path
) -> None:
    done = right.call(
        "tf", "devcontainer", "--engine", "podman", "--registry", "mirror.example/mcr"
    )
    assert done.ok, done.output
    assert "Podman starts it only if" in done.stdout
    kept = {"engine": "podman", "registry": "mirror.example/mcr"}
    assert _settings(project).items() >= kept.items()
    made = _container(project)
    assert made["runArgs"] == ["--device=nvidia.com/gpu=all"]
    assert "hostRequirements" not in made
    assert made["image"].startswith("${localEnv:POETRY_TF_REGISTRY:mirror.example/mcr}/devc")
    assert right.call("tf", "check").ok
    assert right.call("tf", "devcontainer", "--check").ok
    (project / NAME).unlink()
    assert right.call("tf", "devcontainer").ok
    assert _container(project) == made
    done = right.call("tf", "devcontainer", "--registry", "off", "--gpu-required")
    assert done.ok, done.output
    assert "registry" not in _settings(project)
    assert _container(project)["image"] == load_images().image("3.12")
    done = right.call("tf", "devcontainer", "--engine", "docker", "--gpu-optional")
    assert done.ok, done.output
    assert "runArgs" not in _container(project)
    assert _container(project)["hostRequirements"] == {"gpu": "optional"}


def test_an_option_that_makes_a_project_a_managed_one_says_so(
    right: PoetryRunner, project: Path
) -> None:
    path = project / "pyproject.toml"
    text = path.read_text("utf-8")
    path.write_text(text[: text.index("[tool.poetry-tf]")], "utf-8")
    done = right.call("tf", "devcontainer", "--engine", "podman")
    assert done.ok, done.output
    assert "poetry-tf manages this project from now on" in done.stderr
    assert "pyproject.toml" in done.stdout
    done = right.call("tf", "devcontainer", "--engine", "docker")
    assert "managed" not in done.output


def test_the_explanation_tells_of_apple_silicon(set_up: SetUp) -> None:
    poetry = set_up("--tensorflow", "2.18", "--gpu", "system")
    assert "Apple silicon" not in poetry.call("tf", "devcontainer").output
    assert "Apple silicon" in poetry.call("tf", "devcontainer", "--explain").stdout


def test_a_gpu_that_must_be_there_is_required_until_it_is_optional(
    right: PoetryRunner, project: Path
) -> None:
    made = _container(project)
    assert right.call("tf", "devcontainer", "--gpu-required").ok
    required = _container(project)
    assert required["runArgs"] == ["--gpus=all"]
    assert "hostRequirements" not in required
    assert right.call("tf", "check").ok
    assert right.call("tf", "devcontainer", "--gpu-optional").ok
    assert _container(project) == made


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--engine", "lxc"], "'lxc' is not an engine"),
        (["--registry", "registry.example:5000"], "but without a port"),
        (["--gpu-required", "--gpu-optional"], "contradict each other"),
        (["--config", "gpu"], "not found in .devcontainer/gpu"),
        (["--config", "../gpu"], "not found in .devcontainer/../gpu"),
    ],
)
def test_a_wish_that_means_nothing_is_refused(
    warm_poetry: PoetryRunner, project: Path, options: list[str], says: str
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    before = contents(project)
    refused = warm_poetry.call("tf", "devcontainer", *options)
    assert refused.returncode == 1
    assert says in refused.stderr.replace("\\", "/")
    assert contents(project) == before


def test_a_named_configuration_is_changed_where_it_is_named(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    name = ".devcontainer/gpu/devcontainer.json"
    (project / ".devcontainer").mkdir()
    _write(project, OURS, name)
    done = warm_poetry.call("tf", "devcontainer", "--config", "gpu")
    assert done.stdout.startswith(f"Wrote {name}: ")
    assert not (project / NAME).exists()
    text = (project / name).read_text("utf-8")
    assert '"cudaVersion": "12.5", /* as the driver */' in text
    again = warm_poetry.call("tf", "devcontainer", "--config", "gpu", "--check")
    assert again.ok


@pytest.mark.sample
@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("system", ["CUDA 12.5", "proven for TensorFlow 2.18: ", "feature ghcr.io/"]),
        ("pip", ["CUDA and cuDNN the and-cuda wheels'"]),
        ("none", []),
    ],
)
def test_what_is_fixed_is_reported_with_where_it_comes_from(
    set_up: SetUp, project: Path, gpu: str, expected: list[str]
) -> None:
    poetry = set_up("--tensorflow", "2.18", "--gpu", gpu)
    before = contents(project)
    done = poetry.call("tf", "devcontainer", "--explain")
    assert done.ok and done.stderr == ""
    assert contents(project) == before
    version = metadata.version("poetry")
    for piece in [
        *expected,
        f"image {load_images().image('3.12')}",
        f"Poetry {version}\n    the Poetry that wrote the lock",
        "TensorFlow 2.18.1\n    poetry.lock, with the hash",
    ]:
        assert piece in done.stdout
    assert (" CUDA" in done.stdout.partition("\n")[2]) == bool(expected)


def test_what_a_base_of_the_users_own_brings_is_not_made_up(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    _project(warm_poetry, "tensorflow (>=2.18.1,<2.19.0)", ">=3.11,<3.12")
    _write(project, '{"build": {"dockerfile": "Dockerfile"}}\n')
    done = warm_poetry.call("tf", "devcontainer", "--explain")
    assert "was not checked" in done.stdout
    assert "CUDA and cuDNN your own\n    has to be CUDA 12.5 and cuDNN 9.3.0.75" in done.stdout


def test_that_poetry_on_the_host_would_remake_the_containers_folder_is_reported(
    right: PoetryRunner, project: Path
) -> None:
    remedy = "poetry config --local virtualenvs.in-project false"
    assert remedy not in right.call("tf", "devcontainer").stdout
    (project / ".venv").mkdir()  # as the engine leaves it
    assert remedy in right.call("tf", "devcontainer").stdout
    assert right.call("config", "--local", "virtualenvs.in-project", "false").ok
    assert remedy not in right.call("tf", "devcontainer").stdout
    assert right.call("tf", "check").ok


@pytest.mark.sample
@pytest.mark.parametrize("place", ["variable", "other plugin", "auth.toml"])
def test_no_file_of_a_project_holds_the_password_of_a_mirror(
    right: PoetryRunner, mirror: Mount, place: str
) -> None:
    """The container takes the host's variables by their names alone."""
    url = mirror.url.replace("://", "://jane:s3cr3t@")
    if place == "auth.toml":
        right.config_file.parent.mkdir(parents=True, exist_ok=True)
        right.config_file.with_name("auth.toml").write_text(f'[tf]\nmirror = "{url}"\n', "utf-8")
    else:
        name = "POETRY_TF_MIRROR" if place == "variable" else "POETRY_PYPI_MIRROR_URL"
        right.environ[name] = url
    (right.project / NAME).unlink()
    done = [
        right.call("tf", *command)
        for command in (("devcontainer",), ("init", "-n"), ("check", "--fix"), ("mirror",))
    ]
    assert all(result.ok for result in done), done
    written = [path.read_text("utf-8") for path in right.project.rglob("*") if path.is_file()]
    assert any("${localEnv:POETRY_PYPI_MIRROR_URL}" in text for text in written)
    assert "s3cr3t" not in "".join((*written, *(result.output for result in done)))


MEANINGLESS = [
    ('gpu = "cudaa"', 'gpu is "cudaa"', 'Write one of "auto", "system", "pip", "none"'),
    ('engine = "dokcer"', 'engine is "dokcer"', 'Did you mean "docker"? '),
    ("gpu_required = true", "unknown setting gpu_required", 'Did you mean "gpu-required"? '),
]


@pytest.mark.sample
@pytest.mark.parametrize(("setting", "message", "remedy"), MEANINGLESS)
def test_a_setting_that_means_nothing_is_refused_by_what_would_write_without_it(
    right: PoetryRunner, project: Path, setting: str, message: str, remedy: str
) -> None:
    file = project / "pyproject.toml"
    text = file.read_text("utf-8").replace('gpu = "auto"', setting)
    file.write_text(text, "utf-8")
    before, line = contents(project), text.split("\n").index(setting) + 1
    error = f"Error: pyproject.toml:{line}:1: {message}\n{remedy}"
    for command in ("devcontainer", "devcontainer --check", "init -n", "upgrade -n 2.19"):
        done = right.call("tf", *command.split())
        assert (done.returncode, done.stdout) == (1, ""), command
        assert done.stderr.startswith(error), command
        assert contents(project) == before, command
    shown = right.call("tf", "env")
    assert shown.stderr.startswith(f"Warning: pyproject.toml:{line}:1: {message}. {remedy}")


@pytest.mark.parametrize(("setting", "message", "remedy"), MEANINGLESS)
@pytest.mark.slow
def test_a_setting_that_means_nothing_is_told_by_doctor(
    right: PoetryRunner, project: Path, setting: str, message: str, remedy: str
) -> None:
    file = project / "pyproject.toml"
    text = file.read_text("utf-8").replace('gpu = "auto"', setting)
    file.write_text(text, "utf-8")
    line = text.split("\n").index(setting) + 1
    told = right.call("tf", "doctor").stderr
    assert f"Warning: pyproject.toml:{line}:1: {message}. {remedy}" in told


def test_an_option_replaces_a_setting_that_means_nothing(
    right: PoetryRunner, project: Path
) -> None:
    file = project / "pyproject.toml"
    right_text = file.read_text("utf-8")
    file.write_text(right_text.replace('gpu = "auto"', 'gpu = "cudaa"'), "utf-8")
    assert right.call("tf", "init", "-n", "--gpu", "auto").ok
    assert file.read_text("utf-8") == right_text
