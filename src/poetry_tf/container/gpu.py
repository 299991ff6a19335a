"""CUDA in a container, and the GPU that it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from poetry_tf.container.view import Change, View
from poetry_tf.container.wanted import Wanted
from poetry_tf.plan import Plan

_Spellings: TypeAlias = tuple[tuple[str, ...], ...]

# What asks Docker for every GPU. hostRequirements asks as well, and both together pass it twice.
_GPU_ARGUMENTS: _Spellings = (("--gpus=all",), ("--gpus", "all"))
_RUNTIME_ARGUMENTS: _Spellings = (("--runtime=nvidia",), ("--runtime", "nvidia"))


# -- CUDA -----------------------------------------------------------------------------------


def cuda(view: View, wanted: Wanted) -> Iterator[Change]:
    """The feature that installs CUDA and cuDNN: whether it is there, and how it is set."""
    feature, plan = wanted.images.cuda, wanted.plan
    keys = view.features(feature.id)
    if plan is not None and plan.gpu.mode != "system" and wanted.whole:
        yield from _superfluous(view, plan, keys)
        return
    if keys:
        kept = feature.reference if feature.reference in keys else keys[0]
        if plan is not None and plan.gpu.mode == "system":
            yield from _options(view, plan, kept)
        yield from _versions(view, wanted, keys, kept)
    elif plan is not None and wanted.whole and not view.own_base:
        options = _right_options(plan)
        yield Change(
            "TF503",
            "no CUDA is installed in the container",
            f"Add {feature.reference} with CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}",
            ("features",),
            (view.set("features", feature.reference, value=options),),
        )


def _superfluous(view: View, plan: Plan, keys: tuple[str, ...]) -> Iterator[Change]:
    why = "wheels bring CUDA" if plan.gpu.mode == "pip" else "no GPU is asked for"
    for key in keys:
        yield Change(
            "TF503",
            f"CUDA is installed in the container, but {why}",
            "Remove the feature",
            ("features", key),
            (view.remove_member("features", key),),
        )


def _right_options(plan: Plan) -> dict[str, Any]:
    return {
        "installToolkit": True,
        "installCudnn": True,
        "cudaVersion": plan.gpu.cuda,
        "cudnnVersion": plan.gpu.cudnn,
    }


def _options(view: View, plan: Plan, key: str) -> Iterator[Change]:
    options, value = _right_options(plan), view.get("features", key)
    present = value if isinstance(value, dict) else {}
    wrong = {name: right for name, right in options.items() if present.get(name) != right}
    if not wrong:
        return
    seen = ", ".join(
        f"{name} {present[name]!r}" if name in present else f"no {name}" for name in wrong
    )
    edits = tuple(view.set("features", key, name, value=right) for name, right in wrong.items())
    if not isinstance(value, dict):
        edits = (view.set("features", key, value=options),)
    yield Change(
        "TF503",
        f"TensorFlow {plan.release.version} goes with CUDA {plan.gpu.cuda} and cuDNN "
        f"{plan.gpu.cudnn}, but the feature has {seen}",
        "Write " + ", ".join(f"{name} {_json(right)}" for name, right in wrong.items()),
        ("features", key, next((name for name in wrong if name in present), "")),
        edits,
    )


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


def _versions(view: View, wanted: Wanted, keys: tuple[str, ...], kept: str) -> Iterator[Change]:
    """One version of the feature is to be there, and that one alive."""
    right = wanted.images.cuda.reference
    if kept != right:
        # Without a plan nobody knows whether the new version has the CUDA that is asked for.
        rename = view.rename("features", kept, to=right)
        yield Change(
            "TF505",
            f"{kept} is a retired version of the feature",
            f"Use {right}",
            ("features", kept),
            (rename,) if wanted.plan is not None else (),
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


# -- the GPU --------------------------------------------------------------------------------


def gpu(view: View, wanted: Wanted) -> Iterator[Change]:
    """Whether the container asks for a GPU, where one is wanted."""
    plan = wanted.plan
    if plan is None:
        return
    if plan.gpu.mode == "none":
        yield from _unwanted_request(view, wanted)
    elif not asks_for_gpu(view, wanted) and (wanted.whole or view.features(wanted.images.cuda.id)):
        yield Change(
            "TF504",
            "the container does not ask for a GPU",
            'Write "hostRequirements": {"gpu": "optional"}',
            ("hostRequirements",),
            (view.set("hostRequirements", "gpu", value="optional"),),
        )


def _unwanted_request(view: View, wanted: Wanted) -> Iterator[Change]:
    """Takes back what `gpu` writes, and nothing else: a user's own request has its reason."""
    if wanted.whole and view.object("hostRequirements").get("gpu") == "optional":
        edit = view.remove_member("hostRequirements", "gpu")
        yield Change(None, "a GPU is asked for", "", ("hostRequirements", "gpu"), (edit,))


def asks_for_gpu(view: View, wanted: Wanted) -> bool:
    """Whether a GPU is asked for in a way that stays."""
    if view.object("hostRequirements").get("gpu") not in (None, False):
        return True
    going = [item for kind, _ in _retired_kinds(wanted) for item in kind]
    arguments = view.run_arguments
    gone = _positions(arguments, going)
    return any(
        item.startswith(("--gpus", "--device=nvidia", "nvidia.com/gpu"))
        for index, item in enumerate(arguments)
        if index not in gone
    )


def retired_arguments(view: View, wanted: Wanted) -> Iterator[Change]:
    """Arguments of Docker's with which a container doesn't start everywhere."""
    arguments = view.run_arguments
    seen = [item for item in _retired_kinds(wanted) if _positions(arguments, item[0])]
    if not seen:
        return
    positions = _positions(arguments, [item for kind, _ in seen for item in kind])
    edits = [view.remove("runArgs", index) for index in reversed(positions)]
    if len(positions) == len(arguments):
        edits = [view.remove("runArgs")]
    if not asks_for_gpu(view, wanted) and (wanted.plan is None or wanted.plan.gpu.mode != "none"):
        # It was the file's only way to a GPU.
        edits.append(view.set("hostRequirements", "gpu", value="optional"))
    yield Change(
        "TF505",
        ", and ".join(trouble for _, trouble in seen),
        'Remove it: "hostRequirements" asks for a GPU where there is one',
        ("runArgs",),
        tuple(edits),
    )


def _retired_kinds(wanted: Wanted) -> list[tuple[_Spellings, str]]:
    """The arguments that are to go, each with the trouble it makes."""
    kinds: list[tuple[_Spellings, str]] = [
        (_RUNTIME_ARGUMENTS, "--runtime=nvidia fails where that runtime isn't registered")
    ]
    if wanted.whole and wanted.plan is not None:
        kinds.append((_GPU_ARGUMENTS, "--gpus=all fails where there is no GPU"))
    return kinds


def _positions(items: list[str], sequences: Iterable[tuple[str, ...]]) -> list[int]:
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
