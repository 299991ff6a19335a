"""What ``poetry tf upgrade`` shows: a page on the move, as plain values and as lines, and errors.

docs/reference/json.md describes the JSON. A key may be added to it; any other change takes
another `VERSION`.
"""

from __future__ import annotations

import difflib
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.actions.lock import UnsolvedError
from poetry_tf.actions.upgrade import CompanionMove, Upgrade, find_blockers
from poetry_tf.checks.findings import Finding
from poetry_tf.commands.base import align_columns, document_head, titled_section
from poetry_tf.devcontainer.changes import differences
from poetry_tf.files.edits import changed_texts
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.lock import Lock
from poetry_tf.files.project import Project, readable_configurations
from poetry_tf.files.requirements import Requirement
from poetry_tf.plan.derive import wants_container
from poetry_tf.plan.model import CONTAINER_PLATFORM, Plan
from poetry_tf.plan.release import no_gpu_reason
from poetry_tf.plan.requirement import tensorflow_distributions
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import Release, driver, load
from poetry_tf.releases.breaking import keras_major, majors
from poetry_tf.releases.images import load_images
from poetry_tf.releases.summary import Plain, span
from poetry_tf.text import format_list

VERSION = 1
"""The version of the JSON."""
WIDTH = 88
_INDENT = " " * 6


@dataclass(frozen=True)
class UpgradeReport:
    """What is known of a move; without `final` only what needs no solver."""

    upgrade: Upgrade
    final: Project | None = None
    """The moved project with its lock."""
    findings: tuple[Finding, ...] = ()
    """What `check` finds in it."""

    # -- as plain values --------------------------------------------------------------------

    def plain(self) -> Plain:
        upgrade, final = self.upgrade, self.final
        old, new = upgrade.old, upgrade.new
        before, after = self._locks
        return {
            **document_head(VERSION),
            "distribution": new.distribution,
            "tensorflow": _pair(old and str(old.version), str(self._version)),
            "origin": new.origin,
            "python": {
                "range": _pair(_range(upgrade.before), _range(final or upgrade.after)),
                "wheels": _pair(old and _wheels(old), _wheels(new)),
            },
            "gpu": _pair(upgrade.old_plan and upgrade.old_plan.gpu.mode, upgrade.plan.gpu.mode),
            "cuda": _pair(
                _library("cuda", old, upgrade.old_plan, before),
                _library("cuda", new, upgrade.plan, after),
            ),
            "cudnn": _pair(
                _library("cudnn", old, upgrade.old_plan, before),
                _library("cudnn", new, upgrade.plan, after),
            ),
            "driver": _pair(_driver(old, upgrade.old_plan), _driver(new, upgrade.plan)),
            "numpy": _pair(_numpy(before, old), _numpy(after, new)),
            "keras": _pair(_keras(old, upgrade.old_plan), _keras(new, upgrade.plan)),
            "legacy_keras": upgrade.plan.legacy_keras,
            "companions": [self._companion(item) for item in upgrade.companions],
            "stays": [
                {
                    "line": upgrade.after.pyproject.position(one.item.path).line,
                    "requirement": f"{one.item.name} {one.item.written}".strip(),
                    "reason": one.reason,
                }
                for one in upgrade.stays
            ],
            "not_newer": dict(upgrade.passed_over),
            "code": [
                {
                    # What may matter in every move belongs to this one.
                    "at": new.series if one.recurs else one.at,
                    "what": one.what,
                    "do": one.back if upgrade.is_downgrade else one.do,
                    "sources": list(one.sources),
                }
                for one in sorted(upgrade.changes(after), key=lambda one: one.recurs)
            ],
            "pyproject": self._pyproject() if final else None,
            "packages": _package_changes(before, after) if final else None,
            "container": list(_container_changes(upgrade.before, final)) if final else None,
            "left": [
                {"code": item.code, "message": item.message, "remedy": item.remedy}
                for item in self.findings
            ],
            "files": [path.relative_to(final.root).as_posix() for path in changed_texts(final)]
            if final
            else [],
        }

    @property
    def _locks(self) -> tuple[Lock | None, Lock | None]:
        return self.upgrade.before.valid_lock, self.final.valid_lock if self.final else None

    @property
    def _version(self) -> Version:
        """The version that is locked."""
        for name in (self.upgrade.new.distribution, *sorted(tensorflow_distributions())):
            if found := _locked(self._locks[1], name):
                return max(found)
        return self.upgrade.new.version

    def _companion(self, item: CompanionMove) -> Plain:
        fit = max(_locked(self._locks[1], item.name), default=item.fit)
        return {
            "name": item.name,
            "release": _pair(item.locked and str(item.locked), fit and str(fit)),
            "known": item.is_known,
            "series": list(item.series),
            "retired": item.retired and item.retired.why,
            "instead": item.retired and item.retired.instead,
            "sources": list(item.retired.sources) if item.retired else [],
        }

    def _pyproject(self) -> list[str]:
        """The removed and added lines of pyproject.toml."""
        assert self.final is not None
        pyproject = self.final.pyproject
        read = self.final.snapshot[pyproject.path].content or b""
        old, new = read.decode("utf-8").splitlines(), pyproject.document.text.splitlines()
        lines = difflib.unified_diff(old, new, n=0, lineterm="")
        return [line for line in list(lines)[2:] if not line.startswith("@@")]

    # -- as lines ---------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        page = self.plain()
        yield _heading(page)
        yield ""
        yield from ("  " + line for line in align_columns([*_fact_rows(page, self.upgrade)]))
        yield from titled_section("Packages that go with TensorFlow", _companion_lines(page))
        yield from titled_section("Unchanged requirements", _staying_lines(page))
        yield from titled_section("Look at this in your code", _code_lines(page["code"]))
        if self.final is not None:
            yield from titled_section("pyproject.toml", page["pyproject"])
            yield from titled_section("poetry.lock", _package_lines(page["packages"]))
            yield from titled_section("devcontainer.json", _container_lines(page["container"]))
        yield from titled_section("Why not a newer series", _passed_over_lines(page["not_newer"]))


