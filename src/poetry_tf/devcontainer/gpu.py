"""CUDA in a container, and its request for a GPU."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Final

from poetry_tf.devcontainer.compose import compose_files, is_service, service_has_gpu
from poetry_tf.devcontainer.image import feature_major, feature_path, from_registry_of
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.values import KeyPath, as_table
from poetry_tf.plan.model import Plan
from poetry_tf.releases import Release, load
from poetry_tf.releases.images import Feature, Images
from poetry_tf.releases.model import numbers
from poetry_tf.releases.nvidia import driver_capabilities
from poetry_tf.text import format_list

# Docker's argument for every GPU. hostRequirements request them as well; both pass them twice.
_DOCKER_ARGUMENT = "--gpus=all"
# Podman's. It fails with a GPU in hostRequirements, and with this where there is no GPU.
_PODMAN_ARGUMENT = "--device=nvidia.com/gpu=all"
_MOST_REMOVALS: Final = 16
"""The most arguments that are removed one by one, each with its comment. Each takes as long as
reading the file."""
# What gives a service the GPU.
_IN_COMPOSE = (
    "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: all, "
    "capabilities: [gpu]}]}}}"
)
_REQUESTS = ("--gpus", "--device=nvidia", "nvidia.com/gpu")
# The parts of the driver to mount; compute and utility where it isn't set.
_LIMIT = "NVIDIA_DRIVER_CAPABILITIES"
# The feature puts CUDA's programs nowhere on PATH, and XLA has to find ptxas.
_PATH = "${containerEnv:PATH}:/usr/local/cuda/bin"


# -- CUDA -----------------------------------------------------------------------------------


def cuda(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """The feature that installs CUDA and cuDNN: whether it is there, and how it is set."""
    feature, plan = spec.images.cuda, spec.plan
    keys = view.features(feature.id)
    if plan is not None and plan.gpu.mode != "system" and spec.whole:
        yield from _superfluous(view, plan, keys)
        return
    if keys:
        living = [key for key in keys if feature_major(key) not in feature.retired]
        kept = feature.reference if feature.reference in keys else [*living, *keys][0]
        if plan is not None and plan.gpu.mode == "system":
            yield from _options(view, plan, spec, kept)
        elif plan is not None:
            yield from _too_old(view, plan, kept)
        yield from _versions(view, spec, keys, kept)
    elif plan is not None and spec.whole and not view.own_base:
        options = _right_options(plan)
        yield Change(
            "TF503",
            "no CUDA is installed in the container",
            f"Add {feature.reference} with CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}",
            ("features",),
            (view.set("features", feature.reference, value=options), *_path_edits(view)),
        )


def cuda_path(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether CUDA's programs are found where the feature has installed them."""
    plan = spec.plan
    if plan is None or plan.gpu.mode != "system" or not spec.whole:
        return
    if view.features(spec.images.cuda.id) and (edits := tuple(_path_edits(view))):
        yield Change.convenience(*edits)


def _path_edits(view: View) -> Iterator[Edit]:
    if not view.sets_variable("PATH"):
        yield view.set("remoteEnv", "PATH", value=_PATH)


def _superfluous(view: View, plan: Plan, keys: tuple[str, ...]) -> Iterator[Change]:
    why = "the wheels bring CUDA" if plan.gpu.mode == "pip" else "the project requests no GPU"
    path: tuple[Edit, ...] = ()
    if view.object("remoteEnv").get("PATH") == _PATH:
        path = (view.remove_member("remoteEnv", "PATH"),)
    for key in keys:
        yield Change(
            "TF503",
            f"CUDA is installed in the container, but {why}",
            "Remove the feature",
            ("features", key),
            (view.remove_member("features", key), *path),
        )


def _right_options(plan: Plan) -> dict[str, Any]:
    return {
        "installToolkit": True,
        "installCudnn": True,
        "cudaVersion": plan.gpu.cuda,
        "cudnnVersion": plan.gpu.cudnn,
    }


