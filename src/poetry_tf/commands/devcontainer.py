"""``poetry tf devcontainer``: the dev container that fits the locked TensorFlow."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option

from poetry_tf.actions.init import ContainerOptions, with_container, with_container_options
from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.devcontainer.gpu import brings_cuda
from poetry_tf.devcontainer.image import container_python, has_own_base
from poetry_tf.devcontainer.parts import list_parts
from poetry_tf.devcontainer.plugin import missing_plugin
from poetry_tf.devcontainer.poetry import ENVIRONMENT, ENVIRONMENT_VOLUME
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.configurations import readable_configurations
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Devcontainer, Project
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.requirement import required_catalog
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import LINUX_AARCH64

MANAGED = """\
The project is a managed one from now on: poetry add, lock and update keep TensorFlow within one \
series, and this container in step with it."""


class DevcontainerCommand(TensorFlowCommand):
    name = "tf devcontainer"
    description = "Writes the devcontainer.json that fits the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        option("diff", None, "Show the changes as unified diffs and write nothing."),
        option("dry-run", None, "The same as <comment>--diff</>."),
        option("check", None, "Write nothing, and exit with status 1 where something differs."),
        option(
            "config",
            None,
            "The configuration in this folder of <comment>.devcontainer</>, not the default one.",
            flag=False,
        ),
        option("explain", None, "Show what the container is made of and where that comes from."),
        option(
            "engine", None, "What runs it: <comment>docker</> or <comment>podman</>.", flag=False
        ),
        option("gpu-required", None, "Don't start without a GPU."),
        option("gpu-optional", None, "Start without a GPU as well, on the CPU. The default."),
        option(
            "registry",
            None,
            "Let each machine name the image's registry in <comment>POETRY_TF_REGISTRY</>; this is "
            "the one (<comment>mcr.microsoft.com</>) if it doesn't. <comment>off</> ends that.",
            flag=False,
        ),
    ]
    loggers: ClassVar[list[str]] = []
    help = """\
Writes <comment>.devcontainer/devcontainer.json</>, or changes the one that is there, so that \
Python, CUDA, cuDNN and Poetry in the container fit the TensorFlow that is locked (or, without a \
lock, pinned). Comments and all that is yours in the file stay as they are. What --engine, \
--gpu-required and --registry say is kept in <comment>[tool.poetry-tf]</>.
"""

    def run_in(self, root: Path) -> int:
        before = Project.read(root)
        project = with_container_options(before, self._wishes())
        if (configuration := self.option("config")) is not None:
            project = project.with_configuration(configuration)
        project, plan = with_container(project)
        texts = changed_texts(project)
        if (doubt := warning(plan)) is not None:
            self.line_error(f"<warning>{plain(doubt)}</warning>")
        name = project.devcontainer_path.relative_to(root).as_posix()
        if self.option("explain"):
            self._explain(project, plan, name)
            return 0
        shows = self.option("diff") or self.option("dry-run")
        if shows:
            self.show_diffs(diffs(project, texts))
        if self.option("check"):
            if texts and not shows:
                self.line_error(f"{name} is not as the project needs it.")
                self.line_error(plain("Run `poetry tf devcontainer`; --diff shows what differs."))
            return int(bool(texts))
        if shows:
            return 0
        self.write_files(root, texts, project.snapshot)
        verb = "Wrote" if texts else "Nothing to change in"
        if project.pyproject.path in texts:
            self.line("Wrote <c1>[tool.poetry-tf]</> in <c1>pyproject.toml</>")
        if project.pyproject.is_managed and not before.pyproject.is_managed:
            self.line_error(f"<comment>{plain(MANAGED)}</>")
        found = project.devcontainer
        document = found.document if isinstance(found, Devcontainer) else None
        self.line(f"{verb} <c1>{name}</>: {plain(summary(plan, document))}")
        for remark in (*without_plugin(project, plan), *remarks(project, plan)):
            self.line(plain(remark))
        return 0

    def _wishes(self) -> ContainerOptions:
        required, optional = self.option("gpu-required"), self.option("gpu-optional")
        if required and optional:
            raise PlanError("--gpu-required and --gpu-optional contradict each other", "Give one.")
        return ContainerOptions(
            engine=self.option("engine"),
            gpu_required=required if required or optional else None,
            registry=self.option("registry"),
        )

    def _explain(self, project: Project, plan: Plan, name: str) -> None:
        """What is in the file as it would be written, a part a line."""
        found = project.devcontainer
        assert isinstance(found, Devcontainer)
        catalog = required_catalog(project, load())
        wanted = container_spec(project, plan, load_images(), whole=True)
        self.line(f"<c1>{name}</>: {plain(summary(plan, found.document))}")
        for part in list_parts(found.path, found.document, wanted, catalog):
            self.line(f"  <c1>{part.name}</> {plain(part.value)}")
            self.line(f"    {plain(part.origin)}")
        for remark in remarks(project, plan, whole=True):
            self.line(plain(remark))


def up(project: Project, *options: str) -> str:
    """The command that starts the project's container; one that is no default is to be named."""
    words = ["devcontainer up --workspace-folder .", *options]
    if project.devcontainer is None and (others := readable_configurations(project)):
        words.append(f"--config {shlex.quote(others[0].path.relative_to(project.root).as_posix())}")
    return " ".join(words)


