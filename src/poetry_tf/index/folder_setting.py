"""Folders as values of ``tf.mirror``: which texts mean a folder, and which a project may name.

Nothing here looks into a folder before it is known whose setting names it: on Windows the mere
look at a path of another machine (UNC) sends it the user's login.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

_FILE = re.compile(r"file:/+[^/\[\]]", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|file:", re.IGNORECASE)
"""A scheme has at least two letters, a drive one."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_STARTS = ("/", "\\", "./", "../", ".\\", "..\\", "~")

FolderFault = Literal["foreign", "relative", "elsewhere", "outside", "link"]
"""Why a folder isn't used: it is a path of another system, or relative in the user's own settings;
a project names one on another machine, outside of itself, or behind a link."""


def names_folder(text: str) -> bool:
    """Whether a value names a folder: a path that begins like one, or a file URL."""
    text = text.strip()
    return (
        _FILE.match(text) is not None
        or text.startswith(_STARTS)
        or text in {".", ".."}
        or _DRIVE.match(text) is not None
    )


def is_path(text: str) -> bool:
    """Whether a text that has to be a folder can be one: neither empty nor an address."""
    text = text.strip()
    return _FILE.match(text) is not None or bool(text and not _ADDRESS.match(text))


def folder_value(path: Path) -> str:
    """How a whole path is written as a value: a URL where it has a comma."""
    text = str(path)
    return path.as_uri() if "," in text else text


def is_of_another_machine(text: str) -> bool:
    """Whether a value leads to another machine, or to a device: UNC, in any spelling."""
    text = text.strip()
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        local = parts.netloc.lower() in {"", "localhost"}
        path = unquote(parts.path)
        return not local or any(map(is_of_another_machine, (path, path.removeprefix("/"))))
    return text.replace("\\", "/").startswith("//")


def users_folder(text: str, base: Path | None) -> Path | FolderFault:
    """The folder that the user names; `base` is what a relative path begins at, if it may be one.

    What has no address is not looked for.
    """
    written = _path(text)
    if written is None:
        return "foreign"
    path = Path(written).expanduser()
    if not path.is_absolute() and base is None:
        return "relative"
    return Path(os.path.normpath((base or Path()) / path))


def projects_folder(text: str, root: Path) -> Path | FolderFault:
    """The folder that a project names, which is inside of it, and behind no link."""
    if is_of_another_machine(text):
        return "elsewhere"
    path = _path(text)
    if path is None:
        return "foreign"
    if path.startswith("~"):
        return "outside"
    full = Path(os.path.normpath(root / path))
    if not full.is_relative_to(root):
        return "outside"
    at = root
    for part in full.relative_to(root).parts:
        at /= part
        if at.is_symlink() or _is_junction(at):
            return "link"
    return full


def _is_junction(path: Path) -> bool:
    is_junction = getattr(os.path, "isjunction", None)  # since Python 3.12
    if is_junction is not None:
        return bool(is_junction(path))
    try:
        # Of a reparse point, that is any that is no ordinary folder.
        return bool(getattr(path.lstat(), "st_reparse_tag", 0))
    except OSError:
        return False


def _path(text: str) -> str | None:
    """The path that a value names on this system; None for one of another system."""
    text = text.strip()
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        host = "" if parts.netloc.lower() == "localhost" else parts.netloc
        if host and os.name != "nt":
            return None
        return (f"\\\\{host}" if host else "") + url2pathname(parts.path)
    if os.name != "nt" and PureWindowsPath(text).drive and not PurePosixPath(text).is_absolute():
        return None
    return text


FAULTS: dict[FolderFault, str] = {
    "foreign": "is not a path on this system",
    "relative": "is a relative path, which means another folder elsewhere: write an absolute one",
    "elsewhere": "is on another machine, which a project may not name",
    "outside": "is outside the project, which a project may not name",
    "link": "is behind a link, which a project may not name",
}
"""The words that follow the folder."""