def _too_old(view: View, plan: Plan, key: str) -> Iterator[Change]:
    """CUDA and cuDNN of another series, beside a TensorFlow for which no pair is known.

    TensorFlow refuses a cuDNN that is older than the one it is built with.
    """
    present = as_table(view.get("features", key))
    cuda, cudnn = str(present.get("cudaVersion", "")), str(present.get("cudnnVersion", ""))
    made_for = load().series_of_pair(cuda, cudnn)
    least = _least_cudnn(plan.release)
    known = re.fullmatch(r"\d+(\.\d+)*", cudnn) is not None
    if least is not None and known and numbers(cudnn) < numbers(least):
        why = f"its and-cuda extra requires cuDNN {least} or later"
    elif made_for and plan.release.series not in made_for:
        why = f"that is for TensorFlow {format_list(made_for)}"
    else:
        return
    yield Change(
        "TF503",
        f"the container has CUDA {cuda} and cuDNN {cudnn}, but TensorFlow "
        f"{plan.release.version} is locked: {why}",
        "Remove the feature and require tensorflow[and-cuda], or set the cuDNN that it is built "
        "with",
        ("features", key),
        (),
    )


def _least_cudnn(release: Release) -> str | None:
    """The least cuDNN that the wheels of the extra bring."""
    for text in release.and_cuda.requires if release.and_cuda else ():
        if text.startswith("nvidia-cudnn"):
            least = re.search(r">=\s*(\d+(?:\.\d+)*)", text)
            return least[1] if least else None
    return None


def _options(view: View, plan: Plan, spec: ContainerSpec, key: str) -> Iterator[Change]:
    options, value = _right_options(plan), view.get("features", key)
    present = as_table(value)
    wrong = {name: right for name, right in options.items() if present.get(name) != right}
    if not wrong:
        return
    seen = ", ".join(
        f"{name} {present[name]!r}" if name in present else f"no {name}" for name in wrong
    )
    # An option under a misspelt name is renamed in its place.
    misspelt_as = {right: name for name, right in misspelt(present, spec.images.cuda)}
    edits = (
        *(
            view.rename("features", key, misspelt_as[name], to=name)
            for name in wrong
            if name in misspelt_as and name not in present
        ),
        *(view.set("features", key, name, value=right) for name, right in wrong.items()),
    )
    if not isinstance(value, dict):
        edits = (view.set("features", key, value=options),)
    yield Change(
        "TF503",
        f"TensorFlow {plan.release.version} needs CUDA {plan.gpu.cuda} and cuDNN "
        f"{plan.gpu.cudnn}, but the feature has {seen}",
        "Write " + ", ".join(f"{name} {json.dumps(right)}" for name, right in wrong.items()),
        ("features", key, next((name for name in wrong if name in present), "")),
        edits,
    )


