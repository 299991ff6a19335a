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

    `--fix` writes a missing one for the locked TensorFlow, or else for the pinned one. None is
    missing where a named one (`.devcontainer/NAME/devcontainer.json`) uses Poetry or installs CUDA.
    To have no container, write `devcontainer = "off"` in `[tool.poetry-tf]`. A file that can't be
    read has to be fixed by hand: poetry-tf does not change it.
    """
    project = context.project
    found = configurations(project)
    for broken in found:
        if isinstance(broken, ProjectError):
            yield Finding(
                broken.path,
                broken.position,
                f"could not read devcontainer.json: {broken.message}",
                "Fix it by hand; poetry-tf does not change a file that it can't read",
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

    `poetry install` then refuses that Python, or uses another one that happens to be installed. The
    rule reads the image for Python, the feature `python`, which overrides the image, and build
    arguments (`PYTHON_VERSION`, or `VARIANT` where the Dockerfile begins with an image for Python).
    It also finds a project for which no container can be made: images that still work, and the
    Poetry that can lock a project, begin at Python 3.10.
    """
    error, project = context.plan_error, context.project
    if isinstance(error, NoContainerError):
        place = context.at(project.pyproject.python_path)
        yield Finding(*place, error.message, error.remedy)
    yield from _changes(context, "TF502")


@rule("TF503", fixable=True)
def cuda(context: Context) -> Iterator[Finding]:
    """The container's CUDA or cuDNN does not match the project's TensorFlow.

    TensorFlow opens these libraries by their version. Where it finds another version it uses the
    CPU, with a warning that is easy to miss. The rule finds other versions, a missing CUDA where
    the container should have one, and a second CUDA beside the one from the `and-cuda` wheels.
    poetry-tf links the libraries that a release overlooks (2.21.0, 2.16.1). In a container without
    poetry-tf, `LD_LIBRARY_PATH` has to name their folders; the rule also finds it where it is no
    longer needed. It finds an image on whose distribution this CUDA can't be installed, as well.
    For a TensorFlow that is newer than poetry-tf's data, the lock file shows which CUDA and cuDNN
    were made for another series.
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
            f"{item.name} is required without and-cuda, but CUDA should come from its wheels "
            f"({plan.gpu.why})",
            "Add the extra and-cuda where its wheels fit, or set another gpu in [tool.poetry-tf]",
            cuda_extra_edits(project, plan),
        )
    yield from _changes(context, "TF503")


@rule("TF504", fixable=True)
def gpu_not_requested(context: Context) -> Iterator[Finding]:
    """The container does not ask for a GPU, so it starts without one.

    TensorFlow then uses the CPU without a message. `"hostRequirements": {"gpu": "optional"}` gives
    the container a GPU where the host has one, and lets it start where the host has none. A project
    that wants no GPU sets `gpu = "none"` in `[tool.poetry-tf]`. With `engine = "podman"` or
    `gpu-required = true` there, an argument in `runArgs` asks for the GPU instead: Podman fails
    with a GPU in hostRequirements, and hostRequirements let a container start without one. Neither
    reaches a service of a compose file: there `gpus`, `runtime: nvidia` or
    `deploy.resources.reservations.devices` asks for it. A compose file that can't be read is not
    reported. The rule also finds a `NVIDIA_DRIVER_CAPABILITIES` that leaves out a part of the
    driver which TensorFlow needs.
    """
    yield from _changes(context, "TF504")


@rule("TF505", fixable=True)
def retired(context: Context) -> Iterator[Finding]:
    """The container uses a feature, an image or an option that no longer works.

    Features and images come from places that change: an organisation was deleted, a package source
    is gone, a version is frozen on an old repository. A feature silently ignores an option that it
    doesn't know, such as `installCudann`, so that cuDNN is missing: `--fix` writes the option that
    was meant, where that is clear. `--runtime=nvidia` and, in a project that poetry-tf manages,
    `--gpus=all` keep the container from starting on machines without that runtime or without a GPU.
    The rule applies even where no container can be made for the project: what is retired works for
    nobody.
    """
    yield from _changes(context, "TF505")


@rule("TF506", "warning", fixable=True)
def poetry_not_pinned(context: Context) -> Iterator[Finding]:
    """Poetry in the container has no fixed version, or not the one that wrote the lock file.

    Another Poetry may call the lock file stale, or write it in another form, so that two people
    undo each other's changes. `--fix` takes the version from the lock file. It is a warning because
    most versions agree. The rule also finds a command from poetry-tf that can't install Poetry,
    because a volume that it makes the user the owner of is not mounted.
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

    Anybody may take a free name on PyPI, and what is installed by that name runs in the container.
    Where the poetry-tf that runs here was installed from Git over https, or from an archive over
    https with its hash, the container installs the same one. Where it was installed from a local
    file or folder, or over ssh, the container can't get it: the container then has Poetry alone,
    which installs from the lock file. A command that poetry-tf did not write is yours to change.
    """
    yield from _changes(context, "TF508")


@rule("TF509", "warning", fixable=True)
def earlier_form(context: Context) -> Iterator[Finding]:
    """The container has commands in the form of an earlier poetry-tf.

    They were long, left an environment of another Python to shell commands, and a failed `poetry
    install` skipped every later command, including the one that reports it. The present commands do
    the same, each in a short line. `--fix` keeps what you changed in them.
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