def _pair(before: object, after: object) -> Plain:
    return {"from": before, "to": after}


def _range(project: Project) -> str | None:
    declared = project.pyproject.python
    return declared.written if declared else None


def _wheels(release: Release) -> list[str]:
    return list(release.pythons_on(CONTAINER_PLATFORM))


# The wheels of and-cuda; a suffix has the major version of CUDA.
_WHEELS: Mapping[str, str] = {"cuda": "nvidia-cuda-runtime", "cudnn": "nvidia-cudnn"}


def _library(
    name: Literal["cuda", "cudnn"], release: Release | None, plan: Plan | None, lock: Lock | None
) -> str | None:
    """The version of CUDA or cuDNN in the container, or of the wheels in the lock."""
    if release is None:
        return None
    built: str | None = getattr(release, name)
    if plan is None:
        return built
    if plan.gpu.mode != "pip":
        chosen: str | None = getattr(plan.gpu, name)
        return chosen
    found = [
        max(versions)
        for wheel, versions in (lock.versions if lock else {}).items()
        if wheel.startswith(_WHEELS[name])
    ]
    return str(found[0]) if found else built


def _driver(release: Release | None, plan: Plan | None) -> str | None:
    """The oldest driver on the host that runs the wheels, on Linux."""
    if release is None or release.cuda is None or (plan is not None and plan.gpu.mode == "none"):
        return None
    found = driver(release.cuda)
    return (found.linux_least or found.linux) if found else None


def _locked(lock: Lock | None, name: str) -> tuple[Version, ...]:
    """The locked versions of a distribution."""
    return lock.versions.get(canonicalize_name(name), ()) if lock else ()


def _numpy(lock: Lock | None, release: Release | None) -> str | None:
    if found := _locked(lock, "numpy"):
        return " and ".join(map(str, found))
    if release is None:
        return None
    return " or ".join(map(str, majors(release, "numpy"))) or None


def _keras(release: Release | None, plan: Plan | None) -> int | None:
    if plan is not None and plan.legacy_keras:
        return 2
    return keras_major(release) if release is not None else None


def _package_changes(before: Lock | None, after: Lock | None) -> Plain:
    """The packages that are added, removed and changed."""
    old = before.versions if before else {}
    new = after.versions if after else {}
    return {
        "added": {name: _format_versions(new[name]) for name in sorted(new.keys() - old.keys())},
        "removed": {name: _format_versions(old[name]) for name in sorted(old.keys() - new.keys())},
        "changed": {
            name: _pair(_format_versions(old[name]), _format_versions(new[name]))
            for name in sorted(old.keys() & new.keys())
            if {*old[name]} != {*new[name]}
        },
        "kept": sum({*old[name]} == {*new[name]} for name in old.keys() & new.keys()),
    }


def _format_versions(versions: Sequence[Version]) -> str:
    return " and ".join(map(str, sorted({*versions})))


