"""A cache of the texts of wheels' members, by the hash of the wheel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from poetry_tf.releases.reader.datafile import write
from poetry_tf.releases.reader.wheel import Member, RemoteWheel

CACHE_FORMAT: Final = 2


@dataclass(slots=True)
class CachedWheel:
    """The members of a wheel, read from the cache, else from the index.

    The cache holds the texts, so a change in how they are parsed needs no new download. The key is
    the hash of the wheel, so an entry is never stale.
    """

    file: Path | None
    open: Callable[[], RemoteWheel]
    _texts: dict[str, str | None] = field(default_factory=dict)
    _shim: bool | None = None
    _wheel: RemoteWheel | None = None

    def __post_init__(self) -> None:
        if self.file is None:
            return
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            if content["format"] == CACHE_FORMAT:
                self._texts, self._shim = dict(content["members"]), content["shim"]
        except (OSError, ValueError, LookupError, TypeError):
            self._texts = {}  # absent or damaged: read the wheel

    def is_shim(self) -> bool:
        """Whether the wheel contains nothing but its metadata."""
        if self._shim is None:
            self._shim = self._opened().is_shim()
        return self._shim

    def text(self, member: Member) -> str | None:
        """The text of a member; None if the wheel has no such member."""
        if member.name not in self._texts:
            self._texts[member.name] = self._opened().text(member)
        return self._texts[member.name]

    def runpath(self) -> str | None:
        """See `RemoteWheel.runpath`."""
        if Member.FRAMEWORK.name not in self._texts:
            self._texts[Member.FRAMEWORK.name] = self._opened().runpath()
        return self._texts[Member.FRAMEWORK.name]

    def _opened(self) -> RemoteWheel:
        if self._wheel is None:
            self._wheel = self.open()
        return self._wheel

    def save(self) -> None:
        """Writes what was read to the cache. A failure to write is ignored."""
        if self.file is None or self._wheel is None:
            return
        content = {"format": CACHE_FORMAT, "members": self._texts, "shim": self._shim}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write(self.file, json.dumps(content, indent=2, sort_keys=True) + "\n")
        except OSError:
            return
