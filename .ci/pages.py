"""Writes what README.md and docs/ say of the program, from the program: rules, options, settings,
releases, containers, exit statuses, the set-up of a host; and what the commands on the pages print.

    python .ci/pages.py [--check]

With `--check` nothing is written, no command is run, and the status is 1 if a page is out of date.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cleo.commands.command import Command
from cleo.formatters.formatter import Formatter
from tests.support.pages import GENERATED, PAGES

from poetry_tf.checks.findings import rules as all_rules
from poetry_tf.commands.doctor_output import (
    as_document,
    format_finding,
    format_title,
    format_verdict,
)
from poetry_tf.commands.doctor_possibilities import format_possibilities
from poetry_tf.commands.releases import ReleasesCommand
from poetry_tf.doctor.host import remedies
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostSpec, Remedy, System
from poetry_tf.doctor.host.possibilities import find_possibilities, read_facts
from poetry_tf.doctor.host.probes import run_probes
from poetry_tf.doctor.host.system import family
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import GpuChoice, Settings
from poetry_tf.plugin import COMMANDS
from poetry_tf.releases import Release, load
from poetry_tf.releases.images import Images, load_images
from poetry_tf.releases.nvidia import overlooked_folders
from poetry_tf.text import format_list

FIRST = "2.8"
WIDTH = 100


def table(head: list[str], rows: typing.Iterable[typing.Iterable[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


# Rules


def rules() -> str:
    """A table of the rules."""
    return table(
        ["code", "finds", "severity", "`--fix`"],
        (
            [
                f"[{rule.code}](#{rule.code.lower()})",
                rule.title,
                rule.severity,
                "yes" if rule.fixable else "no",
            ]
            for rule in all_rules()
        ),
    )


def explanations() -> str:
    """The explanation of each rule, as `check --explain` prints it."""
    parts = []
    for rule in all_rules():
        paragraphs = [f"**{rule.title}.**", *rule.explanation]
        filled = (textwrap.fill(text, WIDTH, break_on_hyphens=False) for text in paragraphs)
        parts.append("\n\n".join([f"## {rule.code}", *filled]))
    return "\n\n".join(parts) + "\n"


# Commands


def commands() -> Iterator[tuple[str, Command]]:
    for name, (module, kind) in COMMANDS.items():
        made = getattr(importlib.import_module(f"poetry_tf.commands.{module}"), kind)()
        yield f"poetry {name}", made


def plain(text: str) -> str:
    """A text of a command without the marks of colours."""
    return Formatter().remove_format(text)


def overview() -> str:
    """The commands, each with a line of what it does."""
    page = "docs/reference/commands.md"
    rows = (
        [f"[`{name}`]({page}#{name.replace(' ', '-')})", command.description]
        for name, command in commands()
        if name.count(" ") == 2
    )
    return table(["command", "what it does"], rows)


def options() -> str:
    """Each command with its arguments, options and help."""
    parts = (
        (f"## {name}\n\n{plain(one.description)}\n", arguments(one), flags(one), manual(one))
        for name, one in commands()
    )
    return "\n".join(map("".join, parts))


def arguments(command: Command) -> str:
    found = command.definition.arguments
    rows = ([f"`{one.name}`", plain(one.description)] for one in found)
    return "\n" + table(["argument", "means"], rows) if found else ""


def flags(command: Command) -> str:
    found = command.definition.options
    rows = (
        [
            f"`--{one.name}{'' if one.is_flag() else '=' + one.name.upper()}`",
            plain(one.description)
            + (f" Default: `{one.default}`." if isinstance(one.default, str) else ""),
        ]
        for one in found
    )
    return "\n" + table(["option", "means"], rows) if found else ""


def manual(command: Command) -> str:
    """The help of a command; what is indented there is code."""
    parts = [part for part in re.split(r"\n\s*\n", plain(command.help).strip("\n")) if part.strip()]
    shown = (
        f"```text\n{textwrap.dedent(part)}\n```"
        if part.startswith("  ")
        else textwrap.fill(part, WIDTH, break_on_hyphens=False)
        for part in parts
    )
    return "".join(f"\n{part}\n" for part in shown)


def statuses() -> str:
    """What the help of the commands says of their exit status."""
    rows = []
    for name, command in commands():
        parts = re.split(r"\n\s*\n", plain(command.help))
        said = [
            part.removeprefix("Exit status: ") for part in parts if "exit status" in part.lower()
        ]
        said += [
            f"`--{one.name}`: {plain(one.description)}"
            for one in command.definition.options
            if "exit with" in one.description
        ]
        if said:
            rows.append([f"`{name}`", " ".join(" ".join(said).split())])
    return table(["command", "exit status"], rows)


# Settings


def settings() -> str:
    """The keys of `[tool.poetry-tf]`: type, default and meaning."""
    hints = typing.get_type_hints(Settings)
    meanings = attributes(Settings.__doc__ or "")
    rows = []
    for one in dataclasses.fields(Settings):
        key = one.name.replace("_", "-")
        default = "not set" if one.default is None else literal(one.default)
        rows.append([f"`{key}`", type_of(key, hints[one.name]), default, meanings[one.name]])
    return table(["key", "type", "default", "meaning"], rows)


def literal(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else "`[]`"


def type_of(key: str, hint: object) -> str:
    """The type of a key as TOML has it."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f'`"{word}"`' for word in typing.get_args(hint))
    if key == "environments":
        return "array of " + ", ".join(f'`"{name}"`' for name in ENVIRONMENTS)
    return {bool: "`true`, `false`", str: "string"}.get(hint, "array of tables")  # type: ignore[call-overload]


