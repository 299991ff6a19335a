"""``[tf]`` in Poetry's own settings, and the variables: what in them has no effect."""

from __future__ import annotations

import os
from collections.abc import Iterator

from poetry_tf.files.state import VARIABLE as STATE_VARIABLE
from poetry_tf.files.toml import TomlDocument, rendered
from poetry_tf.files.values import spelled
from poetry_tf.index.config import LOCAL_HOSTS, SETTING, VARIABLE, shown_path, user_documents
from poetry_tf.index.mirrors import MirrorError, parse_mirror
from poetry_tf.plan.settings import (
    PROJECT_SETTINGS,
    REGISTRY_VARIABLE,
    SettingProblem,
    is_named_like_ours,
)
from poetry_tf.text import did_you_mean, format_list

_TABLE = SETTING[:-1]
_HEADER = f"[{spelled(_TABLE)}]"
_OF_PROJECTS = ("mirror",)
_OF_USERS = ("mirror", "local-hosts", "cert", "client-cert")
# Poetry reads each of its settings from a variable, too.
_VARIABLES = (
    VARIABLE,
    REGISTRY_VARIABLE,
    STATE_VARIABLE,
    "POETRY_TF_CERT",
    "POETRY_TF_CLIENT_CERT",
)


def poetry_setting_problems(
    document: TomlDocument, *, is_projects: bool
) -> Iterator[SettingProblem]:
    """What has no effect in one of Poetry's files: a project's, or the user's."""
    for name, value in document.data.items():
        if name == SETTING[-1]:
            yield SettingProblem((name,), f"{name} has no effect here", f"Write it under {_HEADER}")
        elif isinstance(value, dict) and name not in _TABLE and is_named_like_ours(name):
            yield SettingProblem((name,), f"[{name}] has no effect", f"Write {_HEADER}")
    table = document.get(_TABLE)
    if table is None:
        return
    if not isinstance(table, dict):
        yield SettingProblem(_TABLE, "tf is not a table", f"Write {_HEADER}")
        return
    known = _OF_PROJECTS if is_projects else _OF_USERS
    for key, value in table.items():
        path = (*_TABLE, key)
        if key == SETTING[-1]:
            yield from _mirror_problems(value)
        elif key == LOCAL_HOSTS[-1] and not is_projects and not _is_list_of_texts(value):
            remedy = 'Write a list of hosts, such as ["pypi.lan:8080"]'
            yield SettingProblem(path, f"{key} is {rendered(value)}", remedy)
        elif key in known:
            continue
        elif key in _OF_USERS:
            remedy = "Write it into your own config.toml"
            remedy += " (`poetry tf allow HOST`)" if key == LOCAL_HOSTS[-1] else ""
            yield SettingProblem(path, f"{key} has no effect in a project's poetry.toml", remedy)
        elif key in PROJECT_SETTINGS:
            remedy = "Write it under [tool.poetry-tf] in pyproject.toml"
            yield SettingProblem(path, f"{key} has no effect under [tf]", remedy)
        else:
            count = "The setting is" if len(known) == 1 else "The settings are"
            remedy = f"{did_you_mean(key, known)}{count} {format_list(known)}"
            yield SettingProblem(path, f"unknown setting {key}", remedy)


def _mirror_problems(value: object) -> Iterator[SettingProblem]:
    try:
        parse_mirror(value)
    except MirrorError as error:
        yield SettingProblem(SETTING, error.fault, error.remedy)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def machine_setting_problems() -> Iterator[str]:
    """What has no effect in this user's own settings and variables, a line each."""
    for name in os.environ:
        if name.startswith("POETRY_TF_") and name not in _VARIABLES:
            meant = did_you_mean(name, _VARIABLES)
            yield f"unknown variable {name}. {meant}The variables are {format_list(_VARIABLES)}"
    for problem in _mirror_problems(os.environ.get(VARIABLE)):
        yield f"the variable {VARIABLE}: {problem.message}. {problem.remedy}"
    for file, document in user_documents():
        for problem in poetry_setting_problems(document, is_projects=False):
            line = document.nearest(problem.path).line
            yield f"{shown_path(file)}:{line}: {problem.message}. {problem.remedy}"