def _container_changes(before: Project, after: Project) -> Iterator[str]:
    """How the dev containers change; those that are not the default with their names."""
    images = load_images()
    for found in readable_configurations(after):
        old = before.document(found.path)
        assert old is None or isinstance(old, JsoncDocument)
        name = found.path.relative_to(after.root).as_posix()
        of = "" if found is after.devcontainer else f"{name}: "
        for part in differences(old or JsoncDocument.parse("{}\n"), found.document, images):
            yield f"{of}{part}"


# -- text -----------------------------------------------------------------------------------


def _heading(page: Plain) -> str:
    before, after = page["tensorflow"]["from"], page["tensorflow"]["to"]
    name = "TensorFlow" if page["distribution"] == "tensorflow" else page["distribution"]
    if before is None:
        return f"{name} {after}"
    return f"{name} {before} -> {after}" if before != after else f"{name} {after}, unchanged"


def _fact_rows(page: Plain, upgrade: Upgrade) -> Iterator[tuple[str, ...]]:
    python = page["python"]
    yield "Python", _format_python(page)
    if python["wheels"]["from"] != python["wheels"]["to"] and python["wheels"]["from"]:
        wheels = {key: span(minors) for key, minors in python["wheels"].items()}
        yield "", f"{_format_change(wheels)} have wheels"
    gpu = page["gpu"]["to"]
    container = wants_container(upgrade.after)
    place = "in the container" if container else "installed on the machine"
    how = {"system": place, "pip": "by the and-cuda wheels"}.get(gpu, "")
    if gpu == "none":
        choice = read_settings(upgrade.after)[0].gpu
        why = no_gpu_reason(load(), upgrade.plan, choice, container=container)
        yield "CUDA", f"none: {why or upgrade.plan.gpu.why}"
    else:
        changes_way = page["gpu"]["from"] not in {None, gpu}
        now = f", now {how}" if changes_way else f", {how}"
        yield "CUDA", _format_change(page["cuda"]) + now
        yield "cuDNN", _format_change(page["cudnn"])
        if page["driver"]["to"]:
            yield "driver", f"{_format_change(page['driver'])} or later on the host (NVIDIA, Linux)"
    if page["numpy"]["to"]:
        yield "NumPy", _format_change(page["numpy"])
    if page["keras"]["to"]:
        by = " from tf-keras, not TensorFlow's own Keras 3" if page["legacy_keras"] else ""
        by = ", TensorFlow's own: --legacy-keras changes nothing" if upgrade.keeps_keras else by
        yield "Keras", _format_change(page["keras"]) + by


def _format_python(page: Plain) -> str:
    before, after = page["python"]["range"]["from"], page["python"]["range"]["to"]
    if before == after:
        return f"{after or 'any'}, unchanged"
    return f"{before or 'any'} -> {after}: the project's range has to change"


def _format_change(pair: Mapping[str, Any]) -> str:
    before, after = pair["from"], pair["to"]
    if before is None or before == after:
        return str(after)
    return f"{before} -> {after}"


def _companion_lines(page: Plain) -> Iterator[str]:
    rows = []
    for item in page["companions"]:
        release = item["release"]
        if release["to"] is not None:
            rows.append((item["name"], _format_change(release)))
        elif not item["known"]:
            rows.append((item["name"], "poetry-tf does not know what it fits: the solver decides"))
        else:
            series = _format_series(item["series"]) if item["series"] else "none known"
            has = f"TensorFlow {series}" if item["series"] else series
            why = f": {item['retired']}" if item["retired"] else ""
            rows.append((item["name"], f"no release fits{why}. It has releases for: {has}"))
    yield from align_columns(rows)


def _staying_lines(page: Plain) -> Iterator[str]:
    for one in page["stays"]:
        yield f"pyproject.toml:{one['line']}: {one['requirement']}: {one['reason']}"


def _code_lines(changes: Iterable[Plain]) -> Iterator[str]:
    for one in changes:
        yield from _wrap(f"{one['at']:4}  {_sentence(one['what'])}", "")
        yield from _wrap(one["do"], _INDENT)
        for source in one["sources"]:
            if source.startswith("https://"):  # else it says how it was found out, for the JSON
                yield from _wrap(source, _INDENT)


def _sentence(clause: str) -> str:
    """A clause with a capital and a full stop; names of code stay as they are."""
    begins_with_code = clause.startswith(("tf.", "tensorflow-"))
    return f"{clause if begins_with_code else clause[:1].upper() + clause[1:]}."