def attributes(docstring: str) -> dict[str, str]:
    """What the docstring of a dataclass says of each attribute."""
    text = textwrap.dedent(docstring.partition("Attributes:\n")[2])
    found = re.findall(r"^(\w+): (.*(?:\n[ ]+.*)*)", text, re.MULTILINE)
    return {name: capitalized(" ".join(meaning.split())) for name, meaning in found}


def capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


# Releases and containers


def releases() -> str:
    """What `poetry tf releases` prints."""
    from cleo.io.buffered_io import BufferedIO
    from cleo.io.inputs.string_input import StringInput

    io = BufferedIO(StringInput(""))
    ReleasesCommand().run(io)
    return f"```text\n{io.fetch_output()}```\n"


def containers() -> str:
    """What is written into a container for each series and mode."""
    images = load_images()
    return table(
        ["TensorFlow", "Python", "`system`", "`pip`", "`none`", "`auto` takes"],
        (container_row(images, release) for release in planned()),
    )


def container_hosts() -> str:
    """The hosts that a first build downloads from."""
    images = load_images()
    return table(
        ["mode", "a first build downloads from"],
        (hosts_row(images, mode) for mode in ("system", "pip", "none")),
    )


def planned() -> list[Release]:
    """The newest release of each series that plans are made for."""
    catalog = load()
    series = catalog.series[catalog.series.index(FIRST) :]
    return [release for name in series if (release := catalog.newest(name)) is not None]


def plan(images: Images, release: Release, mode: GpuChoice) -> Plan | None:
    """The plan for a release in a mode; None where it is refused."""
    try:
        return make_plan(load(), images, release, Settings(mode), None)
    except PlanError:
        return None


def container_row(images: Images, release: Release) -> list[str]:
    auto = plan(images, release, "auto")
    pythons = f"{auto.pythons[0]} to {auto.python}" if auto else "none"
    if auto and len(auto.pythons) == 1:
        pythons = auto.python
    return [
        release.series,
        pythons,
        system(plan(images, release, "system")),
        wheels(release) if plan(images, release, "pip") else "refused",
        "CPU" if plan(images, release, "none") else "refused",
        f"`{auto.gpu.mode}`" if auto else "refused",
    ]


def wheels(release: Release) -> str:
    folders = overlooked_folders(release)
    named = format_list(f"`{part}`" for part in folders)
    return f"`and-cuda` wheels{f', with a path to {named}' if folders else ''}"


def system(plan: Plan | None) -> str:
    if plan is None:
        return "refused"
    unproven = "" if plan.gpu.proven else ", unproven"
    return f"CUDA {plan.gpu.cuda}, cuDNN {plan.gpu.cudnn}{unproven}"


def hosts_row(images: Images, mode: str) -> list[str]:
    hosts = [f"{images.registry} (the image)"]
    if mode == "system":
        feature = images.cuda
        hosts.append(f"{feature.id.partition('/')[0]} (the feature)")
        hosts.append(f"{' and '.join(feature.downloads)} (CUDA, cuDNN and what they need)")
    what = "Poetry, packages, CUDA, cuDNN" if mode == "pip" else "Poetry, packages"
    hosts.append(f"PyPI ({what})")
    return [f"`{mode}`", ", ".join(hosts)]


