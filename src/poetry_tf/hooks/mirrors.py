"""The mirrors of PyPI that have a name here, and what the ``tf.mirror`` setting means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True)
class Mirror:
    """A way to PyPI's packages: the root of a simple index."""

    name: str
    """How a user knows it; for a URL of the user's own, its host."""
    url: str


# From the mirrors' own help pages and repositories, November 2026.
MIRRORS: Mapping[str, Mirror] = MappingProxyType(
    {
        "tuna": Mirror("TUNA", "https://pypi.tuna.tsinghua.edu.cn/simple/"),
        "bfsu": Mirror("BFSU", "https://mirrors.bfsu.edu.cn/pypi/web/simple/"),
        "ustc": Mirror("USTC", "https://mirrors.ustc.edu.cn/pypi/simple/"),
        "aliyun": Mirror("Aliyun", "https://mirrors.aliyun.com/pypi/simple/"),
        "tencent": Mirror("Tencent", "https://mirrors.cloud.tencent.com/pypi/simple/"),
        "huawei": Mirror("Huawei", "https://mirrors.huaweicloud.com/repository/pypi/simple/"),
        "sustech": Mirror("SUSTech", "https://mirrors.sustech.edu.cn/pypi/web/simple/"),
    }
)
AUTO = MIRRORS["tuna"]
"""The mirror that ``auto`` asks first."""


@dataclass(frozen=True)
class MirrorSetting:
    """What ``tf.mirror`` says. ``off``: PyPI itself; ``auto``: a mirror where one answers."""

    kind: Literal["off", "auto", "mirror"]
    mirror: Mirror | None = None


class MirrorError(ValueError):
    """A value of ``tf.mirror`` that means nothing; the text says which are understood."""


def parse_mirror(value: object) -> MirrorSetting:
    """Reads a value of ``tf.mirror``: a name, a URL, ``auto``, or ``off``.

    ``pypi`` means the same as ``off``: no mirror. Empty means unset, which is off: a container
    passes a variable on that way when the host has none. Raises `MirrorError`.
    """
    if value is None or value == "" or value is False:
        return MirrorSetting("off")
    if isinstance(value, str):
        name = value.strip().lower()
        if name in {"off", "pypi", "none", "false"}:
            return MirrorSetting("off")
        if name == "auto":
            return MirrorSetting("auto")
        if name in MIRRORS:
            return MirrorSetting("mirror", MIRRORS[name])
        parts = urlsplit(value.strip())
        if parts.scheme in {"http", "https"} and parts.hostname:
            return MirrorSetting("mirror", Mirror(parts.hostname, value.strip()))
    raise MirrorError(
        f"{value!r} is no mirror: write auto, off, the URL of a simple index, or one of "
        f"{', '.join(MIRRORS)}"
    )


def without_credentials(url: str) -> str:
    """The URL without user name and password, fit to be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
