"""TF5xx: whether the dev container has what the locked TensorFlow needs."""

from __future__ import annotations

from collections.abc import Iterator

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.edits import Edit
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import configurations
from poetry_tf.plan.derive import needs_container
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.plan.model import NoContainerError
from poetry_tf.plan.requirement import tensorflow_requirements
from poetry_tf.pyproject.cuda_extra import cuda_extra_edits
from poetry_tf.releases.images import load_images


@rule("TF501", fixable=True)
def missing_or_unreadable(context: Context) -> Iterator[Finding]:
    """devcontainer.json is missing in a project that poetry-tf manages, or can't be read.

    A missing one is written for the TensorFlow that is locked, or else pinned. None is missing
    where a named one (`.devcontainer/NAME/devcontainer.json`) uses Poetry or installs CUDA. A
    project that is to have none says `devcontainer = "off"` in `[tool.poetry-tf]`. One that can't
    be read is left as it is, because nobody knows what it was to say.
    """
    project = context.project
    found = configurations(project)
    for broken in found:
        if isinstance(broken, ProjectError):
            yield Finding(
                broken.path,
                broken.position,
                f"devcontainer.json can't be read: {broken.message}",
                "Fix it by hand; nothing is written into a file that can't be read",
            )
    if not found and needs_container(project):
        path, edits = project.devcontainer_path, []
        if context.plan is not None:
            spec = container_spec(project, context.plan, load_images(), whole=True)
            document = synchronize(path, JsoncDocument.parse("{}\n"), spec)
            edits = [Edit(path, "create", (), document.text)]
        message = "the project has no dev container"
        yield Finding(path, None, message, "Run `poetry tf devcontainer`", tuple(edits))


@rule("TF502", fixable=True)
def python(context: Context) -> Iterator[Finding]:
    """The container's Python is not one that the project's TensorFlow runs on.

    `poetry install` then refuses that Python, or takes another that happens to be there. Read are
    the image for Python, the feature `python`, which goes before it, and arguments of the build
    (`PYTHON_VERSION`, `VARIANT` where the Dockerfile begins with an image for Python). Or no
    container can be made at all: images that still work, and the Poetry that can lock a project,
    begin at Python 3.10.
    """
    error, project = context.plan_error, context.project
    if isinstance(error, NoContainerError):
        place = context.at(project.pyproject.python_path)
        yield Finding(*place, error.message, error.remedy)
    yield from _changes(context, "TF502")


@rule("TF503", fixable=True)
def cuda(context: Context) -> Iterator[Finding]:
    """The container's CUDA or cuDNN is not the one that the project's TensorFlow goes with.

    TensorFlow opens these libraries by their version. Where it finds another it falls back to the
    CPU, with a warning that is easily missed. Found are other versions, none where the container is
    to bring them, and a second CUDA beside the one from the `and-cuda` wheels. poetry-tf links the
    libraries that a release overlooks (2.21.0, 2.16.1). In a container without poetry-tf,
    `LD_LIBRARY_PATH` has to name their folders; where it isn't needed any more, it is found too.
    Beside a TensorFlow that is newer than what poetry-tf knows, what was made for another series is
    found by the lock.
    """
    plan, project = context.plan, context.project
    item, items = main_requirement(project), tensorflow_requirements(project)
    if (
        plan is not None
        and plan.gpu.mode == "pip"
        and project.pyproject.is_managed
        and item is not None
        and not any("and-cuda" in other.extras for other in items)
    ):
        yield Finding(
            *context.at(item.path),
            f"{item.name} is required without and-cuda, but its wheels are to bring CUDA "
            f"({plan.gpu.why})",
            "Add the extra where its wheels fit, or choose another gpu in [tool.poetry-tf]",
            cuda_extra_edits(project, plan),
        )
    yield from _changes(context, "TF503")


@rule("TF504", fixable=True)
def gpu_not_requested(context: Context) -> Iterator[Finding]:
    """The container does not ask for a GPU, so it starts without one.

    TensorFlow then runs on the CPU without a word. `"hostRequirements": {"gpu": "optional"}` gives
    the container a GPU where the host has one, and starts it also where not. A project that wants
    none says `gpu = "none"` in `[tool.poetry-tf]`. With `engine = "podman"` there, or with
    `gpu-required = true`, an argument in `runArgs` asks for it instead: Podman fails over a GPU in
    hostRequirements, and they let a container start without one. Neither reaches a service of a
    compose file: there `gpus`, `runtime: nvidia` or `deploy.resources.reservations.devices` asks
    for it, and a compose file that can't be read is no finding. A `NVIDIA_DRIVER_CAPABILITIES`
    that withholds a part of the driver which TensorFlow needs is found as well.
    """
    yield from _changes(context, "TF504")


@rule("TF505", fixable=True)
def retired(context: Context) -> Iterator[Finding]:
    """The container uses a feature, an image or an option that no longer works.

    Features and images are taken from places that move on: an organisation was deleted, a package
    source has gone, a version is frozen on an old repository. An option that a feature doesn't
    know, such as `installCudann`, is passed over in silence, so that cuDNN is missing: the one that
    was meant takes its place, where that is clear. `--runtime=nvidia` and, in a project that
    poetry-tf manages, `--gpus=all` keep the container from starting on machines that have no such
    runtime or no GPU. This is told even where no container can be made for the project: what is
    retired works for nobody.
    """
    yield from _changes(context, "TF505")


@rule("TF506", "warning", fixable=True)
def poetry_not_pinned(context: Context) -> Iterator[Finding]:
    """Poetry in the container has no fixed version, or not the one that wrote the lock.

    Another Poetry may judge the lock stale, or write it in another form, so that two people undo
    each other's lock. The version is taken from the lock; it is a warning because most often they
    do agree.
    """
    yield from _changes(context, "TF506")


@rule("TF507", fixable=True)
def keras_2_not_switched_on(context: Context) -> Iterator[Finding]:
    """The container does not switch to Keras 2, which the project chose.

    From 2.16 on `tf.keras` is Keras 3. A project with `keras = "legacy"` in `[tool.poetry-tf]`
    keeps Keras 2: it requires `tf-keras`, and TensorFlow takes that only where the variable
    `TF_USE_LEGACY_KERAS` is set before it is imported.
    """
    yield from _changes(context, "TF507")


@rule("TF508", fixable=True)
def poetry_tf_by_name(context: Context) -> Iterator[Finding]:
    """The container installs poetry-tf by its name, which is not this project's on PyPI.

    Anybody may take a free name on PyPI, and what is installed by it runs in the container. Where
    the poetry-tf that runs here was installed from Git by https, or from an archive by https with
    its hash, the container installs the same one. From a local file or folder, or by ssh, it can't:
    then the container has Poetry alone, which installs from the lock. A command that poetry-tf has
    not written is for a person to change.
    """
    yield from _changes(context, "TF508")


@rule("TF509", "warning", fixable=True)
def earlier_form(context: Context) -> Iterator[Finding]:
    """The container has commands as an earlier poetry-tf wrote them.

    They were long, left an environment of another Python to shell commands, and a failed
    `poetry install` skipped every later command, the one that says so included. The present ones
    do the same, each in a short line. What a person changed in them stays.
    """
    yield from _changes(context, "TF509")


def _changes(context: Context, code: str) -> Iterator[Finding]:
    """The findings for the changes of all containers that belong to one rule."""
    for found, changes in context.containers:
        for change in changes:
            if change.code == code:
                yield Finding(
                    found.path,
                    found.document.nearest(change.path),
                    change.message,
                    change.remedy,
                    change.edits,
                )
