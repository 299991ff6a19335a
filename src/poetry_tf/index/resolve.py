"""Which of the mirrors in the layers of the setting are used.

A project's poetry.toml comes with a cloned repository. What it names on the local network is not
used unless the user allows the host. Where it overrides the user's own setting, this is reported.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import poetry_tf
from poetry_tf.http.addresses import HostPort, allowed_hosts, host_and_port, host_entry, is_allowed
from poetry_tf.index.config import SettingLayer, local_hosts, pypi_index, setting_layers
from poetry_tf.index.folder_setting import FAULTS, projects_folder, users_folder
from poetry_tf.index.mirrors import (
    Mirror,
    MirrorError,
    MirrorSetting,
    format_value,
    is_public,
    parse_mirror,
    without_credentials,
)
from poetry_tf.text import format_list


@dataclass(frozen=True)
class ResolvedMirror:
    """The setting that is used, and what the user is told of it, a line each."""

    setting: MirrorSetting
    layer: SettingLayer | None = None
    """Where it stands; None where no layer is used."""
    notices: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    """The folders that the setting names, whether they are there or not."""


def parse_layer(layer: SettingLayer) -> MirrorSetting:
    """The setting of a layer. Raises `MirrorError`, which names its place."""
    try:
        return parse_mirror(layer.value)
    except MirrorError as error:
        raise MirrorError(f"{error.fault} (in {layer.place})", error.remedy) from None


def resolve(layers: Sequence[SettingLayer], may_name: Callable[[str], bool]) -> ResolvedMirror:
    """The setting in force; `may_name` is whether a project may name an address.

    Raises:
        MirrorError: the layer in force is not valid.
    """
    notices: list[str] = []
    for layer in layers:
        setting = parse_layer(layer)
        folders = _folders(layer, setting, notices)
        refused = [
            mirror
            for mirror in setting.mirrors
            if layer.is_projects and not is_public(mirror) and not may_name(mirror.url)
        ]
        if refused:
            notices.append(_format_refused(layer, refused))
            setting = replace(
                setting, mirrors=tuple(item for item in setting.mirrors if item not in refused)
            )
            if not (setting.mirrors or folders):
                continue
        if setting.kind == "folder" and not folders:
            continue
        if layer.is_projects and (own := _overridden(layers, setting)) is not None:
            named = (*map(str, folders), *(mirror.name for mirror in setting.mirrors))
            names = ", ".join(named) or setting.kind
            notices.append(
                f"{layer.place} sets the mirror {names} instead of yours, "
                f"{format_value(own.value)} ({own.place})"
            )
        return ResolvedMirror(setting, layer, tuple(notices), folders)
    return ResolvedMirror(MirrorSetting("off"), notices=tuple(notices))


def _folders(layer: SettingLayer, setting: MirrorSetting, notices: list[str]) -> tuple[Path, ...]:
    """The folders of a layer. Raises `MirrorError` for one of the user's that can't be used."""
    found: list[Path] = []
    for text in setting.folders:
        if layer.is_projects and layer.file is not None:
            folder = projects_folder(text, layer.file.parent)
        else:
            # A file of settings is for every folder that a command may be run in.
            folder = users_folder(text, Path.cwd() if layer.file is None else None)
        if isinstance(folder, Path):
            found.append(folder)
        elif layer.is_projects:
            notices.append(f"{layer.place}: the folder {text} {FAULTS[folder]}: not used")
        else:
            raise MirrorError(f"the folder {text} {FAULTS[folder]} (in {layer.place})")
    return tuple(found)


def _format_refused(layer: SettingLayer, refused: Sequence[Mirror]) -> str:
    names = format_list(dict.fromkeys(mirror.name for mirror in refused))
    hosts = dict.fromkeys(shlex.quote(host_entry(mirror.url)) for mirror in refused)
    return (
        f"{layer.place} names {names} on the local network, which you have not allowed: not used. "
        f"To allow it, run: {poetry_tf.program} allow {' '.join(hosts)}"
    )


def _overridden(layers: Sequence[SettingLayer], setting: MirrorSetting) -> SettingLayer | None:
    """The user's own layer, where it means something else."""
    own = next((layer for layer in layers if not layer.is_projects), None)
    if own is None:
        return None
    try:
        return own if _meaning(parse_mirror(own.value)) != _meaning(setting) else None
    except MirrorError:
        return None  # it was not in force anyway


def _meaning(setting: MirrorSetting) -> tuple[str, ...]:
    addresses = (without_credentials(mirror.url).rstrip("/") for mirror in setting.mirrors)
    return (setting.kind, *setting.folders, *addresses)


# -- what the user names --------------------------------------------------------------------


def user_mirrors(layers: Iterable[SettingLayer] | None = None) -> tuple[Mirror, ...]:
    """The mirrors that the user names, in any layer of the user's own."""
    found: dict[Mirror, None] = {}
    for layer in setting_layers(None) if layers is None else layers:
        if not layer.is_projects:
            try:
                found.update(dict.fromkeys(parse_mirror(layer.value).mirrors))
            except MirrorError:
                continue
    return tuple(found)


def user_hosts() -> frozenset[HostPort]:
    """The hosts that the user names: those of mirrors, those allowed by hand, and Poetry's PyPI."""
    urls = [pypi_index(), *(mirror.url for mirror in user_mirrors())]
    named = {found for url in urls if (found := host_and_port(url)) is not None}
    return frozenset(named.union(*map(allowed_hosts, local_hosts())))


def may_name(url: str) -> bool:
    """Whether a project may name an address on this machine."""
    return is_allowed(url, user_hosts())
