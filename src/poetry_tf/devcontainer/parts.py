"""The parts of a container, how firmly each is fixed, and where its value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from poetry_tf.devcontainer.compose import compose_files, is_service, service_has_gpu
from poetry_tf.devcontainer.image import python_image
from poetry_tf.devcontainer.plugin import names_no_address, plugin_requirement, why_no_plugin
from poetry_tf.devcontainer.poetry import container_poetrys
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.variables import LIBRARY_PATH
from poetry_tf.devcontainer.view import View
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import Plan
from poetry_tf.releases import Catalog
from poetry_tf.releases.images import Feature
from poetry_tf.releases.nvidia import overlooked_folders
from poetry_tf.text import format_list


@dataclass(frozen=True)
class ContainerPart:
    """One part of a container."""

    name: str
    value: str
    origin: str
    """Where the value comes from, and what of it may still change."""


def list_parts(
    path: Path, document: JsoncDocument, spec: ContainerSpec, catalog: Catalog
) -> Iterator[ContainerPart]:
    """The parts that a devcontainer.json fixes, then those that nothing in it can fix."""
    view = View(path, document, is_new=False)
    plan = spec.plan
    if plan is None:
        return
    yield _base(view, plan)
    if plan.gpu.mode != "none" and is_service(view) and service_has_gpu(view) == "unknown":
        files = format_list(compose_files(view)) or "the compose file"
        yield ContainerPart("GPU", "unknown", f"could not read what {files} requests")
    elif plan.gpu.mode != "none" and not is_service(view):
        yield _gpu(spec)
    for feature in (spec.images.cuda, spec.images.git_lfs):
        yield from _feature(view, feature)
    yield from _cuda(view, spec, plan, catalog)
    for written, _ in container_poetrys(path, document, spec.images):
        yield ContainerPart(
            "Poetry", written or "any", f"the Poetry that {spec.why_poetry.lower()}"
        )
    yield from _plugin(view, spec)
    yield ContainerPart(
        "TensorFlow",
        str(plan.release.version),
        "poetry.lock, with the hash of each file, as for all packages"
        if spec.wrote_lock
        else "pyproject.toml; `poetry lock` fixes the version, with the hash of each file",
    )
    if plan.gpu.mode != "none":
        yield ContainerPart("driver", "the host's", "not fixed: any driver that supports this CUDA")


def _gpu(spec: ContainerSpec) -> ContainerPart:
    """How the container gets the GPU, and where it does not."""
    check = "to check it, run `poetry tf doctor` on the host"
    if spec.settings.engine == "podman":
        value, origin = "required, by CDI", "Podman reads a file that describes the GPUs"
    elif spec.settings.gpu_required:
        value = "required"
        origin = "Docker passes it on with the nvidia runtime, from 29.2 on with CDI as well"
    else:
        value = "where there is one"
        origin = "the container tools pass it on where Docker knows the nvidia runtime"
    return ContainerPart("GPU", value, f"{origin}; {check}")


def _plugin(view: View, spec: ContainerSpec) -> Iterator[ContainerPart]:
    requirement, origin = plugin_requirement(view), spec.poetry_tf
    if requirement is not None:
        by_name = "from an index; the version that wrote the file"
        by_address = "from the address that the poetry-tf that wrote the file came from"
        source = by_name if names_no_address(requirement) else by_address
        yield ContainerPart("poetry-tf", requirement, source)
    elif origin.requirement is None and not view.own_base:
        yield ContainerPart("poetry-tf", "none", why_no_plugin(origin))


def _base(view: View, plan: Plan) -> ContainerPart:
    image = view.get("image")
    if view.own_base or image is None:
        name = "your own image" if image else "your own Dockerfile or services"
        return ContainerPart(
            "base", str(image or name), f"yours: poetry-tf does not look into {name}"
        )
    parsed = python_image(image)
    python = parsed.python if parsed else None
    origin = f"Python {python or plan.python}, on which TensorFlow {plan.release.version}"
    origin += " and the project run; "
    if "@" in image:
        origin += "its digest fixes it"
    else:
        origin += (
            "the tag is fixed; its image still gets Debian updates. To fix the image as well, add "
            "the digest (@sha256:…), which `docker buildx imagetools inspect` shows"
        )
    if parsed and parsed.is_by_variable:
        origin += "; each machine may name its registry in POETRY_TF_REGISTRY"
    return ContainerPart("image", str(image), origin)


def _feature(view: View, feature: Feature) -> Iterator[ContainerPart]:
    for key in view.features(feature.id):
        origin = (
            "its major version is fixed; devcontainer-lock.json, which the container tools write,"
        )
        yield ContainerPart("feature", key, f"{origin} fixes the rest: commit it")


def _library_path(view: View, plan: Plan) -> Iterator[ContainerPart]:
    """The folders of the wheels that TensorFlow overlooks."""
    parts = overlooked_folders(plan.release)
    if parts and LIBRARY_PATH in view.object("remoteEnv"):
        folders = format_list(f"nvidia/{part}/lib" for part in parts)
        version = plan.release.version
        origin = (
            f"TensorFlow {version} opens libraries there, but the RUNPATH in its wheel lacks them"
        )
        yield ContainerPart(
            LIBRARY_PATH, folders, f"{origin}; a release with that RUNPATH doesn't need it"
        )


def _cuda(view: View, spec: ContainerSpec, plan: Plan, catalog: Catalog) -> Iterator[ContainerPart]:
    if plan.gpu.mode == "pip":
        yield ContainerPart(
            "CUDA and cuDNN", "the and-cuda wheels'", "poetry.lock, with their hashes"
        )
        yield from _library_path(view, plan)
    pair = catalog.container_pair(plan.release)
    if plan.gpu.mode != "system" or pair is None:
        return
    if not view.features(spec.images.cuda.id):
        yield ContainerPart(
            "CUDA and cuDNN", "your own", f"has to be CUDA {pair.cuda} and cuDNN {pair.cudnn}"
        )
        return
    proof = "proven" if pair.proven and not plan.gpu.clashing else "not proven"
    origin = f"{proof} for TensorFlow {plan.release.series}: {pair.source}"
    yield ContainerPart("CUDA", pair.cuda, origin)
    yield ContainerPart("cuDNN", pair.cudnn, pair.note or "goes with that CUDA")