# The host


HOSTS: tuple[System, ...] = typing.get_args(System)


def host(name: System) -> str:
    """How `doctor` says a host is set up: driver, Docker, toolkit."""
    return "\n".join(
        f"{one.what}\n\n{to_paste(name, commands)}" for one, commands in host_steps(name)
    )


def host_commands(name: System) -> str:
    """The commands of that alone, for pages in another language."""
    return to_paste(name, [line for _, commands in host_steps(name) for line in commands])


def host_steps(name: System) -> Iterator[tuple[Remedy, list[str]]]:
    toolkit = remedies.toolkit(installed=False, rootless=False)
    for remedy in (remedies.driver(None), remedies.DOCKER, toolkit):
        if commands := remedy.commands_on(name):
            yield remedy, [*commands, *(() if name == "windows" else remedy.everywhere)]


def to_paste(name: System, commands: list[str]) -> str:
    """A block without comments. A shell reads all of it before it runs the first command, so
    that no line is taken as the answer to a question, and stops where one fails."""
    lines = [line.partition("  # ")[0] for line in commands]
    language = "powershell" if name == "windows" else "sh"
    return f"```{language}\n{f' &&{chr(10)}'.join(lines)}\n```\n"


# The doctor


def doctor() -> str:
    """What `poetry tf doctor` prints on a machine whose Docker doesn't know the GPU."""
    from tests.doctor.host.test_host import machine, needs

    return report(machine("unregistered"), needs())


def doctor_in_wsl() -> str:
    """What it prints in WSL 2 where Docker Desktop does not serve the distribution."""
    from tests.doctor.host.test_host import machine, needs

    return report(machine("wsl2-no-integration"), needs("2.21"))


def doctor_without_container() -> str:
    """What it prints in WSL 2 without a container, where all is well."""
    from tests.doctor.host.test_bare import recording, spec_of
    from tests.support.machines import RecordedMachine

    recorded = recording("wsl2")
    return report(RecordedMachine(recorded), spec_of(recorded))


def report(here: Machine, wanted: HostSpec) -> str:
    found = [*run_probes(here, wanted)]
    lines = [line for one in found for line in format_finding(one, family(here))]
    return shown([format_title(wanted), *lines, format_verdict(found, wanted, here)])


def doctor_document() -> str:
    """What it prints with `--json` there."""
    from tests.doctor.host.test_host import machine, needs

    here, wanted = machine("unregistered"), needs()
    document = as_document([*run_probes(here, wanted)], wanted, here)
    return f"```json\n{json.dumps(document, indent=2, ensure_ascii=False)}\n```\n"


def empty_folder() -> str:
    """What it prints in an empty folder in WSL 2."""
    from tests.doctor.host.test_place import PYTHONS, machine

    here = machine("wsl2-systemd")
    return shown(format_possibilities(read_facts(here, PYTHONS), find_possibilities(here, PYTHONS)))


def shown(lines: typing.Iterable[str]) -> str:
    return f"```text\n{''.join(f'{plain(line)}{chr(10)}' for line in lines)}```\n"


PARTS: dict[str, Callable[[], str]] = {
    "rules": rules,
    "explanations": explanations,
    "overview": overview,
    "options": options,
    "exit-statuses": statuses,
    "settings": settings,
    "releases": releases,
    "containers": containers,
    "doctor": doctor,
    "doctor-json": doctor_document,
    "doctor-empty-folder": empty_folder,
    "doctor-wsl2": doctor_in_wsl,
    "doctor-wsl2-without-container": doctor_without_container,
    "container-hosts": container_hosts,
    **{f"host-{name}": partial(host, name) for name in HOSTS},
    **{f"host-commands-{name}": partial(host_commands, name) for name in HOSTS},
}


def main() -> int:
    stale = []
    for page in PAGES:
        text = page.read_text("utf-8")
        new = GENERATED.sub(lambda part: f"{part[1]}{part[2]}\n{PARTS[part[1]]()}\n", text)
        if new != text:
            stale.append(page.relative_to(ROOT).as_posix())
            if "--check" not in sys.argv[1:]:
                page.write_text(new, "utf-8")
    if "--check" in sys.argv[1:]:
        print(f"run python .ci/pages.py: {', '.join(stale)}" if stale else "up to date")
        return int(bool(stale))
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", "tests/integration/test_pages.py"]
    environ = {**os.environ, "PAGES": "write"}
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