def summary(plan: Plan, document: JsoncDocument | None = None) -> str:
    """What was planned, in one line, and what of it the container brings.

    Nothing is said of the container where there is none, and where the base is the user's own it
    is said what that has to bring: what isn't written isn't promised.
    """
    if document is None:
        return f"TensorFlow {plan.release.version} on Python {plan.python}"
    if has_own_base(document):
        return f"TensorFlow {plan.release.version}{_own_base(plan, document)}"
    python = container_python(document) or plan.python
    return f"TensorFlow {plan.release.version} on Python {python}; {_cuda(plan)}"


def without_plugin(project: Project, plan: Plan) -> Iterator[str]:
    """Why the container does without poetry-tf, where it does."""
    found = project.devcontainer
    wanted = container_spec(project, plan, load_images(), whole=True)
    if isinstance(found, Devcontainer) and (
        why := missing_plugin(found.path, found.document, wanted)
    ):
        yield why


def remarks(project: Project, plan: Plan, *, whole: bool = False) -> Iterator[str]:
    """What to know of the machines that the container is for.

    `whole` is with what concerns few, unless they have declared their environment.
    """
    if _shares_environment(project, whole=whole):
        yield (
            "Poetry on the host takes an empty .venv for a broken environment and remakes it, "
            "and a running container loses its own until the next start. This keeps them apart: "
            "poetry config --local virtualenvs.in-project false"
        )
    settings = read_settings(project)[0]
    environments = settings.environments or (DEFAULT_ENVIRONMENTS if whole else ())
    if plan.gpu.mode == "none":
        return
    if settings.engine == "podman":
        yield "Podman starts it only where a GPU has a CDI file (sudo nvidia-ctk cdi generate)."
    if plan.gpu.mode == "system" and LINUX_AARCH64 in environments:
        yield (
            "On linux-aarch64 (Apple silicon) CUDA is of no use, and nobody has shown that its "
            'feature installs there: gpu = "pip" comes up there as well.'
        )


def _shares_environment(project: Project, *, whole: bool) -> bool:
    """Whether Poetry on the host would remake the folder that the container's volume lies over.

    The engine has made it there, empty. What poetry.toml says of it holds on the host alone: in the
    container a variable goes before.
    """
    found, folder = project.devcontainer, project.root / ENVIRONMENT
    if not isinstance(found, Devcontainer) or ENVIRONMENT_VOLUME not in found.document.text:
        return False
    table = project.poetry_toml.data.get("virtualenvs") if project.poetry_toml else None
    if isinstance(table, dict) and "in-project" in table:
        return False
    try:
        return whole or (folder.is_dir() and not any(folder.iterdir()))
    except OSError:
        return False


def _own_base(plan: Plan, document: JsoncDocument) -> str:
    """What is written on top of a base of the user's own, and what that has to bring itself."""
    brought, needed = "", f"Python {' or '.join(plan.pythons)}"
    if plan.gpu.mode == "system" and brings_cuda(document, load_images()):
        brought = f"; {_cuda(plan)}"
    elif plan.gpu.mode == "system":
        needed += f", CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}"
    return f"{brought}. The base is yours and was not looked at: it has to bring {needed}"


def _cuda(plan: Plan) -> str:
    gpu = plan.gpu
    if gpu.mode == "system":
        proof = " (proven for this TensorFlow)" if gpu.proven else ""
        return f"the container brings CUDA {gpu.cuda} and cuDNN {gpu.cudnn}{proof}"
    if gpu.mode == "pip":
        return f"TensorFlow's own wheels bring CUDA and cuDNN ({gpu.why})"
    return f"the container brings no CUDA ({gpu.why})"


def warning(plan: Plan) -> str | None:
    """The doubt about a pair that is taken because the user insists; None where there is none."""
    gpu = plan.gpu
    if gpu.mode != "system" or gpu.proven:
        return None
    return (
        f"Nobody has confirmed that TensorFlow {plan.release.version} finds the GPU with CUDA "
        f'{gpu.cuda} and cuDNN {gpu.cudnn}; gpu = "auto" takes a way that is known to work.'
    )
