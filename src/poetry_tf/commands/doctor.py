"""``poetry tf doctor``: why TensorFlow will, or will not, see the GPU of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, get_args

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.outputs.output import Type
from poetry.factory import Factory
from poetry.utils.env import EnvManager

from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.devcontainer.facts import container_facts
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.doctor.host.engine_info import runs_elsewhere
from poetry_tf.doctor.host.findings import HostFinding, Remedy, System
from poetry_tf.doctor.host.machine import CachingMachine, Machine, ThisMachine
from poetry_tf.doctor.host.probes import run_probes, works
from poetry_tf.doctor.host.spec import HostSpec
from poetry_tf.doctor.host.summary import summary_line
from poetry_tf.doctor.host.system import family, in_container
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import PYPROJECT, Project
from poetry_tf.plan.derive import derive_plan, make_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import Settings, read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import Images, load_images

VERSION = 1
"""The version of the JSON's form."""
_NAMES: dict[System, str] = {
    "arch": "Arch",
    "debian": "Debian, Ubuntu",
    "fedora": "Fedora",
    "windows": "Windows",
}
_PLACES = {"here": "", "host": "On the host: ", "there": "On that machine: "}
_STYLES = {"ok": "fg=green", "note": "comment", "warning": "warning", "error": "error"}


class DoctorCommand(TensorFlowCommand):
    name = "tf doctor"
    description = "Says why TensorFlow will, or will not, see the GPU of this machine."
    options: ClassVar[list[Option]] = [
        option("json", None, "Tell everything as one JSON document."),
        option("brief", None, "Say in one line what TensorFlow runs on, and why if it is the CPU."),
        option(
            "config",
            None,
            "The configuration in this folder of <comment>.devcontainer</>, not the default one.",
            flag=False,
        ),
        option(
            "network",
            None,
            "Say instead whether all that a build of the container asks for can be had from here.",
        ),
        option(
            "record",
            None,
            "Write what this machine answered to a file, for a bug report.",
            flag=False,
        ),
    ]
    loggers: ClassVar[list[str]] = []
    _told = False
    """Whether the document of --json is out: there is never a second one."""
    help = """\
Looks at this machine, on the host or inside the container, for what the locked TensorFlow needs \
to use its GPU, and names the commands that mend what is missing. Nothing is changed, and nothing \
that hangs is waited for.

What doesn't answer within 5 seconds is given up; only TensorFlow itself, where it is installed, \
gets up to 2 minutes.

The exit status is 0 where TensorFlow will have its GPU or none was asked for, else 1. With \
--brief, which containers run at their start, it is 0 in either case.

With <info>--network</> it answers another question, and that alone: can the container still be \
built from here? Each image, feature, apt package and locked file is asked for, and some megabytes \
are downloaded to see how fast. The exit status is then 1 where something can't be had.
"""

    def run_in(self, root: Path) -> int:
        if self.option("network"):
            from poetry_tf.commands.doctor_network import tell_network

            return tell_network(self, root)
        needs = needs_of(root, self.option("config"))
        machine = CachingMachine(ThisMachine())
        if self.option("brief"):
            self.io.write_line(summary_line(machine, needs), type=Type.RAW)
            return 0
        findings: list[HostFinding] = []
        is_text = not self.option("json")
        if is_text:
            self.line(f"<info>{plain(_title(needs))}</>")
        for finding in run_probes(machine, needs, self._wait if is_text else None):
            findings.append(finding)
            if is_text:
                self.tell(finding, family(machine))
        if is_text:
            self.line(plain(_verdict(findings, needs, machine)))
        else:
            self._write(as_json(findings, needs, machine))
        if (file := self.option("record")) is not None:
            self._record(Path(file), machine)
        return 0 if works(findings) else 1

    def root(self) -> Path:
        """The project's folder; the one it was started in where there is no project."""
        start = self.start()
        folders = (start, *start.parents)
        return next((folder for folder in folders if (folder / PYPROJECT).is_file()), start)

    def fail(self, message: str, remedy: str = "") -> int:
        """An error, and with --json a document of it, as every run gives one."""
        if self.option("json") and not self._told:
            if self.option("network"):
                from poetry_tf.commands.doctor_network import trouble_as_json

                self._write(trouble_as_json(message, remedy))
            else:
                self._write(document_of(works=False, trouble=(message, remedy)))
        return super().fail(message, remedy)

    def _write(self, document: str) -> None:
        self.io.write_line(document, type=Type.RAW)
        self._told = True

    def _wait(self, text: str) -> None:
        self.line_error(f"<c2>{plain(text)} …</>")

    def tell(self, finding: HostFinding, system: System | None = None) -> None:
        """One finding; of its commands those for a system, or all where that isn't known."""
        style = _STYLES[finding.state]
        mark = f"<{style}>{finding.state}</>"
        blanks = " " * (8 - len(finding.state))
        self.line(f"{mark}{blanks}<c1>{finding.probe}</>: {plain(finding.seen)}")
        if finding.needed:
            self.line(f"        {plain(finding.needed)}")
        if finding.remedy is not None:
            for line in _lines(finding.remedy, system):
                self.line(f"        {plain(line)}")

    def _record(self, path: Path, machine: CachingMachine) -> None:
        text = json.dumps(machine.recording(), indent=2) + "\n"
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise PlanError(f"{path} can't be written: {error.strerror}", "") from None
        self.line_error(f"Wrote {plain(str(path))}: look through it before you give it away.")


