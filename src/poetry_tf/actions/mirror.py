"""The mirror as `init` writes it: a setting in poetry.toml, or a source in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from poetry_tf.actions.options import InitOptions
from poetry_tf.files.edits import Edit
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import Project
from poetry_tf.files.toml import Inline
from poetry_tf.index.config import mirror_setting
from poetry_tf.index.folder_setting import FAULTS, projects_folder
from poetry_tf.index.mirrors import (
    AUTO_MIRROR,
    MirrorError,
    MirrorSetting,
    holds_login,
    is_plain_http,
    mirror_at,
    mirror_key,
    parse_mirror,
    setting_value,
    without_credentials,
)
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.settings import SETTINGS_PATH, read_settings

_MIRROR_PATH: tuple[str, str] = ("tf", "mirror")


def mirror_edits(project: Project, options: InitOptions, default: str | None) -> list[Edit]:
    """Sets the mirror in poetry.toml: the option, else the present setting, else `default`."""
    present = mirror_setting(project)
    value = default if present is None else present
    if options.mirror is not None:
        value = setting_value(options.mirror)
    if options.write_source or value is None:
        return []
    if present is None and options.mirror is None and replaces_pypi(project):
        return []  # nothing is downloaded from PyPI
    return [Edit(project.root / "poetry.toml", "set", _MIRROR_PATH, value)]


def replaces_pypi(project: Project) -> bool:
    """Whether Poetry uses a source of the project instead of PyPI."""
    sources = _sources(project)
    named = any(str(source.get("name")).lower() == "pypi" for source in sources)
    primary = any(source.get("priority", "primary") == "primary" for source in sources)
    return primary and not named


def _sources(project: Project) -> list[dict[str, Any]]:
    sources = project.pyproject.table("tool", "poetry").get("source", [])
    if not isinstance(sources, list) or not all(isinstance(item, dict) for item in sources):
        path = ("tool", "poetry", "source")
        position = project.pyproject.position(path)
        raise ProjectError(project.pyproject.path, "source is not an array of tables", position)
    return sources


def source_edits(project: Project, value: str | None) -> list[Edit]:
    """Adds a mirror to pyproject.toml as a primary source of Poetry's."""
    setting = parse_mirror(value or "auto")
    mirror = setting.mirrors[0] if setting.mirrors else AUTO_MIRROR
    if setting.kind == "off":
        return []
    edits: list[Edit] = []
    file = project.pyproject.path
    if not any(mirror.url == source.get("url") for source in _sources(project)):
        if without_credentials(mirror.url) != mirror.url:
            raise PlanError(
                "The mirror's address contains a password, which does not belong in pyproject.toml",
                "Leave out --write-source, or use `poetry config http-basic`.",
            )
        name = re.sub(r"[^a-z0-9]+", "-", (mirror_key(mirror) or mirror.name).lower()).strip("-")
        source = {"name": name, "url": mirror.url, "priority": "primary"}
        edits.append(Edit(file, "append", ("tool", "poetry", "source"), source))
    if mirror_at(mirror.url) is not None and not read_settings(project)[0].ignores("TF401"):
        # The user chose it, so it is no finding; the reason is for readers of the file.
        entry = Inline(code="TF401", reason="chosen with init --write-source")
        edits.append(Edit(file, "append", (*SETTINGS_PATH, "ignore"), entry))
    return edits


def check_source(setting: MirrorSetting) -> None:
    """Raises `PlanError` for a setting that can't be written as a source."""
    if setting.folders:
        raise PlanError(
            f"--write-source can't write the folder {setting.folders[0]}: a source in "
            "pyproject.toml has to be a web address",
            "Leave out --write-source: the folder is then written to poetry.toml.",
        )
    if setting.kind == "off":
        raise PlanError(
            "--write-source has no mirror to write",
            "Give a mirror with --mirror, or leave out --write-source.",
        )


def validate_mirror(
    value: str,
    prefix: str = "",
    remedy: str = "Without it the default is auto.",
    *,
    shared: bool = False,
) -> MirrorSetting:
    """The setting that a text means; raises `PlanError` for one that TF402 would report, too.

    Its message begins with `prefix`. `shared` is whether it will be in a file of the project.
    """
    try:
        setting = parse_mirror(value)
    except MirrorError as error:
        raise PlanError(f"{prefix}{error.fault}", f"{error.remedy}. {remedy}") from None
    for text in setting.folders if shared else ():
        if not isinstance(fault := projects_folder(text, Path.cwd()), Path):
            raise PlanError(
                f"{prefix}the folder {text} {FAULTS[fault]}",
                "Set it for you only: poetry tf mirror use FOLDER",
            )
    for mirror in setting.mirrors:
        known = mirror_at(mirror.url)
        shown = without_credentials(mirror.url)
        if shared and holds_login(mirror):
            raise PlanError(
                f"{prefix}the address of {mirror.name} contains a user name or a password, which "
                "does not belong in a file of the project",
                "Write it without them, and set it whole for you only, by `poetry tf mirror use`.",
            )
        if known is not None and known.retired:
            raise PlanError(f"{prefix}the mirror {shown} is retired", remedy)
        if is_plain_http(mirror.url):
            https = known.today.url if known is not None and known.today else "its https address"
            raise PlanError(
                f"{prefix}{shown} is plain http: anyone in between can change its answers",
                f"Give {https}.",
            )
    return setting
