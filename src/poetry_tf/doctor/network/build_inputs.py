"""What a build of the container needs, read from the project's files without requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.image import (
    builds_own_image,
    feature_major,
    feature_path,
    python_image,
)
from poetry_tf.devcontainer.poetry import container_poetrys
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import View
from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.network.apt import PackageRequest
from poetry_tf.doctor.network.registry import Reference, read_reference
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Devcontainer, Project, read_text
from poetry_tf.plan.settings import REGISTRY_VARIABLE
from poetry_tf.releases.images import Feature, Images

Variable = Callable[[str], str | None]
Problems: TypeAlias = Mapping[tuple[str | int, ...], tuple[str, str]]
"""The problems of parts of devcontainer.json, each with its remedy."""
Unchecked: TypeAlias = tuple[str, str]
"""What can't be checked: the finding's probe and its text."""

_LOCAL = re.compile(r"\$\{(?:localEnv|env):([^:}]*)(?::([^:}]*))?[^}]*\}")
_ARGUMENT = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_ARG = re.compile(r"ARG\s+(\w+)(?:=(.*))?", re.IGNORECASE)
_POETRY_TF = re.compile(r"poetry-tf==([\w.+!-]+)")


@dataclass(frozen=True)
class ContainerArtifact:
    """An image or a feature.

    Attributes:
        probe: ``image`` or ``feature``.
        name: as in the file, with the values of variables.
        reference: where it is.
        locked: what devcontainer-lock.json fixes it to.
        problem, instead: why it should be replaced, and with what; empty if no problem is known.
    """

    probe: str
    name: str
    reference: Reference
    locked: Reference | None = None
    problem: str = ""
    instead: str = ""


@dataclass(frozen=True)
class AptRequests:
    """Packages that a feature installs from an apt repository."""

    url: str
    requests: tuple[PackageRequest, ...]


@dataclass(frozen=True)
class BuildInputs:
    """What the container's build needs, besides the project's own packages.

    Attributes:
        servers: other servers, with what is downloaded from them.
        tools: programs from PyPI, with their versions.
    """

    artifacts: tuple[ContainerArtifact, ...] = ()
    packages: tuple[AptRequests, ...] = ()
    servers: tuple[tuple[str, str], ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    unchecked: tuple[Unchecked, ...] = ()


def read_build_inputs(project: Project, spec: ContainerSpec, variable: Variable) -> BuildInputs:
    """Reads the project's devcontainer.json and what it names."""
    devcontainer = project.devcontainer
    if not isinstance(devcontainer, Devcontainer):
        return BuildInputs()
    view = View(devcontainer.path, devcontainer.document, is_new=False)
    problems = _known_problems(view, spec)
    found = (*_images(view, spec, variable, problems), *_features(view, spec, problems))
    packages: list[AptRequests] = []
    servers: list[tuple[str, str]] = []
    for feature in (spec.images.cuda, spec.images.git_lfs):
        for key in view.features(feature.id):
            packages += _apt_packages(view, feature, key)
            servers += [(host, key) for host in feature.downloads if _is_server(host, feature)]
    return BuildInputs(
        tuple(dict.fromkeys(item for item in found if isinstance(item, ContainerArtifact))),
        tuple(packages),
        tuple(dict.fromkeys(servers)),
        tuple(dict.fromkeys(_tools(view, spec.images))),
        tuple(dict.fromkeys(item for item in found if not isinstance(item, ContainerArtifact))),
    )


def substituted(text: str, variable: Variable) -> str:
    """A text of devcontainer.json with the values of the host's variables."""

    def value(match: re.Match[str]) -> str:
        found = variable(match[1])
        return found if found is not None else match[2] or ""

    return _LOCAL.sub(value, text)


def _known_problems(view: View, spec: ContainerSpec) -> Problems:
    return {
        tuple(change.path[:2]): (change.message, change.remedy)
        for change in find_changes(view.path, view.document, spec)
        if change.code == "TF505" or (change.code == "TF502" and change.path == ("image",))
    }


# -- the base -------------------------------------------------------------------------------


def _images(
    view: View, spec: ContainerSpec, variable: Variable, problems: Problems
) -> Iterator[ContainerArtifact | Unchecked]:
    if not builds_own_image(view.document):
        if isinstance(image := view.get("image"), str):
            _, instead = problems.get(("image",), ("", ""))
            problem = _retired(image, spec.images) if view.object("features") else ""
            if not instead and spec.plan is not None and not view.own_base:
                instead = f"Use {spec.image(spec.plan.python)}"
            found = _image(image, variable, problem, instead)
            yield found if isinstance(found, ContainerArtifact) else _placed(view, found, "image")
        return
    if view.get("dockerComposeFile") is not None:
        yield "image", "the images of dockerComposeFile: poetry-tf doesn't read that file"
        return
    build = view.object("build")
    name = build.get("dockerfile") or view.get("dockerFile") or "Dockerfile"
    path = view.path.parent / str(name)
    try:
        text = read_text(path)
    except ProjectError as error:
        yield "image", f"the images of {name}: {error.message}"
        return
    if text is None:
        yield "image", f"the images of {name}: file not found"
        return
    given = {str(key): str(value) for key, value in table(build.get("args")).items()}
    for image in base_images(text, given):
        yield _image(image, variable)


def _placed(view: View, unchecked: Unchecked, *path: str) -> Unchecked:
    probe, text = unchecked
    return probe, f"{view.path.name}:{view.document.nearest(path).line}: {text}"


