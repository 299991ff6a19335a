"""Where ``tf.mirror`` is set: the layers of Poetry's settings, each with its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import poetry.locations

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import POETRY_TOML, Project, read_text
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath

# Poetry reads its setting tf.mirror from this variable before any file.
VARIABLE = "POETRY_TF_MIRROR"
SETTING: KeyPath = ("tf", "mirror")
# Those of poetry-plugin-pypi-mirror, which count where tf.mirror is not set.
PLUGIN_VARIABLE = "POETRY_PYPI_MIRROR_URL"
PLUGIN_SETTING: KeyPath = ("plugins", "pypi_mirror", "url")
LOCAL_HOSTS: KeyPath = ("tf", "local-hosts")
"""The hosts on the local network that a project may name, in the user's own settings."""


@dataclass(frozen=True)
class SettingLayer:
    """A value of the setting, and its place."""

    value: Any
    place: str
    """For a person: a file with its line, or the variable."""
    file: Path | None = None
    is_projects: bool = False
    """Whether the project says so, and not the user of this machine."""
    variable: str | None = None
    """The variable that holds it."""


def setting_layers(
    root: Path | None, poetry_toml: TomlDocument | None = None
) -> tuple[SettingLayer, ...]:
    """The layers that set it, the one in force first; `root` is the project's folder.

    `poetry_toml` is the project's, where it is not written yet. A file that cannot be read is
    skipped: Poetry itself reports it.
    """
    own = None if root is None else root / POETRY_TOML
    documents = [] if own is None else [(own, poetry_toml or _read(own))]
    # Poetry reads auth.toml as it reads config.toml, and after it.
    documents += user_documents()
    found: list[SettingLayer] = []
    for variable, setting in ((VARIABLE, SETTING), (PLUGIN_VARIABLE, PLUGIN_SETTING)):
        if value := os.environ.get(variable):
            place = f"the variable {variable}"
            found.append(SettingLayer(_value(value, setting), place, variable=variable))
        for file, document in documents:
            value = None if document is None else document.get(setting)
            if document is not None and value is not None and value != "":
                name = file.name if file == own else shown_path(file)
                place = f"{name}:{document.nearest(setting).line}"
                found.append(SettingLayer(_value(value, setting), place, file, file == own))
    return tuple(found)


def _value(value: Any, setting: KeyPath) -> Any:
    return value if setting == SETTING else [value]  # one address, which may hold a comma


def option_layer(value: object) -> SettingLayer:
    """What the option of a command says, which the user has typed."""
    return SettingLayer(value, "the option --mirror")


def is_set_on_machine() -> bool:
    """Whether the user sets a mirror for every project on this machine.

    `VARIABLE` doesn't count: it goes before what a project says, which so changes nothing.
    """
    return any(layer.variable != VARIABLE for layer in setting_layers(None))


def local_hosts() -> tuple[str, ...]:
    """The hosts on the local network that the user lets projects name."""
    found = [document.get(LOCAL_HOSTS) for _, document in user_documents()]
    lists = [value for value in found if isinstance(value, list)]
    return tuple(item for value in lists for item in value if isinstance(item, str))


def user_documents() -> Iterator[tuple[Path, TomlDocument]]:
    """The files of the user's settings that can be read."""
    for file in _user_files():
        if (document := _read(file)) is not None:
            yield file, document


def _user_files() -> tuple[Path, Path]:
    return user_settings_file("auth.toml"), user_settings_file()


def _read(file: Path) -> TomlDocument | None:
    try:
        text = read_text(file)
        return TomlDocument.parse(text) if text else None
    except (DocumentError, ProjectError):
        return None


def user_settings_file(name: str = "config.toml") -> Path:
    """A file of the user's settings of Poetry."""
    return Path(poetry.locations.CONFIG_DIR) / name


def shown_path(file: Path) -> str:
    """A path for messages, from ~ on where it is in the home folder."""
    home = Path.home()
    return f"~/{file.relative_to(home).as_posix()}" if file.is_relative_to(home) else str(file)


def mirror_setting(project: Project) -> Any:
    """The value in the project's poetry.toml; None where it is not set."""
    return project.poetry_toml.get(SETTING) if project.poetry_toml else None


def pypi_index() -> str:
    """The address of PyPI's simple index, as Poetry knows it."""
    from poetry.repositories.pypi_repository import PyPiRepository

    return str(PyPiRepository(disable_cache=True).url).rstrip("/") + "/"