def needs_of(root: Path, configuration: str | None = None) -> HostSpec:
    """What the project in a folder needs; what the newest TensorFlow does where there is none."""
    catalog, images = load(), load_images()
    if not (root / PYPROJECT).is_file():
        return _newest()
    project = Project.read(root)
    if configuration is not None:
        project = project.with_configuration(configuration)
    plan = derive_plan(project, catalog, images)
    if plan is None:
        return _newest(_interpreter(root))
    settings = read_settings(project)[0]
    config = project.devcontainer_path if project.devcontainer is not None else None
    return HostSpec(
        plan.release,
        plan.gpu.mode,
        plan.gpu.cuda,
        plan.gpu.cudnn,
        engine=settings.engine or "docker",
        gpu_required=settings.gpu_required,
        python=_interpreter(root),
        install=container_spec(project, plan, images, whole=True).install,
        config=None if config is None else config.relative_to(root).as_posix(),
        container=_container_facts(project, images),
    )


def _container_facts(project: Project, images: Images) -> dict[str, str]:
    devcontainer = project.devcontainer
    if devcontainer is None or isinstance(devcontainer, ProjectError):
        return {}
    return container_facts(devcontainer.document, images)


def _newest(python: str | None = None) -> HostSpec:
    catalog = load()
    release = catalog.releases[-1]
    plan: Plan = make_plan(catalog, load_images(), release, Settings(), None)
    gpu = plan.gpu
    return HostSpec(release, gpu.mode, gpu.cuda, gpu.cudnn, python=python, from_project=False)


def _interpreter(root: Path) -> str | None:
    """The interpreter of the environment that Poetry would run the project's programs in."""
    try:
        poetry = Factory().create_poetry(root)
        env = EnvManager(poetry).get()
    except Exception:  # whatever is wrong with the project or its Python, there is no environment
        return None
    is_own = env.is_venv() or not poetry.config.get("virtualenvs.create")
    return str(env.python) if is_own else None


def _title(needs: HostSpec) -> str:
    release = needs.release
    title = f"TensorFlow {release.version}"
    if not needs.from_project:
        title += ", the newest (there is no project with TensorFlow here)"
    if not needs.wants_gpu:
        return f"{title}: no GPU is asked for"
    if release.cuda is not None:
        cudnn = f" and cuDNN {release.cudnn}" if release.cudnn else ""
        title += f", built with CUDA {release.cuda}{cudnn}"
    source = {"system": "the container brings them", "pip": "its and-cuda wheels bring them"}
    if needs.from_project and needs.config is None:
        source["system"] = "without a container this machine has to have them"
    return f"{title}; {source[needs.mode]}"


def _verdict(findings: list[HostFinding], needs: HostSpec, machine: Machine) -> str:
    if not needs.wants_gpu:
        return "TensorFlow will use the CPU, as the project wants it."
    if works(findings):
        where = "" if in_container(machine) else " as far as this machine is concerned"
        if where and runs_elsewhere(machine, needs):
            where = " as far as can be seen from here"
        return f"TensorFlow will use the GPU{where}."
    first = next(finding for finding in findings if finding.state == "error")
    return f"TensorFlow will use the CPU: begin with what is said of {first.probe}."


def _lines(remedy: Remedy, system: System | None) -> Iterator[str]:
    yield f"{_PLACES[remedy.where]}{remedy.what}"
    # Another machine may be of any system.
    known = system if remedy.where == "here" and system in remedy.commands else None
    for name, commands in remedy.commands.items():
        if known is None and commands:
            yield f"  {_NAMES[name]}:"
            yield from (f"    {command}" for command in commands)
        elif name == known:
            yield from (f"  {command}" for command in commands)
    yield from (f"  {command}" for command in remedy.everywhere)


def as_json(findings: list[HostFinding], needs: HostSpec, machine: Machine) -> str:
    """One JSON document of everything that was found."""
    release = needs.release
    return document_of(
        tensorflow=str(release.version),
        cuda=release.cuda,
        cudnn=release.cudnn,
        gpu=needs.mode,
        container=in_container(machine),
        works=works(findings),
        findings=[finding_as_json(finding) for finding in findings],
    )


def document_of(*, trouble: tuple[str, str] | None = None, **known: Any) -> str:
    """The document, with nothing where nothing could be found out. Keys may be added to it."""
    keys = ("tensorflow", "cuda", "cudnn", "gpu", "container", "works")
    document: dict[str, Any] = {
        "version": VERSION,
        "tool": {"name": "poetry-tf", "version": metadata.version("poetry-tf")},
        **{key: known.get(key) for key in keys},
        "findings": known.get("findings", []),
        "trouble": trouble and {"message": trouble[0], "remedy": trouble[1]},
    }
    return json.dumps(document, indent=2)


def finding_as_json(finding: HostFinding) -> dict[str, Any]:
    """One finding for programs."""
    return {
        "probe": finding.probe,
        "state": finding.state,
        "seen": finding.seen,
        "needed": finding.needed or None,
        "remedy": finding.remedy and _remedy(finding.remedy),
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    return {
        "what": remedy.what,
        "where": remedy.where,
        "commands": {name: list(remedy.commands.get(name, ())) for name in get_args(System)},
        "everywhere": list(remedy.everywhere),
    }
