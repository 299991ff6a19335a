"""Where ``tf.mirror`` is set: the layers of Poetry's settings, each with its place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import poetry.locations

from poetry_tf.files.documents import DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import POETRY_TOML, Project, read_text
from poetry_tf.files.toml import TomlDocument
from poetry_tf.files.values import KeyPath

if TYPE_CHECKING:
    from poetry.config.config import Config

# Poetry reads its setting tf.mirror from this variable before any file.
VARIABLE = "POETRY_TF_MIRROR"
SETTING: KeyPath = ("tf", "mirror")


@dataclass(frozen=True)
class SettingLayer:
    """A value of the setting, and its place."""

    value: Any
    place: str
    """For a person: a file with its line, or the variable."""
    file: Path | None = None


def setting_layers(root: Path | None) -> tuple[SettingLayer, ...]:
    """The layers that set it, the one in force first; `root` is the project's folder.

    A file that cannot be read is skipped: Poetry itself reports it.
    """
    found: list[SettingLayer] = []
    if value := os.environ.get(VARIABLE):
        found.append(SettingLayer(value, f"the variable {VARIABLE}"))
    files = [] if root is None else [root / POETRY_TOML]
    # Poetry reads auth.toml as it reads config.toml, and after it.
    for file in (*files, user_settings_file("auth.toml"), user_settings_file()):
        try:
            document = TomlDocument.parse(read_text(file) or "")
        except (DocumentError, ProjectError):
            continue
        value = document.get(SETTING)
        if value is not None and value != "":
            line = document.nearest(SETTING).line
            name = file.name if file.parent == root else shown_path(file)
            found.append(SettingLayer(value, f"{name}:{line}", file))
    return tuple(found)


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


def mirror_value(config: Config) -> Any:
    """The value in force in a project that Poetry has loaded.

    `Config.get` returns an empty variable; a container sets one if the host has none.
    """
    settings = config.config.get("tf")
    files = settings.get("mirror") if isinstance(settings, dict) else None
    return os.environ.get(VARIABLE) or files


def pypi_index() -> str:
    """The address of PyPI's simple index, which is Poetry's to know."""
    from poetry.repositories.pypi_repository import PyPiRepository

    return str(PyPiRepository(disable_cache=True).url).rstrip("/") + "/"
