"""TF601: what is installed in the project's environments on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from poetry_tf.checks.findings import Context, Finding, rule
from poetry_tf.index.config import shown_path
from poetry_tf.plan.main_line import main_requirement
from poetry_tf.poetry_internals.reads import project_environments
from poetry_tf.releases.installed import library_links
from poetry_tf.releases.nvidia import libraries
from poetry_tf.text import format_few


@rule("TF601", "warning")
def overlooked_libraries(context: Context) -> Iterator[Finding]:
    """The installed TensorFlow doesn't find libraries of its own CUDA wheels.

    TensorFlow looks for them in folders that are written into it, and some releases overlook some:
    2.21.0 that of cuSOLVER, 2.16.1 all but one. It then uses the CPU. `poetry install`, `sync`,
    `add` and `update` link these libraries into a folder where TensorFlow looks, if poetry-tf is
    installed beside Poetry and manages the project. The rule finds an environment without these
    links, because another tool installed it. It looks only at environments in the project and in
    Poetry's folder.

    It is a warning because it is about this machine alone.
    """
    plan, project = context.plan, context.project
    if plan is None or plan.gpu.mode != "pip":
        return
    needed, item = libraries(plan.release), main_requirement(project)
    for environment in project_environments(project.root, project.pyproject.name):
        for site in environment.glob("lib/python3.*/site-packages"):
            try:
                overlooked = set(library_links(site).overlooked)
            except OSError:
                continue  # what can't be read can't be judged
            if lacking := [name for name in needed if name in overlooked]:
                first = "" if project.pyproject.is_managed else "`poetry tf init`, then "
                yield Finding(
                    *context.at(item.path if item is not None else ()),
                    f"TensorFlow in {_shown(environment, project.root)} does not find "
                    f"{format_few(lacking)} of its own wheels, so it uses the CPU",
                    f"Run {first}`poetry install`, which links them",
                )


def _shown(environment: Path, root: Path) -> str:
    return environment.name if environment.parent == root else shown_path(environment)
