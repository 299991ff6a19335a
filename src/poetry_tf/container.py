"""devcontainer.json as the plan wants it, told as the changes that lead there.

A new file is the same changes applied to an empty object, so writing and checking can't disagree.
A change with a code is a rule's finding; one without is a convenience that ``poetry tf
devcontainer`` brings along and ``poetry tf check`` says nothing of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version

from poetry_tf.plan import Plan
from poetry_tf.project.documents import KeyPath
from poetry_tf.project.edits import Edit
from poetry_tf.project.jsonc import JsoncDocument
from poetry_tf.project.project import Project
from poetry_tf.releases.images import Feature, Images

CACHE_VOLUME = "poetry-tf-cache"
CACHE_FOLDER = "/mnt/poetry-cache"

# Keys by which the base image is the user's own business: a Dockerfile, or services.
_OWN_BASE = ("build", "dockerFile", "dockerComposeFile")
# What asks Docker for every GPU. hostRequirements asks as well, and both together pass it twice.
_GPU_ARGUMENTS = (("--gpus=all",), ("--gpus", "all"))
_RUNTIME_ARGUMENTS = (("--runtime=nvidia",), ("--runtime", "nvidia"))


@dataclass(frozen=True)
class Change:
    """One thing that devcontainer.json should have otherwise."""

    code: str | None
    message: str
    remedy: str
    path: KeyPath
    """What it is about; it may be absent in the file."""
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Wanted:
    """What a container is made for."""

    name: str
    plan: Plan
    images: Images
    poetry: Version
    """The Poetry to install: the one that wrote the lock."""
    poetry_tf: Version
    git_lfs: bool
    whole: bool
    """Whether all that a container needs is to be there; else only what is there is judged."""


def wanted_container(project: Project, plan: Plan, images: Images, *, whole: bool) -> Wanted:
    """What the container of a project is made for.

    Poetry is the one that wrote the lock, because another may not read it; without a lock it is
    the one that runs now and will write it.
    """
    lock = project.valid_lock
    poetry = lock.poetry_version if lock else None
    if poetry is None or poetry.is_prerelease or poetry.local:
        poetry = Version(metadata.version("poetry"))
    name = project.pyproject.name or project.root.resolve().name
    return Wanted(
        name=f"{name} (TensorFlow {plan.release.series})",
        plan=plan,
        images=images,
        poetry=poetry,
        poetry_tf=Version(metadata.version("poetry-tf")),
        git_lfs=project.uses_git_lfs,
        whole=whole,
    )


def changes(path: Path, document: JsoncDocument, wanted: Wanted) -> tuple[Change, ...]:
    """Everything to change in a devcontainer.json, in the order in which a new one is written."""
    view = _View(path, document, wanted)
    return (
        *view.name(),
        *view.base_image(),
        *view.cuda(),
        *view.git_lfs(),
        *view.gpu(),
        *view.retired_arguments(),
        *view.poetry(),
        *view.installation(),
        *view.extension(),
    )


class _View:
    """One devcontainer.json under judgement. Each method looks at one subject."""

    def __init__(self, path: Path, document: JsoncDocument, wanted: Wanted) -> None:
        self.path = path
        self.document = document
        self.wanted = wanted
        self.plan = wanted.plan
        self.is_new = not document.data
        self.whole = wanted.whole or self.is_new
        self.images = wanted.images

    def get(self, *path: str) -> Any:
        return self.document.get(path)

    def object(self, key: str) -> dict[str, Any]:
        value = self.get(key)
        return value if isinstance(value, dict) else {}

    def set(self, *path: str, value: Any) -> Edit:
        return Edit(self.path, "set", path, value)

    def remove(self, *path: str | int) -> Edit:
        return Edit(self.path, "remove", path)

    def feature(self, id_: str) -> str | None:
        """The key under which a feature stands, whatever its version."""
        for key in self.object("features"):
            if _feature_id(key) == id_:
                return key
        return None

    @property
    def own_base(self) -> bool:
        """Whether the base is the user's: a Dockerfile, services, or an image that isn't known.

        What is in it is then unknown as well: CUDA may be there already, and pipx may not.
        """
        image = self.get("image")
        parsed = _PYTHON_IMAGE.match(image) if isinstance(image, str) else None
        unknown = image is not None and (parsed is None or "devcontainers" not in image)
        return unknown or any(key in self.document.data for key in _OWN_BASE)

    # -- subjects ---------------------------------------------------------------------------

    def name(self) -> Iterator[Change]:
        if self.is_new:
            edit = self.set("name", value=self.wanted.name)
            yield Change(None, "it has no name", "", ("name",), (edit,))

    def base_image(self) -> Iterator[Change]:
        if any(key in self.document.data for key in _OWN_BASE):
            return
        image = self.get("image")
        parsed = _PYTHON_IMAGE.match(image) if isinstance(image, str) else None
        python = _minor(parsed["python"]) if parsed and parsed["python"] else None
        best = self.images.image(python if python in self.plan.pythons else self.plan.python)
        edit = self.set("image", value=best)
        if image is None:
            if self.whole:
                yield Change("TF502", "no image is named", f"Use {best}", ("image",), (edit,))
            return
        if parsed is None:
            return  # an image of the user's own, of which nothing is known
        if python not in self.plan.pythons:
            yield Change(
                "TF502",
                f"the image has Python {python}, but the project with TensorFlow "
                f"{self.plan.release.version} runs on Python {' or '.join(self.plan.pythons)}"
                if python
                else f"the image {image} doesn't say which Python it has",
                f"Use {best}",
                ("image",),
                (edit,),
            )
        elif (
            parsed["repository"] == self.images.repository
            and parsed["generation"] in self.images.retired_generations
        ):
            yield Change(
                "TF505",
                f"the images {parsed['generation']}-… are retired: no feature installs in them",
                f"Use {best}",
                ("image",),
                (edit,),
            )

    def cuda(self) -> Iterator[Change]:
        gpu, feature = self.plan.gpu, self.images.cuda
        key = self.feature(feature.id)
        if gpu.mode != "system":
            if key is not None and self.whole:
                why = "wheels bring CUDA" if gpu.mode == "pip" else "no GPU is asked for"
                yield Change(
                    "TF503",
                    f"CUDA is installed in the container, but {why}",
                    "Remove the feature",
                    ("features", key),
                    (self.remove("features", key),),
                )
            return
        options = {
            "installToolkit": True,
            "installCudnn": True,
            "cudaVersion": gpu.cuda,
            "cudnnVersion": gpu.cudnn,
        }
        if key is None:
            if self.whole and not self.own_base:
                yield Change(
                    "TF503",
                    "no CUDA is installed in the container",
                    f"Add {feature.reference} with CUDA {gpu.cuda} and cuDNN {gpu.cudnn}",
                    ("features",),
                    (self.set("features", feature.reference, value=options),),
                )
            return
        yield from self._cuda_options(key, options)
        yield from self._feature_version(key, feature)

    def _cuda_options(self, key: str, options: dict[str, Any]) -> Iterator[Change]:
        present = self.get("features", key)
        if not isinstance(present, dict):
            present = {}
        wrong = {name: value for name, value in options.items() if present.get(name) != value}
        if not wrong:
            return
        release = self.plan.release.version
        seen = ", ".join(
            f"{name} {present[name]!r}" if name in present else f"no {name}" for name in wrong
        )
        edits = tuple(self.set("features", key, name, value=value) for name, value in wrong.items())
        if not isinstance(self.get("features", key), dict):
            edits = (self.set("features", key, value=options),)
        yield Change(
            "TF503",
            f"TensorFlow {release} goes with CUDA {self.plan.gpu.cuda} and cuDNN "
            f"{self.plan.gpu.cudnn}, but the feature has {seen}",
            "Write " + ", ".join(f"{name} {_json(value)}" for name, value in wrong.items()),
            ("features", key, next((name for name in wrong if name in present), "")),
            edits,
        )

    def _feature_version(self, key: str, feature: Feature) -> Iterator[Change]:
        if key != feature.reference and feature.reference not in self.object("features"):
            yield Change(
                "TF505",
                f"{key} is a retired version of the feature",
                f"Use {feature.reference}",
                ("features", key),
                (Edit(self.path, "rename", ("features", key), feature.reference),),
            )

    def git_lfs(self) -> Iterator[Change]:
        feature = self.images.git_lfs
        if self.wanted.git_lfs and self.feature(feature.id) is None:
            # Its own pull fails, and the container with it, in a repository without a commit.
            edit = self.set("features", feature.reference, value={"autoPull": False})
            yield Change(None, "the project uses Git LFS", "", ("features",), (edit,))

    def gpu(self) -> Iterator[Change]:
        if self.plan.gpu.mode == "none" or self._asks_for_gpu():
            return
        if not self.whole and self.feature(self.images.cuda.id) is None:
            return
        yield Change(
            "TF504",
            "the container does not ask for a GPU",
            'Write "hostRequirements": {"gpu": "optional"}',
            ("hostRequirements",),
            (self.set("hostRequirements", "gpu", value="optional"),),
        )

    def _asks_for_gpu(self) -> bool:
        if self.object("hostRequirements").get("gpu") not in (None, False):
            return True
        arguments = [str(item) for item in self._run_arguments()]
        kept = _without(arguments, _GPU_ARGUMENTS) if self.whole else arguments
        return any(
            item.startswith(("--gpus", "--device=nvidia", "nvidia.com/gpu")) for item in kept
        )

    def retired_arguments(self) -> Iterator[Change]:
        strings = [str(item) for item in self._run_arguments()]
        kinds = [(_RUNTIME_ARGUMENTS, "--runtime=nvidia fails where that runtime isn't registered")]
        if self.whole:
            kinds.append((_GPU_ARGUMENTS, "--gpus=all fails where there is no GPU"))
        seen = [(kind, trouble) for kind, trouble in kinds if _positions(strings, kind)]
        if not seen:
            return
        positions = _positions(strings, tuple(item for kind, _ in seen for item in kind))
        edits = [self.remove("runArgs", index) for index in reversed(positions)]
        if len(positions) == len(strings):
            edits = [self.remove("runArgs")]
        yield Change(
            "TF505",
            ", and ".join(trouble for _, trouble in seen),
            'Remove it: "hostRequirements" asks for a GPU where there is one',
            ("runArgs",),
            tuple(edits),
        )

    def _run_arguments(self) -> list[Any]:
        value = self.get("runArgs")
        return value if isinstance(value, list) else []

    def poetry(self) -> Iterator[Change]:
        for id_ in self.images.retired_poetry_features:
            if (key := self.feature(id_)) is not None:
                yield Change(
                    "TF505",
                    f"{key} is gone: its organisation was deleted",
                    f"Install Poetry with pipx install poetry=={self.wanted.poetry}",
                    ("features", key),
                    (self.remove("features", key),),
                )
        version = str(self.wanted.poetry)
        for id_ in self.images.poetry_features:
            if (key := self.feature(id_)) is not None:
                if self.get("features", key, "version") != version:
                    yield Change(
                        "TF506",
                        "Poetry is not the version that wrote the lock",
                        f'Write "version": "{version}"',
                        ("features", key),
                        (self.set("features", key, "version", value=version),),
                    )
                return
        if self.own_base:
            return  # what makes the base is where Poetry is installed then
        yield from self._poetry_command(version)

    def _poetry_command(self, version: str) -> Iterator[Change]:
        for key in ("onCreateCommand", "updateContentCommand", "postCreateCommand"):
            for path, command in _commands(key, self.get(key)):
                if (match := _POETRY_INSTALL.search(command)) is None:
                    continue
                if match["version"] != version:
                    text = f"{command[: match.start()]}poetry=={version}{command[match.end() :]}"
                    yield Change(
                        "TF506",
                        f"Poetry {match['version'] or 'of no fixed version'} is installed, but "
                        f"Poetry {version} wrote the lock",
                        f"Install poetry=={version}",
                        path,
                        (Edit(self.path, "set", path, text),),
                    )
                return
        if not self.whole:
            return
        prepare = (
            f"pipx install poetry=={version} && "
            f"(pipx inject poetry poetry-tf=={self.wanted.poetry_tf} || "
            "echo 'poetry-tf could not be installed: going on with Poetry alone')"
        )
        edits: list[Edit] = []
        if all(self.feature(id_) is None for id_ in self.images.cache_features):
            prepare = f'sudo chown "$(id -u):$(id -g)" {CACHE_FOLDER} && {prepare}'
            edits += self._cache_edits()
        edits.append(self._add_command("onCreateCommand", prepare))
        yield Change(
            "TF506",
            "Poetry is not installed in a fixed version",
            f"Install poetry=={version} in onCreateCommand",
            ("onCreateCommand",),
            tuple(edits),
        )

    def _cache_edits(self) -> Iterator[Edit]:
        mounts = self.get("mounts")
        if not any(CACHE_FOLDER in str(item) for item in mounts or ()):
            mount = {"source": CACHE_VOLUME, "target": CACHE_FOLDER, "type": "volume"}
            yield Edit(self.path, "append", ("mounts",), mount)
        if "POETRY_CACHE_DIR" not in self.object("containerEnv"):
            yield self.set("containerEnv", "POETRY_CACHE_DIR", value=CACHE_FOLDER)

    def _add_command(self, key: str, command: str) -> Edit:
        """Adds a command to a lifecycle hook; beside a command of the user's, in parallel to it."""
        present = self.get(key)
        if present is None:
            return self.set(key, value=command)
        if isinstance(present, dict):
            return self.set(key, "poetry-tf", value=command)
        return self.set(key, value={"project": present, "poetry-tf": command})

    def installation(self) -> Iterator[Change]:
        if self.own_base or not self.whole:
            return
        hooks = ("onCreateCommand", "updateContentCommand", "postCreateCommand")
        commands = [text for key in hooks for _, text in _commands(key, self.get(key))]
        if any(re.search(r"\bpoetry\s+(install|sync)\b", text) for text in commands):
            return
        command = "poetry install"
        if self.wanted.git_lfs:
            command = f"(! git rev-parse -q --verify HEAD || git lfs pull) && {command}"
        edit = self._add_command("postCreateCommand", command)
        yield Change(None, "the project is not installed", "", ("postCreateCommand",), (edit,))

    def extension(self) -> Iterator[Change]:
        path: KeyPath = ("customizations", "vscode", "extensions")
        if self.is_new:
            edit = Edit(self.path, "set", path, ["ms-python.python"])
            yield Change(None, "VS Code has no Python extension", "", path, (edit,))