def _wrap(text: str, first: str, rest: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        text,
        min(WIDTH, shutil.get_terminal_size((WIDTH + len(_INDENT), 0)).columns - len(_INDENT)),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _package_lines(packages: Plain) -> Iterator[str]:
    changed, added, removed = packages["changed"], packages["added"], packages["removed"]
    yield from align_columns([(name, _format_change(pair)) for name, pair in changed.items()])
    for verb, found in (("new", added), ("gone", removed)):
        if found:
            names = ", ".join(f"{name} {version}" for name, version in found.items())
            yield from _wrap(f"{verb}: {names}", "", "  ")
    if packages["kept"]:
        yield f"unchanged: {packages['kept']} packages"


def _container_lines(parts: Sequence[str]) -> Iterator[str]:
    if parts:
        yield from parts
        yield "Rebuild the container after that."


def _passed_over_lines(reasons: Mapping[str, str]) -> Iterator[str]:
    grouped: dict[str, list[str]] = {}
    for series, reason in reasons.items():
        grouped.setdefault(reason, []).append(series)
    for reason, passed_over in grouped.items():
        yield f"{format_list(reversed(passed_over))}: {reason}"


# -- errors ---------------------------------------------------------------------------------


def blocked_error(upgrade: Upgrade) -> tuple[str, str]:
    """The message and the remedy if no release of a companion fits."""
    release = upgrade.new
    names = format_list(item.name for item in upgrade.blocking)
    message = f"No release of {names} fits TensorFlow {release.series}; nothing was changed"
    remedies = [_companion_remedy(item, upgrade) for item in upgrade.blocking]
    remedies.append(
        f"Or remove {names} (poetry remove {' '.join(i.name for i in upgrade.blocking)}) "
        "and run this again."
    )
    return message, "\n".join(remedies)


def unsolved_error(upgrade: Upgrade, error: UnsolvedError) -> tuple[str, str]:
    """The message and the remedy if a solver found no solution."""
    release = upgrade.new
    message = f"No set of packages fits TensorFlow {release.version}; nothing was changed"
    lines = [_blocker_line(upgrade, *found) for found in find_blockers(upgrade, error.involved)]
    if release.unsatisfiable and not upgrade.before.pyproject.is_managed:
        lines.append(
            f"TensorFlow {release.version} requires {format_list(release.unsatisfiable)}, which "
            "does not exist. In a project with [tool.poetry-tf] that is left out. Run: "
            "poetry tf init"
        )
    if lines:
        lines.append("")
    return message, "\n".join([*lines, "Poetry says:", str(error).strip()])


def _blocker_line(upgrade: Upgrade, item: Requirement, specifier: str) -> str:
    place = _place_before(upgrade, item)
    written = f"{item.name} {item.written}".strip()
    required, release = f"{place}: you require {written}", upgrade.new.version
    if specifier:
        needs = f"and TensorFlow {release} needs {item.name} {specifier}"
        return f"{required}, {needs}: change yours so that it admits that."
    remedy = "admit other versions of it, or remove it."
    return f"{required}, which conflicts with the rest: {remedy}"


def _place_before(upgrade: Upgrade, item: Requirement) -> str:
    """The place of a requirement in the file as it is; the planned one has other lines."""
    pyproject = upgrade.before.pyproject
    same = [
        one
        for one in pyproject.requirements
        if (one.name, one.written, one.marker) == (item.name, item.written, item.marker)
    ]
    same = [one for one in same if one.path[:-1] == item.path[:-1]] or same
    lines = [f":{pyproject.position(one.constraint_path).line}" for one in same[:1]]
    return f"{pyproject.path.name}{''.join(lines)}"


def _companion_remedy(item: CompanionMove, upgrade: Upgrade) -> str:
    lines = []
    if (retired := item.retired) is not None:
        sources = ", ".join(retired.sources)
        lines.append(f"{item.name}: {retired.why}. {retired.instead} ({sources})")
    if item.series:
        text = f"TensorFlow {_format_series(item.series)} has a release of {item.name}"
        is_there = upgrade.old is not None and upgrade.old.series in item.series[-1:]
        lines.append(f"{text}, and the project is in that series." if is_there else f"{text}.")
    return "\n".join(lines)


def _format_series(series: Sequence[str]) -> str:
    """Series in words: "2.13 to 2.15"."""
    known = load().series
    if len(series) > 2 and known[known.index(series[0]) :][: len(series)] == tuple(series):
        return f"{series[0]} to {series[-1]}"
    return format_list(series)
