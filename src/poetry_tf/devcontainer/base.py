"""The base of a container and what surrounds it: name, image, Git LFS, the editor."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.devcontainer.image import (
    OUR_VARIABLE,
    PythonImage,
    by_variable,
    has_base_of_its_own,
    python_image,
)
from poetry_tf.devcontainer.spec import ContainerSpec, generated_name, name_before_series
from poetry_tf.devcontainer.view import Change, View
from poetry_tf.files.edits import Edit
from poetry_tf.files.values import KeyPath
from poetry_tf.plan.model import Plan


def name(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    present = view.get("name")
    if view.is_new and present is None:
        edit = view.set("name", value=wanted.name)
        yield Change(None, "it has no name", "", ("name",), (edit,))
    before = name_before_series(present)
    if before is None or wanted.plan is None or not wanted.whole:
        return
    if present != (current := generated_name(before, wanted.plan)):
        edit = view.set("name", value=current)
        yield Change(None, "it is named after another series", "", ("name",), (edit,))


def image(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    """Python, and whether the image still works."""
    if has_base_of_its_own(view.document):
        return
    present, plan = view.get("image"), wanted.plan
    if present is None:
        if plan is not None and wanted.whole:
            best = wanted.image(plan.python)
            edit = view.set("image", value=best)
            yield Change("TF502", "no image is named", f"Use {best}", ("image",), (edit,))
        return
    parsed = python_image(present)
    if parsed is None:
        return  # an image of the user's own, of which nothing is known
    if plan is not None and parsed.python not in plan.pythons:
        yield _other_python(view, wanted, plan, parsed)
    elif parsed.is_devcontainers and parsed.generation in wanted.images.retired_generations:
        yield _retired(view, wanted, parsed)
    elif wanted.whole and plan is not None:
        yield from _registry(view, wanted, parsed)


def _registry(view: View, wanted: ContainerSpec, parsed: PythonImage) -> Iterator[Change]:
    """The registry as the project wants it; the tag stays.

    Without such a wish only the variable that poetry-tf writes is taken back.
    """
    registry = wanted.settings.registry
    present = view.get("image")
    if not parsed.is_devcontainers or (registry is None and not present.startswith(OUR_VARIABLE)):
        return
    right = f"{wanted.images.repository.rpartition('/')[0]}/{present.rpartition('/')[2]}"
    if registry is not None:
        right = by_variable(right, registry)
    if present != right:
        edit = view.set("image", value=right)
        yield Change(None, "the image is from another registry", "", ("image",), (edit,))


def _best(wanted: ContainerSpec, python: str, parsed: PythonImage) -> str:
    """The image for a Python minor, from where the one that is there comes from."""
    ours = parsed.repository.startswith(OUR_VARIABLE)
    if wanted.settings.registry is None and parsed.is_by_variable and not ours:
        return f"{parsed.repository}:{wanted.images.tag(python)}"
    return wanted.image(python)


def _other_python(view: View, wanted: ContainerSpec, plan: Plan, parsed: PythonImage) -> Change:
    best = _best(wanted, plan.python, parsed)
    message = f"the image {view.get('image')} doesn't say which Python it has"
    if parsed.python:
        message = (
            f"the image has Python {parsed.python}, but the project with TensorFlow "
            f"{plan.release.version} runs on Python {' or '.join(plan.pythons)}"
        )
    edit = view.set("image", value=best)
    return Change("TF502", message, f"Use {best}", ("image",), (edit,))


def _retired(view: View, wanted: ContainerSpec, parsed: PythonImage) -> Change:
    """Without a plan the image may have a Python that no other image has."""
    images = wanted.images
    remedy = f"Use an image {images.generation}-…: they have Python {', '.join(images.pythons)}"
    edits: tuple[Edit, ...] = ()
    if parsed.python in images.pythons:
        best = _best(wanted, parsed.python, parsed)
        remedy, edits = f"Use {best}", (view.set("image", value=best),)
    message = f"the images {parsed.generation}-… are retired: no feature installs in them"
    return Change("TF505", message, remedy, ("image",), edits)


def git_lfs(view: View, wanted: ContainerSpec) -> Iterator[Change]:
    feature = wanted.images.git_lfs
    wants = wanted.plan is not None and wanted.whole and wanted.git_lfs
    if wants and not view.features(feature.id):
        # Its own pull fails, and the container with it, in a repository without a commit.
        edit = view.set("features", feature.reference, value={"autoPull": False})
        yield Change(None, "the project uses Git LFS", "", ("features",), (edit,))


def extension(view: View, _: ContainerSpec) -> Iterator[Change]:
    path: KeyPath = ("customizations", "vscode", "extensions")
    if view.is_new and view.document.get(path) is None:
        edit = Edit(view.path, "set", path, ["ms-python.python"])
        yield Change(None, "VS Code has no Python extension", "", path, (edit,))
