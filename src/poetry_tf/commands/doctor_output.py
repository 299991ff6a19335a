"""The findings of ``poetry tf doctor`` as text and as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

from poetry_tf.commands.base import document_head, error_value, plain
from poetry_tf.doctor.host.engine import runs_elsewhere
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, System
from poetry_tf.doctor.host.probes import works
from poetry_tf.doctor.host.system import in_container

VERSION = 1
"""The version of the JSON's form."""
_NAMES: dict[System, str] = {
    "arch": "Arch",
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "fedora": "Fedora",
    "windows": "Windows",
}
_PLACES = {
    "here": "",
    "root": "As root: ",
    "host": "On the host: ",
    "there": "On that machine: ",
    "cluster": "For the cluster's administrators: ",
}
_INDENT = " " * 8
_STYLES = {"ok": "fg=green", "note": "comment", "warning": "warning", "error": "error"}


def format_finding(
    finding: HostFinding, system: System | None = None, fit: Callable[[str], str] = str
) -> Iterator[str]:
    """The lines of a finding, with style tags, and the commands for the system, if it is known.

    `fit` breaks a line of text; commands stay in one piece.
    """
    style = _STYLES[finding.state]
    mark = f"<{style}>{finding.state}</>"
    seen = fit(f"{_INDENT}<c1>{finding.probe}</>: {plain(finding.seen)}")
    yield f"{mark}{seen[len(finding.state) :]}"
    if finding.needed:
        yield fit(f"{_INDENT}{plain(_capitalized(finding.needed))}")
    if finding.remedy is not None:
        what, *commands = _remedy_lines(finding.remedy, system)
        yield fit(f"{_INDENT}{plain(what)}")
        yield from (f"{_INDENT}{plain(command)}" for command in commands)


def _capitalized(text: str) -> str:
    """The text with a capital letter, unless it begins with a name such as "libcuda.so.1"."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+[ ,:]", text) else text


def format_title(spec: HostSpec) -> str:
    release = spec.release
    title = f"TensorFlow {release.version}"
    if spec.found_no_gpu:
        return f"{title}: on the CPU, as no NVIDIA GPU was found here"
    if not spec.uses_gpu:
        return f"{title}: {'the project requests no GPU' if spec.refuses_gpu else 'on the CPU'}"
    if release.cuda is not None:
        cudnn = f" and cuDNN {release.cudnn}" if release.cudnn else ""
        title += f", built with CUDA {release.cuda}{cudnn}"
    source = {"system": "from the container", "pip": "from its and-cuda wheels"}
    if spec.config is None:
        source["system"] = "which must be installed on this machine"
    return f"{title}, {source[spec.mode]}"


def format_verdict(findings: list[HostFinding], spec: HostSpec, machine: Machine) -> str:
    if not spec.uses_gpu and works(findings):
        requested = ", as the project requests" if spec.refuses_gpu else ""
        return f"TensorFlow will use the CPU{requested}."
    is_login_node = any(one.probe == "cluster" and one.state == "note" for one in findings)
    if is_login_node and works(findings):
        return "A login node can't show whether TensorFlow will use a GPU."
    if works(findings):
        is_missing = any(one.probe == "tensorflow" and one.remedy for one in findings)
        end = " once it is installed" if is_missing else ""
        if in_container(machine):
            return f"TensorFlow will use the GPU{end}."
        if runs_elsewhere(machine, spec):
            return f"As far as can be checked from here, TensorFlow will use the GPU{end}."
        return f"Nothing on this machine keeps TensorFlow from using the GPU{end}."
    first = next(finding for finding in findings if finding.state == "error")
    has_no_gpu = is_login_node or not spec.uses_gpu
    is_unusable = has_no_gpu or first.probe in {"python", "keras"}
    outcome = "will not work" if is_unusable else "will use the CPU"
    return f'TensorFlow {outcome}. Fix "{first.probe}" first.'


def _remedy_lines(remedy: Remedy, system: System | None) -> Iterator[str]:
    has_commands = bool(remedy.everywhere) or any(remedy.commands.values())
    colon = ":" if has_commands and not remedy.what.endswith(":") else ""
    place = _PLACES[remedy.where]
    what = remedy.what[:1].lower() + remedy.what[1:] if place else remedy.what
    yield f"{place}{what}{colon}"
    # Another machine may be of any system.
    is_here = remedy.where in {"here", "root", "cluster"}
    known = remedy.commands_on(system) if is_here and system is not None else None
    for name, commands in remedy.commands.items() if known is None else ():
        if commands:
            is_shared = name == "debian" and "ubuntu" not in remedy.commands
            yield f"  {_NAMES[name]}{', Ubuntu' if is_shared else ''}:"
            yield from (f"    {command}" for command in commands)
    yield from (f"  {command}" for command in known or ())
    yield from (f"  {command}" for command in remedy.everywhere)


def as_document(
    findings: list[HostFinding], spec: HostSpec | None, machine: Machine
) -> dict[str, Any]:
    """All findings as the document for programs. Keys may be added to it.

    Without a project, the keys that describe it are null.
    """
    release = spec.release if spec is not None else None
    return {
        **document_head(VERSION),
        "tensorflow": release and str(release.version),
        "cuda": release and release.cuda,
        "cudnn": release and release.cudnn,
        "gpu": spec and spec.mode,
        "container": in_container(machine),
        "works": works(findings),
        "findings": [finding_as_json(finding) for finding in findings],
        "trouble": None,
    }


def error_document(message: str, remedy: str) -> dict[str, Any]:
    """The same document if the project can't be read."""
    keys = ("tensorflow", "cuda", "cudnn", "gpu", "container")
    unknown = dict.fromkeys(keys)
    error = error_value(message, remedy)
    return {**document_head(VERSION), **unknown, "works": False, "findings": [], "trouble": error}


def finding_as_json(finding: HostFinding) -> dict[str, Any]:
    """One finding for programs."""
    return {
        "probe": finding.probe,
        "state": finding.state,
        "seen": finding.seen,
        "needed": finding.needed or None,
        "remedy": finding.remedy and _remedy_as_json(finding.remedy),
    }


def _remedy_as_json(remedy: Remedy) -> dict[str, Any]:
    return {
        "what": remedy.what,
        "where": remedy.where,
        "commands": {name: list(remedy.commands_on(name) or ()) for name in get_args(System)},
        "everywhere": list(remedy.everywhere),
    }
