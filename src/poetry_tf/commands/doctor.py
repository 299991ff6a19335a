"""``poetry tf doctor``: whether TensorFlow can use this machine's GPU, and if not, why."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.outputs.output import Type
from poetry.factory import Factory

from poetry_tf.commands.base import CONFIG_OPTION, FORMAT_OPTIONS, TensorFlowCommand, plain
from poetry_tf.commands.doctor_output import (
    as_document,
    format_finding,
    format_title,
    format_verdict,
)
from poetry_tf.commands.doctor_possibilities import (
    format_possibilities,
    format_possibilities_briefly,
    possibilities_as_json,
)
from poetry_tf.commands.setting_warnings import warn_of_project
from poetry_tf.devcontainer.changes import container_facts
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.doctor.host.machine import CachingMachine, Machine, ThisMachine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, UnusablePython
from poetry_tf.doctor.host.place import spec_here
from poetry_tf.doctor.host.possibilities import (
    find_possibilities,
    read_facts,
    without_commands,
)
from poetry_tf.doctor.host.probes import run_probes, summary_line, works
from poetry_tf.doctor.host.system import family
from poetry_tf.files.project import PYPROJECT, Devcontainer, Project
from poetry_tf.plan.derive import derive_plan
from poetry_tf.plan.environments import MINORS
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.plan.settings import read_settings
from poetry_tf.poetry_internals.environment import project_environment
from poetry_tf.poetry_internals.notices import fit_terminal
from poetry_tf.poetry_internals.pythons import FoundPython, found_pythons, pythons_outside
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import numbers
from poetry_tf.text import visible


class DoctorCommand(TensorFlowCommand):
    name = "tf doctor"
    description = "Shows whether TensorFlow can use this machine's GPU, and if not, how to fix it."
    options: ClassVar[list[Option]] = [
        *FORMAT_OPTIONS,
        option("brief", None, "Print one line: the device that TensorFlow uses; if the CPU, why."),
        CONFIG_OPTION,
        option(
            "network",
            None,
            "Check instead whether the container can still be built from here.",
        ),
        option(
            "record",
            None,
            "Write everything that was read from this machine to a file, for a bug report.",
            flag=False,
        ),
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf doctor": "why TensorFlow uses the CPU",
        "poetry tf doctor --network": "whether the container can still be built",
        "poetry tf doctor --record machine.json": "what a bug report needs",
    }
    _has_written = False
    """Whether the document of --json was printed: there is never a second one."""
    help = """\
Checks this machine, on the host or inside the container, for what TensorFlow needs to use the \
GPU: driver, container engine, libraries, environment. For each problem it prints the commands \
that fix it. It changes nothing.

A check that takes longer than 5 seconds is skipped; TensorFlow itself gets up to 2 minutes.

Without a project that requires TensorFlow it prints what this machine can run, in a container \
and without one, and the command that creates such a project. In a project that Poetry doesn't \
manage it prints the same without commands.

With <info>--network</> it only checks whether the container can still be built from here: each \
image, feature, apt package and locked file. It downloads none of them.

