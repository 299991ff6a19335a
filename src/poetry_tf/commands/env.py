"""``poetry tf env``: the variables that TensorFlow needs, as a shell reads them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Final

from cleo.helpers import option
from cleo.io.inputs.option import Option
from cleo.io.outputs.output import Type
from poetry.factory import Factory

from poetry_tf.actions.variables import Variable, needed_variables
from poetry_tf.commands.base import FORMAT_OPTIONS, TensorFlowCommand, document_head
from poetry_tf.commands.setting_warnings import warn_of_project
from poetry_tf.files.project import Project
from poetry_tf.plan.derive import require_poetry, required_plan
from poetry_tf.plan.model import TF_KERAS, PlanError
from poetry_tf.poetry_internals.environment import project_environment
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.installed import LibraryLinks, library_links
from poetry_tf.text import format_list


class EnvCommand(TensorFlowCommand):
    name = "tf env"
    description = "Prints the environment variables that TensorFlow needs, for a shell."
    options: ClassVar[list[Option]] = [
        option(
            "shell",
            None,
            "The shell that reads them: sh, bash, zsh, fish, powershell or pwsh.",
            flag=False,
            default="sh",
        ),
        *FORMAT_OPTIONS,
    ]
    help = """\
For work without a container. In a container, <comment>devcontainer.json</> sets them. Most \
projects need none: then nothing is printed.

  <comment>eval "$(poetry tf env)"</>                                      sh, bash, zsh
  <comment>poetry tf env --shell fish | source</>                         fish
  <comment>poetry tf env --shell powershell | Invoke-Expression</>        PowerShell

In a batch script of a cluster, put the line for sh before the one that starts Python.
"""

    def writes(self) -> bool:
        return False

    def run_in(self, root: Path) -> int:
        self.check_format()
        shell = self.option("shell")
        if shell not in _SHELLS:
            names = format_list(_SHELLS)
            raise PlanError(f"Unknown shell {shell!r}", f"Give --shell one of {names}.")
        project = Project.read(root)
        require_poetry(project)
        warn_of_project(self, project)
        plan = required_plan(project, load(), load_images())
        site = _site(root)
        links = library_links(site) if site is not None else LibraryLinks()
        if plan.legacy_keras and site is not None and _lacks_legacy_keras(site):
            self.warn(
                f"tf.keras fails with TF_USE_LEGACY_KERAS: {TF_KERAS}, which has Keras 2, is not "
                f"installed in {site}. Run: poetry install"
            )
        variables = list(needed_variables(plan, links, os.environ))
        if self.format == "json":
            self.write_json({**document_head(1), "variables": [*map(asdict, variables)]})
            return 0
        for line in map(_SHELLS[shell], variables):
            self.io.write_line(line, type=Type.RAW)
        if sys.stdout.isatty():
            self._explain(variables)
        return 0

    def _explain(self, variables: Iterable[Variable]) -> None:
        """What a person wants to know, and a shell does not read."""
        lines = [f"{item.name}: {item.why}" for item in variables]
        self.show_lines("\n".join(lines) or "This project needs no variables.")


def _site(root: Path) -> Path | None:
    """The folder in which TensorFlow is installed; None where it is not, or Poetry finds none."""
    try:
        return project_environment(Factory().create_poetry(root)).site
    except Exception:  # whatever is wrong with the project or its Python
        return None


def _lacks_legacy_keras(site: Path) -> bool:
    """Whether TensorFlow is installed in a folder, and Keras 2 is not."""
    return (site / "tensorflow").is_dir() and not (site / "tf_keras").is_dir()


def _for_sh(item: Variable) -> str:
    old = f'"${{{item.name}:+{item.separator}${item.name}}}"' if item.separator else ""
    return f"export {item.name}={shlex.quote(item.value)}{old};"


def _for_fish(item: Variable) -> str:
    value = item.value.replace("\\", "\\\\").replace("'", "\\'")
    if not item.separator:
        return f"set -gx {item.name} '{value}';"
    old = f'(test -n "${item.name}"; and echo "{item.separator}${item.name}"; or echo "")'
    return f"set -gx {item.name} '{value}'{old};"


def _for_powershell(item: Variable) -> str:
    value, variable = item.value.replace("'", "''"), f"$env:{item.name}"
    old = f" + $(if ({variable}) {{ '{item.separator}' + {variable} }})" if item.separator else ""
    return f"{variable} = '{value}'{old}"


_SHELLS: Final[dict[str, Callable[[Variable], str]]] = {
    **dict.fromkeys(("sh", "bash", "zsh"), _for_sh),
    "fish": _for_fish,
    **dict.fromkeys(("powershell", "pwsh"), _for_powershell),
}