def _retired(image: str, images: Images) -> str:
    """Why features can't be installed in an image; empty if they can."""
    parsed = python_image(image)
    if parsed is None or not parsed.is_devcontainers:
        return ""
    if parsed.generation not in images.retired_generations:
        return ""
    return f"the images {parsed.generation}-… are retired: features can't be installed in them"


def _image(
    written: str, variable: Variable, problem: str = "", instead: str = ""
) -> ContainerArtifact | Unchecked:
    # The project chooses the variable and the server, so it could send any secret there.
    names = [match[1] for match in _LOCAL.finditer(written) if match[1] != REGISTRY_VARIABLE]
    if private := [name for name in names if variable(name)]:
        return "image", f"the image {written}: the value of {private[0]} is not sent to servers"
    name = substituted(written, variable)
    reference = read_reference(name)
    if reference is None:
        return "image", f"the image {name}: not a valid image name"
    return ContainerArtifact("image", name, reference, problem=problem, instead=instead)


def base_images(text: str, given: Mapping[str, str]) -> list[str]:
    """The images that a Dockerfile builds on, as far as its variables are known.

    What can't be read is left out.
    """
    values: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    found: list[str] = []
    for line in re.sub(r"[\\`]\r?\n", " ", text).splitlines():
        written = line.strip()
        if (match := _ARG.fullmatch(written)) and not found:
            default = (match[2] or "").strip().strip("\"'")
            values[match[1]] = given.get(match[1], default)
        elif match := _FROM.match(written):
            image = _ARGUMENT.sub(
                lambda part: values.get(part[1] or part[3]) or part[2] or "", match[1]
            )
            if image.lower() not in stages:
                found.append(image)
            stages |= {match[2].lower()} if match[2] else set()
    return list(dict.fromkeys(found))


# -- features -------------------------------------------------------------------------------


def _features(
    view: View, spec: ContainerSpec, problems: Problems
) -> Iterator[ContainerArtifact | Unchecked]:
    locked = _locked_features(view.path)
    known = {feature_path(item.id): item for item in (spec.images.cuda, spec.images.git_lfs)}
    for key in view.object("features"):
        if key.startswith((".", "/")):
            continue  # a folder of the project
        reference = read_reference(key) if "/" in key and "://" not in key else None
        if reference is None or reference.registry == "docker.io":
            text = f"the feature {key}: not from a registry"
            yield _placed(view, ("feature", text), "features", key)
            continue
        problem, instead = problems.get(("features", key), ("", ""))
        feature = known.get(feature_path(key))
        if not instead and feature is not None and feature.reference != key:
            instead = f"Use {feature.reference}"
        yield ContainerArtifact("feature", key, reference, locked.get(key), problem, instead)


def _locked_features(path: Path) -> dict[str, Reference]:
    """The digest that the container tools pinned each feature to, in devcontainer-lock.json."""
    dot = "." if path.name.startswith(".") else ""
    try:
        text = read_text(path.with_name(f"{dot}devcontainer-lock.json"))
    except ProjectError:
        return {}
    features = table(table(parse_json(text or "")).get("features"))
    found = {}
    for key, entry in features.items():
        resolved = table(entry).get("resolved")
        reference = read_reference(resolved) if isinstance(resolved, str) else None
        if reference is not None and reference.digest:
            found[key] = reference
    return found


def _apt_packages(view: View, feature: Feature, key: str) -> Iterator[AptRequests]:
    url = feature.apt.get(feature_major(key)) or feature.apt.get(feature.version)
    options = table(view.get("features", key))
    if url is not None and (requests := tuple(_cuda_packages(options))):
        yield AptRequests(url, requests)


def _cuda_packages(options: Mapping[str, Any]) -> Iterator[PackageRequest]:
    """What the CUDA feature installs for its options, as in its own script."""
    cuda, cudnn = str(options.get("cudaVersion", "")), str(options.get("cudnnVersion", ""))
    if not re.fullmatch(r"\d+\.\d+", cuda):
        return  # "automatic": it installs what the repository has
    dashed, major = cuda.replace(".", "-"), cuda.partition(".")[0]
    yield PackageRequest(f"cuda-libraries-{dashed}")
    for option, dev in (("installCudnn", ""), ("installCudnnDev", "-dev")):
        if options.get(option) is True and re.fullmatch(r"\d+(\.\d+){3}", cudnn):
            if cudnn.startswith("8."):
                yield PackageRequest(f"libcudnn8{dev}", f"{cudnn}-1+cuda{cuda}")
            else:
                yield PackageRequest(
                    f"libcudnn{cudnn.partition('.')[0]}{dev}-cuda-{major}", f"{cudnn}-1"
                )
    if options.get("installNvtx") is True:
        yield PackageRequest(f"cuda-nvtx-{dashed}")
    if options.get("installToolkit") is True:
        yield PackageRequest(f"cuda-toolkit-{dashed}")


def _is_server(name: str, feature: Feature) -> bool:
    """Whether a download source of a feature is a server without apt packages."""
    return "." in name and not any(f"//{name}/" in url for url in feature.apt.values())


def _tools(view: View, images: Images) -> Iterator[tuple[str, str]]:
    for written, _ in container_poetrys(view.path, view.document, images):
        if re.fullmatch(r"\d[\w.+!-]*", written):
            yield "poetry", written
    for task in view.tasks:
        for word in task.words:
            if match := _POETRY_TF.search(word.text):
                yield "poetry-tf", match[1]
