"""The base of a container and what surrounds it: name, image, Git LFS, the editor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from poetry_tf.devcontainer.image import (
    OUR_VARIABLE,
    PythonImage,
    StatedPython,
    builds_own_image,
    feature_path,
    feature_python,
    image_distribution,
    python_image,
    with_registry_variable,
)
from poetry_tf.devcontainer.spec import ContainerSpec, generated_name, name_before_series
from poetry_tf.devcontainer.view import Change, View, with_version
from poetry_tf.files.edits import Edit
from poetry_tf.files.positions import newline_of
from poetry_tf.files.values import KeyPath, as_table, as_texts
from poetry_tf.plan.model import Plan
from poetry_tf.releases.model import numbers
from poetry_tf.text import format_list

_ORDER = "overrideFeatureInstallOrder"
_COMMENT = re.compile(r"// Written by poetry-tf for TensorFlow [\d.]+[^\r\n]*")


def comment(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a file that poetry-tf wrote says so, and for which TensorFlow."""
    if spec.plan is None or not spec.whole:
        return
    right, before = written_by(spec.plan), view.document.before
    if view.is_new and not before.strip():
        yield Change.convenience(with_comment(view, right))
    elif (found := _COMMENT.search(before)) and found[0] != right:
        text = f"{before[: found.start()]}{right}{before[found.end() :]}"
        yield Change.convenience(view.replace(view.document.with_before(text)))


def with_comment(view: View, comment: str) -> Edit:
    """A comment on top of the file."""
    document = view.document
    return view.replace(
        document.with_before(f"{comment}{newline_of(document.text)}{document.before}")
    )


def written_by(plan: Plan) -> str:
    return (
        f"// Written by poetry-tf for TensorFlow {plan.release.series}. "
        "To update it: poetry tf devcontainer"
    )


def name(view: View, spec: ContainerSpec) -> Iterator[Change]:
    present = view.get("name")
    if view.is_new and present is None:
        yield Change.convenience(view.set("name", value=spec.name))
    before = name_before_series(present)
    if before is None or spec.plan is None or not spec.whole:
        return
    if present != (current := generated_name(before, spec.plan)):
        yield Change.convenience(view.set("name", value=current))


# An argument that names Python; VARIANT does where the Dockerfile begins with an image for Python.
_ARGUMENT = re.compile(r"python(?:_?version)?", re.IGNORECASE)
_VARIANT = re.compile(r"^\s*FROM\s+\S*python:\S*\$\{?VARIANT\b", re.IGNORECASE | re.MULTILINE)
_VALUE = re.compile(r"(?:\d+(?:\.\d+)*-)?(?P<python>3\.\d+)(?:\.\d+)*(?:-[\w.-]+)?")