Exit status: 0 if TensorFlow will use the GPU, the project requests none, or a login node of a \
cluster can't show it; else 1. Without a project: 0 if this machine can run TensorFlow in any \
way. With <info>--network</>: 1 if something is missing. With <info>--brief</>, which containers \
run at each start: always 0.
"""

    def writes(self) -> bool:
        return False

    def run_in(self, root: Path) -> int:
        self.check_format()
        if self.option("network"):
            return self._run_network(root)
        machine = CachingMachine(ThisMachine())
        spec = read_spec(root, self.option("config"))
        if spec is None:
            return self._run_without_project(root, machine)
        spec = spec_here(machine, spec)
        if self.option("brief"):
            self.io.write_line(visible(summary_line(machine, spec)), type=Type.RAW)
            return 0
        is_text = self.format == "text"
        if is_text:
            warn_of_project(self, Project.read(root))
            self.line(f"<info>{plain(format_title(spec))}</>")
        progress = (lambda text: self.line_error(f"<c2>{plain(text)} …</>")) if is_text else None
        findings = self._show_findings(run_probes(machine, spec, progress), machine)
        if is_text:
            self.line(plain(format_verdict(findings, spec, machine)))
        else:
            self.write_json(as_document(findings, spec, machine))
        self._record(machine)
        return 0 if works(findings) else 1

    def _run_without_project(self, root: Path, machine: CachingMachine) -> int:
        """What the machine can run, if no project requires TensorFlow."""
        if self.format == "text" and not self.option("brief"):
            self.line_error("<c2>Looking for the Pythons of this machine …</>")
        pyproject = Project.read(root).pyproject if (root / PYPROJECT).is_file() else None
        declared = pyproject.python if pyproject is not None else None
        manager = pyproject.foreign_manager if pyproject is not None else None
        facts = read_facts(machine, found_minors())
        found = find_possibilities(
            machine, facts.pythons, declared.constraint if declared is not None else None
        )
        if manager is not None:
            found = without_commands(found)
        if self.option("brief"):
            line = format_possibilities_briefly(facts, found, manager)
            self.io.write_line(visible(line), type=Type.RAW)
            return 0
        if self.format == "json":
            self.write_json(
                {
                    **as_document(list(found.notes), None, machine),
                    "works": bool(found.runnable),
                    "manager": manager,
                    **possibilities_as_json(facts, found),
                }
            )
        else:
            for line in format_possibilities(facts, found, manager):
                is_command = line.startswith("    ")
                self.line(plain(line) if is_command else self._fit(plain(line)))
            self._show_findings(found.notes, machine)
        self._record(machine)
        return 0 if found.runnable else 1

    def _run_network(self, root: Path) -> int:
        from poetry_tf.commands import doctor_network
        from poetry_tf.doctor.network.client import survey_client
        from poetry_tf.http.addresses import allowed_hosts, is_allowed
        from poetry_tf.index.resolve import user_hosts
        from poetry_tf.plan.settings import REGISTRY_VARIABLE

        is_text = self.format == "text"
        # The user names a registry too.
        registry = os.environ.get(REGISTRY_VARIABLE, "").partition("/")[0]
        machine = CachingMachine(ThisMachine())
        hosts = user_hosts() | allowed_hosts(registry) | doctor_network.known_hosts()
        client = survey_client(lambda url: is_allowed(url, hosts))
        pending = doctor_network.check_network(root, machine, client)
        if is_text:
            self.line("<info>Checking whether the container can still be built from here</>")
            self.line_error("<comment>Asking each server; this takes a minute at most</>")
        findings = self._show_findings(pending)
        client.close()
        if is_text:
            self.line(plain(doctor_network.format_verdict(findings)))
        else:
            self.write_json(doctor_network.as_document(findings))
        return 0 if works(findings) else 1

    def root(self) -> Path:
        """The project's folder; without a project, the folder that the command was started in."""
        start = self.start()
        folders = (start, *start.parents)
        return next((folder for folder in folders if (folder / PYPROJECT).is_file()), start)

    def fail(self, message: str, remedy: str = "") -> int:
        """Shows an error; with --json also the document that every run prints."""
        if self.format == "json" and not self._has_written:
            if self.option("network"):
                from poetry_tf.commands.doctor_network import error_document
            else:
                from poetry_tf.commands.doctor_output import error_document
            self.write_json(error_document(message, remedy))
        return super().fail(message, remedy)

    def write_json(self, document: Mapping[str, Any]) -> None:
        super().write_json(document)
        self._has_written = True

    def _show_findings(
        self, pending: Iterable[HostFinding], machine: Machine | None = None
    ) -> list[HostFinding]:
        """All findings, each shown as soon as it is found unless they are for a document."""
        findings: list[HostFinding] = []
        for finding in pending:
            findings.append(finding)
            if self.format == "text":
                system = family(machine) if machine else None
                for line in format_finding(finding, system, self._fit):
                    self.line(line)
        return findings

    def _fit(self, line: str) -> str:
        """A line of text, broken between words where the terminal is narrower."""
        return fit_terminal(self.io.output, line, is_prose=True)

    def _record(self, machine: CachingMachine) -> None:
        """Writes the machine's answers, with --record."""
        if (file := self.option("record")) is None:
            return
        path = Path(file)
        text = json.dumps(machine.recording(), indent=2) + "\n"
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise PlanError(f"Could not write {path}: {error.strerror}", "") from None
        self.line_error(f"Wrote {plain(str(path))}. Check it for private data before you share it.")


def read_spec(root: Path, configuration: str | None = None) -> HostSpec | None:
    """What the project in a folder needs; None without a Poetry project that has TensorFlow."""
    if not (root / PYPROJECT).is_file():
        return None
    images = load_images()
    project = Project.read(root)
    if configuration is not None:
        project = project.with_configuration(configuration)
    if project.pyproject.foreign_manager is not None:
        return None
    plan = derive_plan(project, load(), images)
    if plan is None:
        return None
    settings = read_settings(project)[0]
    python, unusable = _interpreter(root, plan)
    spec = HostSpec(
        plan.release,
        plan.gpu.mode,
        engine=settings.engine or "docker",
        legacy_keras=plan.legacy_keras,
        pythons=admitted_minors(MINORS, project_pythons(project)),
        refuses_gpu=settings.gpu == "none",
        refuses_container=settings.devcontainer == "off",
        gpu_required=settings.gpu_required,
        gpu_optional=settings.gpu == "auto" and settings.devcontainer == "off",
        python=python,
        unusable=unusable,
        install=container_spec(project, plan, images, whole=True).install,
    )
    found = project.devcontainer
    if found is None or settings.devcontainer == "off":
        return spec
    return replace(
        spec,
        config=project.devcontainer_path.relative_to(root).as_posix(),
        container=container_facts(found.document, images)
        if isinstance(found, Devcontainer)
        else {},
    )


def found_minors() -> tuple[str, ...]:
    """The Python minors that Poetry finds on this machine, the newest first."""
    return _minors(found_pythons())


def _minors(pythons: Iterable[FoundPython]) -> tuple[str, ...]:
    minors = {found.minor for found in pythons if not found.unfit}
    return tuple(sorted(minors, key=numbers, reverse=True))


def _interpreter(root: Path, plan: Plan) -> tuple[str | None, UnusablePython | None]:
    """The interpreter with which Poetry runs the project's programs, or why there is none."""
    try:
        poetry = Factory().create_poetry(root)
        env = project_environment(poetry)
        if env.kind != "none" and env.is_admitted:
            return env.python, None
        minors = _minors(pythons_outside())
    except Exception:  # whatever is wrong with the project or its Python, it has no environment
        return None, None
    fitting = [minor for minor in minors if minor in plan.pythons]
    return None, UnusablePython(
        "missing" if env.kind == "none" else "environment" if env.kind == "own" else env.kind,
        poetry.package.python_versions,
        (env.version,) if env.version else minors,
        env.path,
        env.variable,
        (fitting or [plan.python])[0],
        bool(fitting),
    )