def unknown_options(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Options that a feature doesn't know, and therefore ignores."""
    plan = spec.plan
    for feature in (spec.images.cuda, spec.images.git_lfs):
        if feature is spec.images.cuda and plan and plan.gpu.mode != "system" and spec.whole:
            continue  # the feature is removed
        for key in view.features(feature.id):
            yield from _unknown(view, feature, key)


def _unknown(view: View, feature: Feature, key: str) -> Iterator[Change]:
    options = view.get("features", key)
    if not isinstance(options, dict):
        return
    for name, right in misspelt(options, feature):
        edits: tuple[Edit, ...] = ()
        remedy = f"Its options are {format_list(feature.options)}"
        if right is not None and right in options:
            remedy, edits = (
                f"Remove it: {right} is there already",
                (view.remove("features", key, name),),
            )
        elif right is not None:
            remedy, edits = f"Write {right}", (view.rename("features", key, name, to=right),)
        message = f"the feature {feature.name} has no option {name}, and silently ignores it"
        yield Change("TF505", message, remedy, ("features", key, name), edits)


def misspelt(options: Iterable[str], feature: Feature) -> Iterator[tuple[str, str | None]]:
    """The options that a feature doesn't know, each with the one that is meant."""
    known = {name.lower(): name for name in feature.options}
    taken: set[str] = set()
    for name in options:
        if name not in feature.options:
            near = get_close_matches(name.lower(), known, 1, 0.8)
            right = known[near[0]] if near and near[0] not in taken else None
            taken.update(near[:1])
            yield name, right


def _versions(
    view: View, spec: ContainerSpec, keys: tuple[str, ...], kept: str
) -> Iterator[Change]:
    """Whether one version of the feature is there, and not a retired one."""
    feature = spec.images.cuda
    if feature_major(kept) in feature.retired:
        right = from_registry_of(kept, feature.reference)
        # Without a plan it is unknown whether the new version has the requested CUDA.
        rename = view.rename("features", kept, to=right)
        yield Change(
            "TF505",
            f"{kept} is a retired version of the feature",
            f"Use {right}",
            ("features", kept),
            (rename,) if spec.plan is not None else (),
        )
    for key in keys:
        if key != kept:
            yield Change(
                "TF505",
                f"{key} is installed beside {kept}, and both install CUDA",
                "Remove it",
                ("features", key),
                (view.remove("features", key),),
            )


def brings_cuda(document: JsoncDocument, images: Images) -> bool:
    """Whether the feature that installs CUDA is there."""
    features = document.get(("features",))
    path = feature_path(images.cuda.id)
    return isinstance(features, dict) and path in map(feature_path, features)


# -- the GPU --------------------------------------------------------------------------------


def gpu_request(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether the container requests a GPU in the form that its engine takes, if it needs one."""
    plan = spec.plan
    if plan is None:
        return
    if plan.gpu.mode == "none":
        yield from _superfluous_request(view, spec)
        return
    if not (spec.whole or view.features(spec.images.cuda.id)):
        return
    if is_service(view):
        yield from _service_without_gpu(view)
        return
    removal, problem = _failing_request(view, spec)
    if _asks_by_retired_arguments(view, spec) and not removal:
        return  # `retired_arguments` writes another request in their place
    request, remedy = _request(view, spec)
    if not requests_gpu(view, spec):
        message = problem or "the container does not ask for a GPU"
        yield Change("TF504", message, remedy, ("hostRequirements",), (*removal, *request))
    elif removal:
        remedy = "Remove it: runArgs ask for the GPU"
        yield Change("TF504", problem, remedy, ("hostRequirements", "gpu"), removal)


def _request(view: View, spec: ContainerSpec) -> tuple[tuple[Edit, ...], str]:
    """The edits that request a GPU, and the remedy in words."""
    argument = _argument(spec)
    if argument is None:
        edit = view.set("hostRequirements", "gpu", value="optional")
        return (edit,), 'Write "hostRequirements": {"gpu": "optional"}'
    edit = Edit(view.path, "append", ("runArgs",), argument)
    return (edit,), f'Write "runArgs": ["{argument}"]'


def _service_without_gpu(view: View) -> Iterator[Change]:
    """A service whose compose file gives it no GPU; nothing else can."""
    if service_has_gpu(view) != "no":
        return
    yield Change(
        "TF504",
        f"the compose file gives the service {view.get('service')} no GPU, and hostRequirements "
        "and runArgs do not reach a service",
        f"In {format_list(compose_files(view))} add to the service: {_IN_COMPOSE}",
        ("dockerComposeFile",),
        (),
    )


def _argument(spec: ContainerSpec) -> str | None:
    """The engine's argument for every GPU; None where hostRequirements request it."""
    if spec.settings.engine == "podman":
        return _PODMAN_ARGUMENT
    return _DOCKER_ARGUMENT if spec.settings.gpu_required else None


def _failing_request(view: View, spec: ContainerSpec) -> tuple[tuple[Edit, ...], str]:
    """The edits that remove a request that does not work here, and why it does not."""
    request = view.object("hostRequirements").get("gpu")
    removal = view.remove_member("hostRequirements", "gpu")
    if spec.settings.engine == "podman" and request is not None:
        return (removal,), "Podman fails with a GPU in hostRequirements"
    if spec.settings.gpu_required and request in ("optional", True):
        return (removal,), "hostRequirements let the container start without a GPU"
    return (), ""


def _superfluous_request(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Removes what `gpu_request` writes, and nothing else: a user's own request stays."""
    if spec.whole and view.object("hostRequirements").get("gpu") == "optional":
        yield Change.convenience(view.remove_member("hostRequirements", "gpu"))
    arguments = view.run_arguments
    if spec.whole and spec.settings.engine == "podman" and _PODMAN_ARGUMENT in arguments:
        index = arguments.index(_PODMAN_ARGUMENT)
        edit = view.remove("runArgs", index) if len(arguments) > 1 else view.remove("runArgs")
        yield Change.convenience(edit)


def requests_gpu(view: View, spec: ContainerSpec) -> bool:
    """Whether a request for a GPU is there that stays and that the engine takes."""
    request = view.object("hostRequirements").get("gpu")
    if request not in (None, False) and not _failing_request(view, spec)[0]:
        return True
    return _staying_request(view, spec) is not None


def _staying_request(view: View, spec: ContainerSpec) -> str | None:
    """The argument that asks for a GPU and stays."""
    arguments = view.run_arguments
    removed = {*_positions(arguments, _retired_arguments(spec))}
    stays = (item for index, item in enumerate(arguments) if index not in removed)
    return next((item for item in stays if item.startswith(_REQUESTS)), None)


def _asks_by_retired_arguments(view: View, spec: ContainerSpec) -> bool:
    arguments = view.run_arguments
    retired = _positions(arguments, _retired_arguments(spec))
    return any(arguments[index].startswith(_REQUESTS) for index in retired)


def retired_arguments(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Docker's arguments with which a container doesn't start everywhere."""
    if is_service(view):
        return  # to which they mean nothing
    arguments = view.run_arguments
    seen = {
        argument: why
        for argument, why in _retired_arguments(spec).items()
        if _positions(arguments, [argument])
    }
    if not seen:
        return
    positions = _positions(arguments, seen)
    edits = [view.remove("runArgs", index) for index in reversed(positions)]
    if len(positions) > _MOST_REMOVALS:
        removed = {*positions}
        left = [item for index, item in enumerate(arguments) if index not in removed]
        edits = [view.set("runArgs", value=value) for value in (None, left)]
    if len(positions) == len(arguments):
        edits = [view.remove("runArgs")]
    argument = _staying_request(view, spec) or _argument(spec)
    remedy = "Remove it: "
    remedy += (
        f'"{argument}" asks for a GPU'
        if argument
        else '"hostRequirements" asks for a GPU where there is one'
    )
    if not requests_gpu(view, spec) and (spec.plan is None or spec.plan.gpu.mode != "none"):
        # It was the file's only request for a GPU.
        edits += _request(view, spec)[0]
    yield Change("TF505", ", and ".join(seen.values()), remedy, ("runArgs",), tuple(edits))


def capabilities(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a container that limits the parts of the driver gets those that TensorFlow needs.

    One without a limit gets them from NVIDIA's container toolkit.
    """
    plan = spec.plan
    if plan is None or plan.gpu.mode == "none" or not spec.whole:
        return
    needed = driver_capabilities(plan.release)
    for path, before, value in _limits(view):
        mounted = [item.strip() for item in value.split(",")]
        missing = [item for item in needed if item not in mounted]
        if missing and "all" not in mounted:
            yield Change(
                "TF504",
                f"the container gets only {value} of the driver, but TensorFlow "
                f"{plan.release.version} needs {format_list(missing)}",
                f"Add {format_list(missing)} to {_LIMIT}",
                path,
                (Edit(view.path, "set", path, f"{before}{','.join([value, *missing])}"),),
            )


def _limits(view: View) -> Iterator[tuple[KeyPath, str, str]]:
    """Each limit that is written out: its place, the text before it there, and its value."""
    found: list[tuple[KeyPath, str, Any]] = [
        (("containerEnv", _LIMIT), "", view.object("containerEnv").get(_LIMIT))
    ]
    for index, item in enumerate(view.run_arguments):
        if match := re.fullmatch(rf"(?P<before>(?:-e=?|--env=)?{_LIMIT}=)(?P<limit>.*)", item):
            found.append((("runArgs", index), match["before"], match["limit"]))
    for path, before, limit in found:
        if isinstance(limit, str) and limit and "$" not in limit:
            yield path, before, limit


def _retired_arguments(spec: ContainerSpec) -> dict[str, str]:
    """The arguments to remove, each with the reason."""
    found = {"--runtime=nvidia": "--runtime=nvidia fails where that runtime isn't registered"}
    if spec.whole and spec.plan is not None:
        if spec.settings.engine == "podman":
            found[_DOCKER_ARGUMENT] = (
                "--gpus=all is an option of Docker, which not every Podman has"
            )
        elif not spec.settings.gpu_required or spec.plan.gpu.mode == "none":
            found[_DOCKER_ARGUMENT] = "--gpus=all fails where there is no GPU"
        if spec.settings.engine == "docker":
            # Unless the project says Docker, somebody may use it with Podman.
            why = "--device=nvidia.com/gpu=all is an option of Podman, which not every Docker has"
            found[_PODMAN_ARGUMENT] = why
    return found


def _positions(items: list[str], arguments: Collection[str]) -> list[int]:
    """The indexes of the items that are one of the arguments, in one piece or in two."""
    found: list[int] = []
    for index, (item, following) in enumerate(pairwise([*items, ""])):
        if item in arguments:
            found.append(index)
        elif f"{item}={following}" in arguments:
            found += [index, index + 1]
    return found