def python(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether a Python that a feature or an argument of the build names fits."""
    plan, feature = spec.plan, feature_python(view.document)
    if plan is None:
        return
    if feature is not None and feature.python not in plan.pythons:
        edits = (view.set(*map(str, feature.path), value=plan.python),)
        yield _misfit(feature, plan, "the feature installs Python", edits)
    stated = _argument_python(view) if feature is None else None
    if stated is not None and stated.python not in plan.pythons:
        yield _misfit(stated, plan, f"the image is built with {stated.path[-1]}", ())


def _misfit(stated: StatedPython, plan: Plan, what: str, edits: tuple[Edit, ...]) -> Change:
    message = (
        f"{what} {stated.written}, but the project with TensorFlow {plan.release.version} runs on "
        f"Python {' or '.join(plan.pythons)}"
    )
    return Change("TF502", message, f"Set Python {plan.python}", stated.path, edits)


def _argument_python(view: View) -> StatedPython | None:
    """The Python that an argument of the build names."""
    for name, value in as_table(view.get("build", "args")).items():
        match = _VALUE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            continue
        if _ARGUMENT.fullmatch(name) or (name == "VARIANT" and _VARIANT.search(_dockerfile(view))):
            return StatedPython(value, match["python"], ("build", "args", name))
    return None


def _dockerfile(view: View) -> str:
    """The text of the Dockerfile; empty if it can't be read."""
    name = view.get("build", "dockerfile")
    return (view.workspace.read(view.path.parent / name) or "") if isinstance(name, str) else ""


def image(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether the image has a Python that fits, and still works."""
    if builds_own_image(view.document):
        return
    present, plan = view.get("image"), spec.plan
    if present is None:
        if plan is not None and spec.whole:
            best = spec.image(plan.python)
            edit = view.set("image", value=best)
            yield Change("TF502", "no image is named", f"Use {best}", ("image",), (edit,))
        return
    parsed = python_image(present)
    if parsed is None:
        return  # an image of the user's own: nothing is known of it
    by_feature = feature_python(view.document) is not None
    if plan is not None and parsed.python not in plan.pythons and not by_feature:
        yield _other_python(view, spec, plan, parsed)
    elif parsed.is_devcontainers and parsed.generation in spec.images.retired_generations:
        yield _retired(view, spec, parsed)
    elif spec.whole and plan is not None:
        yield from _registry(view, spec, parsed)


def distribution(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Whether CUDA can be installed in the image's distribution."""
    plan, feature, present = spec.plan, spec.images.cuda, view.get("image")
    if plan is None or plan.gpu.cuda is None or builds_own_image(view.document):
        return
    is_installed = bool(view.features(feature.id)) or (spec.whole and not view.own_base)
    found = image_distribution(present)
    if not is_installed or found is None or any(change.code for change in image(view, spec)):
        return  # another image is written then
    cuda = numbers(plan.gpu.cuda)
    lacking = [name for name, least in feature.least_cuda.items() if cuda < numbers(least)]
    if found.name not in (None, *lacking) or not lacking:
        return
    best = found.named(spec.images.distribution)
    parsed = python_image(present)
    if parsed is not None and parsed.generation is None and parsed.python is None:
        best = _best(spec, plan.python, parsed)
    message = f"CUDA {plan.gpu.cuda} can't be installed on {found.name}"
    if found.name is None:
        message = (
            f"the image {present} doesn't say which distribution it has, and CUDA {plan.gpu.cuda} "
            f"can't be installed on {format_list(lacking)}"
        )
    edit = view.set("image", value=best)
    yield Change("TF503", message, f"Use {best}", ("image",), (edit,))


def _registry(view: View, spec: ContainerSpec, parsed: PythonImage) -> Iterator[Change]:
    """Whether the image is from the project's registry; the tag stays.

    Without that setting only the variable that poetry-tf writes is removed.
    """
    registry = spec.settings.registry
    present = view.get("image")
    if not parsed.is_devcontainers or (registry is None and not present.startswith(OUR_VARIABLE)):
        return
    right = f"{spec.images.repository.rpartition('/')[0]}/{present.rpartition('/')[2]}"
    if registry is not None:
        right = with_registry_variable(right, registry)
    if present != right:
        yield Change.convenience(view.set("image", value=right))


def _best(spec: ContainerSpec, python: str, parsed: PythonImage) -> str:
    """The image for a Python minor, from the registry of the present one."""
    registry, best = parsed.registry, spec.image(python)
    if registry is None or registry.startswith(OUR_VARIABLE) or spec.settings.registry is not None:
        return best
    return f"{registry}/{best.partition('/')[2]}"


def _other_python(view: View, spec: ContainerSpec, plan: Plan, parsed: PythonImage) -> Change:
    best = _best(spec, plan.python, parsed)
    message = f"the image {view.get('image')} doesn't say which Python it has"
    if parsed.python:
        message = (
            f"the image has Python {parsed.python}, but the project with TensorFlow "
            f"{plan.release.version} runs on Python {' or '.join(plan.pythons)}"
        )
    edit = view.set("image", value=best)
    return Change("TF502", message, f"Use {best}", ("image",), (edit,))


def _retired(view: View, spec: ContainerSpec, parsed: PythonImage) -> Change:
    """A retired image. Without a plan it may have a Python that no newer image has."""
    images = spec.images
    remedy = f"Use an image {images.generation}-…: they have Python {', '.join(images.pythons)}"
    edits: tuple[Edit, ...] = ()
    if parsed.python in images.pythons:
        best = _best(spec, parsed.python, parsed)
        remedy, edits = f"Use {best}", (view.set("image", value=best),)
    message = f"the images {parsed.generation}-… are retired: no feature can be installed in them"
    return Change("TF505", message, remedy, ("image",), edits)


def git_lfs(view: View, spec: ContainerSpec) -> Iterator[Change]:
    feature = spec.images.git_lfs
    is_needed = spec.plan is not None and spec.whole and spec.git_lfs
    if is_needed and not view.features(feature.id):
        # Its own pull fails in a repository without a commit, and so does the container.
        edit = view.set("features", feature.reference, value={"autoPull": False})
        yield Change.convenience(edit)


def moved_features(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Features of the deleted organisation; that of Poetry has a subject of its own."""
    moved = spec.images.moved_features
    old = feature_path(moved.old)
    for_poetry = view.features(*spec.images.retired_poetry_features)
    for key in view.object("features"):
        path = feature_path(key)
        if not path.startswith(old) or key in for_poetry:
            continue
        message = f"{key} is gone: its organisation was deleted"
        successor = moved.successor(path.removeprefix(old))
        edits: tuple[Edit, ...] = ()
        if successor is None:
            remedy = "Install it in another way: nothing replaces it"
        elif present := view.features(successor):
            remedy, edits = (
                f"Remove it: {present[0]} is there already",
                (view.remove("features", key),),
            )
        else:
            new_key = with_version(successor, key)
            remedy, edits = f"Use {new_key}", (view.rename("features", key, to=new_key),)
        yield Change("TF505", message, remedy, ("features", key), edits)


def install_order(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """Features of the deleted organisation in the order of installation, which are looked up too.

    One that is still installed is a finding there; the order follows what replaces it.
    """
    moved, installed = spec.images.moved_features, set(map(feature_path, view.object("features")))
    old, order = feature_path(moved.old), view.get(_ORDER)
    listed = set(map(feature_path, as_texts(order)))
    for index, item in enumerate(order if isinstance(order, list) else []):
        path = feature_path(item) if isinstance(item, str) else ""
        if not path.startswith(old) or path in installed:
            continue
        successor = moved.successor(path.removeprefix(old)) or ""
        new = feature_path(successor)
        remedy = "Remove it: it is not installed"
        edit = view.remove(_ORDER, index) if len(order) > 1 else view.remove(_ORDER)
        if new in installed - listed:
            replacement = with_version(successor, item)
            remedy = f"Use {replacement}"
            edit = Edit(view.path, "set", (_ORDER, index), replacement)
        message = f"{item} is gone: its organisation was deleted"
        yield Change("TF505", message, remedy, (_ORDER, index), (edit,))


def extension(view: View, _: ContainerSpec) -> Iterator[Change]:
    path: KeyPath = ("customizations", "vscode", "extensions")
    if view.is_new and view.document.get(path) is None:
        yield Change.convenience(Edit(view.path, "set", path, ["ms-python.python"]))
