"""Projects before and after the options, for the tests of the actions."""

from __future__ import annotations

from poetry_tf.actions.init import (
    with_options_fixed,
)
from poetry_tf.actions.options import InitOptions, plan_options
from poetry_tf.files.project import Project
from poetry_tf.plan.model import Plan
from tests.made import in_memory


def settled(text: str, lock: str | None = None, **options: str | bool) -> Plan:
    return plan_options(in_memory(text, lock=lock), InitOptions(**options))  # type: ignore[arg-type]


def prepared(project: Project, options: InitOptions, *, new: bool = False) -> Project:
    return with_options_fixed(project, options, plan_options(project, options), new=new)


AWS = (
    """\
tensorflow-cpu-aws = { version = "~2.13.1", markers = """
    """"sys_platform == 'linux' and platform_machine == 'aarch64'" }
"""
)


LEGACY = f"""\
# A study.
[tool.poetry]
name = "study"
package-mode = false   # nothing to publish

[tool.poetry.dependencies]
python = '>=3.10,<3.12'
tensorflow = "~2.13.1"  # pinned
{AWS}numpy = "*"
setuptools = "<82"

[tool.poetry-tf]
gpu = "auto"
"""
