"""Container files for the tests of the changes to them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from packaging.version import Version

from poetry_tf.devcontainer.changes import find_changes, synchronize
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import DEVCONTAINERS
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.model import Plan
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from tests.made import NOWHERE

CATALOG = load()
IMAGES = load_images()
PATH = NOWHERE / DEVCONTAINERS[0]
POETRY = "2.3.1"
INDEX = Origin(Version("0.1.0"))
CUDA = IMAGES.cuda.reference
OLD_CUDA = f"{IMAGES.cuda.id}:1"
LFS = IMAGES.git_lfs.reference
RETIRED_POETRY = f"{IMAGES.retired_poetry_features[0]}:2"
LIVING_POETRY = f"{IMAGES.poetry_features[0]}:2"
CACHE = f"{IMAGES.cache_features[0]}:1"
VENV = "${containerWorkspaceFolder}/.venv"
# In the environment of the container's Python; by itself the container opens also where it fails.
INSTALL = "poetry env use python3 && poetry install"
INSTALL_ALONE = f"{INSTALL} || echo 'run: poetry install'"
DOCTOR = "poetry tf doctor --brief"
# The file of the article that this project comes from, for TensorFlow 2.13.
SEED = f"""\
{{
    "name": "Python 3",
    "image": "{IMAGES.repository}:1-3.8-bookworm",
    "runArgs": [
        "--runtime=nvidia",
        "--gpus=all"
    ],
    "features": {{
        "{LFS}": {{
            "autoPull": true,
            "version": "latest"
        }},
        "{OLD_CUDA}": {{
            "installCudnn": true,
            "installToolkit": true,
            "cudaVersion": "11.8",
            "cudnnVersion": "8.6.0.163"
        }},
        "{RETIRED_POETRY}": {{
            "version": "latest"
        }},
        "{CACHE}": {{}}
    }}
}}
"""


def plan_for(series: str = "2.13", gpu: GpuChoice = "auto") -> Plan:
    release = CATALOG.newest(series)
    assert release is not None
    return make_plan(CATALOG, IMAGES, release, Settings(gpu), None)


def plan_of(version: str, gpu: GpuChoice = "pip") -> Plan:
    release = CATALOG.get(version)
    assert release is not None
    return make_plan(CATALOG, IMAGES, release, Settings(gpu), None)


def make_spec(
    plan: Plan | None = None,
    *,
    git_lfs: bool = False,
    whole: bool = True,
    poetry: str = POETRY,
    origin: Origin = INDEX,
) -> ContainerSpec:
    return ContainerSpec(
        name="study",
        plan=plan or plan_for(),
        images=IMAGES,
        poetry=Version(poetry),
        poetry_tf=origin,
        git_lfs=git_lfs,
        whole=whole,
    )


def codes(text: str, spec: ContainerSpec | None = None) -> list[str]:
    found = find_changes(PATH, JsoncDocument.parse(text), spec or make_spec())
    return [item.code for item in found if item.code is not None]


def fixed(text: str, spec: ContainerSpec | None = None) -> str:
    """The text after every change, as `tf devcontainer` makes them."""
    return synchronize(PATH, JsoncDocument.parse(text), spec or make_spec()).text


def data(text: str) -> Any:
    return JsoncDocument.parse(text).data


def written(content: Any) -> str:
    return json.dumps(content, indent=2) + "\n"


def container(**keys: Any) -> str:
    """A container that is right for 2.13 in all that the keys don't say otherwise."""
    right = data(fixed("{}"))
    if "onCreateCommand" in keys:
        del right["updateContentCommand"]  # which goes with it
    for key, value in keys.items():
        if value is ...:
            right.pop(key, None)
        else:
            right[key] = value
    return written(right)


OPTIONS = {
    "installToolkit": True,
    "installCudnn": True,
    "cudaVersion": "11.8",
    "cudnnVersion": "8.6.0.163",
}


def having(**given: Any) -> ContainerSpec:
    return replace(make_spec(), settings=Settings(**given))


# The RUNPATH of these lacks folders of their own wheels: tensorflow#63362 is of the second.
LACKS_ONE, LACKS_FIVE, LACKS_NONE = plan_of("2.21.0"), plan_of("2.16.1"), plan_of("2.20.0")


def folder(part: str, python: str = "3.13") -> str:
    return f"{VENV}/lib/python{python}/site-packages/nvidia/{part}/lib"


REPOSITORY = "git+https://git.example/owner/poetry-tf"
GIT = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'a' * 40}")
FOLDER = Origin(Version("0.1.0"), "git", f"{REPOSITORY}@{'a' * 40}#subdirectory=plugin")
ARCHIVE = Origin(
    Version("0.1.0"), "archive", f"https://files.example/poetry_tf.whl#sha256={'c' * 64}"
)
LOCAL = Origin(Version("0.1.0"), "local", "file:///home/jane/poetry-tf")
ORIGINS = {"index": INDEX, "git": GIT, "folder": FOLDER, "archive": ARCHIVE, "local": LOCAL}


def from_(origin: Origin) -> ContainerSpec:
    return make_spec(origin=origin)