# mcr.microsoft.com/devcontainers/python:3-3.11-bookworm, its older home vscode/devcontainers, and
# the official python:3.11-slim. A tag without a Python ("bookworm", "latest") names the newest.
_PYTHON_IMAGE = re.compile(
    r"""\A(?P<repository>mcr\.microsoft\.com/(?:vscode/)?devcontainers/python|
              (?:docker\.io/)?(?:library/)?python)
        (?::(?:(?:(?:dev-)?(?P<generation>\d+(?:\.\d+)*)-)?(?P<python>\d+\.\d+(?:\.\d+)?))?[\w.-]*)?
        (?:@sha256:[0-9a-f]+)?\Z""",
    re.VERBOSE,
)
# "pipx install poetry", "pip install 'poetry==1.8.2'": what follows is another package's name.
_POETRY_INSTALL = re.compile(
    r"(?<=install )(?P<quote>['\"]?)poetry(?:==(?P<version>[\w.]+))?(?P=quote)(?=\s|$|&|;)"
)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _feature_id(key: str) -> str:
    """A feature's id without its version or digest; a port's colon is not a version's."""
    key = key.partition("@")[0]
    head, colon, tail = key.rpartition(":")
    return head if colon and "/" not in tail else key


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _commands(key: str, value: object) -> Iterator[tuple[KeyPath, str]]:
    """The shell commands of a lifecycle hook, which is a string, an array, or an object of such."""
    if isinstance(value, str):
        yield (key,), value
    elif isinstance(value, dict):
        for name, command in value.items():
            if isinstance(command, str):
                yield (key, name), command


def _positions(items: list[str], sequences: tuple[tuple[str, ...], ...]) -> list[int]:
    """The indexes of the items that belong to one of the sequences, ascending."""
    found: list[int] = []
    index = 0
    while index < len(items):
        for sequence in sequences:
            if tuple(items[index : index + len(sequence)]) == sequence:
                found += range(index, index + len(sequence))
                index += len(sequence)
                break
        else:
            index += 1
    return found


def _without(items: list[str], sequences: tuple[tuple[str, ...], ...]) -> list[str]:
    dropped = set(_positions(items, sequences))
    return [item for index, item in enumerate(items) if index not in dropped]
