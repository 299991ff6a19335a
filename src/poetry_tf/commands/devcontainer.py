"""``poetry tf devcontainer``: the dev container that fits the locked TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option

from poetry_tf.actions.container import ContainerOptions, with_container, with_container_options
from poetry_tf.commands.base import (
    CONFIG_OPTION,
    DIFF_OPTION,
    TensorFlowCommand,
    nothing_written,
    plain,
    titled_section,
)
from poetry_tf.commands.devcontainer_output import (
    container_notes,
    missing_plugin_notes,
    no_cuda_warning,
    offline_notes,
    plan_summary,
    rebuild_step,
    unproven_warning,
)
from poetry_tf.devcontainer.parts import list_parts
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.files.edits import changed_texts, diffs
from poetry_tf.files.project import Devcontainer, Project
from poetry_tf.plan.derive import require_poetry
from poetry_tf.plan.main_line import required_catalog
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import require_valid_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images

MANAGED = """\
poetry-tf manages this project from now on: poetry add, lock and update keep TensorFlow within one \
series, and update this container with it."""


class DevcontainerCommand(TensorFlowCommand):
    name = "tf devcontainer"
    description = "Writes the devcontainer.json that fits the project's TensorFlow."
    options: ClassVar[list[Option]] = [
        DIFF_OPTION,
        option("dry-run", None, "The same as <comment>--diff</>."),
        option("check", None, "Write nothing, and exit with status 1 if the file is out of date."),
        CONFIG_OPTION,
        option("explain", None, "Show the parts of the container, and where each comes from."),
        option(
            "engine",
            None,
            "The container engine: <comment>docker</> or <comment>podman</>.",
            flag=False,
        ),
        option("gpu-required", None, "Don't start without a GPU."),
        option("gpu-optional", None, "Start on the CPU if there is no GPU. The default."),
        option(
            "registry",
            None,
            "Let each machine set the registry of the image in <comment>POETRY_TF_REGISTRY</>, "
            "with this one (<comment>mcr.microsoft.com</>) as the default. <comment>off</> "
            "ends that.",
            flag=False,
        ),
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf devcontainer": "write or update the file",
        "poetry tf devcontainer --diff": "only show what would change",
        "poetry tf devcontainer --explain": "what the container is made of",
    }
    help = """\
Writes <comment>.devcontainer/devcontainer.json</>, or changes the one that is there, so that \
Python, CUDA, cuDNN and Poetry in the container fit the TensorFlow that is locked (or, without a \
lock file, pinned). Comments and everything else of yours in the file stay as they are. --engine, \
--gpu-required and --registry are saved in <comment>[tool.poetry-tf]</>.
"""

    def run_in(self, root: Path) -> int:
        before = Project.read(root)
        require_poetry(before)
        project = with_container_options(before, self._given_options())
        if (configuration := self.option("config")) is not None:
            project = project.with_configuration(configuration)
        require_valid_settings(project)
        project, plan = with_container(project)
        texts = changed_texts(project)
        for warning in (unproven_warning(plan), no_cuda_warning(project, plan)):
            if warning is not None:
                self.warn(warning)
        path = project.devcontainer_path
        is_new, name = not path.exists(), self.path_from_here(path)
        if self.option("explain"):
            self._explain(project, plan, name)
            return 0
        shows = self.option("diff") or self.option("dry-run")
        if shows:
            self.show_diffs(diffs(project, texts))
            self.line_error(nothing_written(self))
        if self.option("check"):
            if texts and not shows:
                self.line_error(f"{plain(name)} is out of date.")
                self.line_error(plain("Run `poetry tf devcontainer`; --diff shows the changes."))
            return int(bool(texts))
        if shows:
            return 0
        self.write_files(root, texts, project.snapshot)
        if project.pyproject.path in texts:
            changed = self.path_from_here(project.pyproject.path)
            self.line(f"Wrote <c1>[tool.poetry-tf]</> in <c1>{plain(changed)}</>")
        if project.pyproject.is_managed and not before.pyproject.is_managed:
            self.report(MANAGED)
        found = project.devcontainer
        document = found.document if isinstance(found, Devcontainer) else None
        done = f"Wrote <c1>{plain(name)}</>" if texts else f"<c1>{plain(name)}</> is up to date"
        self.line(f"{done}: {plain(plan_summary(plan, document))}")
        for note in (*missing_plugin_notes(project, plan), *container_notes(project, plan)):
            self.line(plain(note))
        if path in texts and not is_new:
            self.line(rebuild_step(project))
        return 0

    def _given_options(self) -> ContainerOptions:
        required, optional = self.option("gpu-required"), self.option("gpu-optional")
        if required and optional:
            raise PlanError("--gpu-required and --gpu-optional contradict each other", "Give one.")
        return ContainerOptions(
            engine=self.option("engine"),
            gpu_required=required if required or optional else None,
            registry=self.option("registry"),
        )

    def _explain(self, project: Project, plan: Plan, name: str) -> None:
        """Shows each part of the file as it would be written."""
        found = project.devcontainer
        assert isinstance(found, Devcontainer)
        catalog = required_catalog(project, load())
        spec = container_spec(project, plan, load_images(), whole=True)
        self.line(f"<c1>{plain(name)}</>: {plain(plan_summary(plan, found.document))}")
        for part in list_parts(found.path, found.document, spec, catalog):
            self.line(f"  <c1>{plain(part.name)}</> {plain(part.value)}")
            self.line(f"    {plain(part.origin)}")
        for note in container_notes(project, plan, whole=True):
            self.line(plain(note))
        for line in titled_section(
            "Without a network, the first build needs", offline_notes(project)
        ):
            self.line(plain(line))
