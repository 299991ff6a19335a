"""The mirrors of PyPI that have a name here, and what the ``tf.mirror`` setting means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from poetry_tf.http.addresses import is_local_host, url_fault
from poetry_tf.index.folder_setting import names_folder
from poetry_tf.text import did_you_mean


@dataclass(frozen=True)
class Mirror:
    """A mirror of PyPI: the root of a simple index."""

    name: str
    """How a user knows it; for a URL of the user's own, its host."""
    url: str
    fate: str = ""
    """The key of the mirror that it fails together with, because the same people run both or it
    forwards requests there; an independent mirror has its own key, a URL its host."""
    run_by: str = ""

    def __post_init__(self) -> None:
        if not self.fate:
            object.__setattr__(self, "fate", _host(self.url) or self.name)


# From the mirrors' own help pages and repositories, November 2026.
MIRRORS: Mapping[str, Mirror] = MappingProxyType(
    {
        "tuna": Mirror(
            "TUNA (Tsinghua)",
            "https://pypi.tuna.tsinghua.edu.cn/simple/",
            "tuna",
            "TUNA, a student association at Tsinghua University",
        ),
        "bfsu": Mirror(
            "BFSU",
            "https://mirrors.bfsu.edu.cn/pypi/web/simple/",
            "tuna",
            "TUNA, for Beijing Foreign Studies University",
        ),
        "ustc": Mirror(
            "USTC",
            "https://mirrors.ustc.edu.cn/pypi/simple/",
            "tuna",
            "University of Science and Technology of China; gets missing files from TUNA",
        ),
        "aliyun": Mirror(
            "Aliyun", "https://mirrors.aliyun.com/pypi/simple/", "aliyun", "Alibaba Cloud"
        ),
        "tencent": Mirror(
            "Tencent",
            "https://mirrors.cloud.tencent.com/pypi/simple/",
            "tencent",
            "Tencent Cloud",
        ),
        "huawei": Mirror(
            "Huawei",
            "https://mirrors.huaweicloud.com/repository/pypi/simple/",
            "huawei",
            "Huawei Cloud",
        ),
        "sustech": Mirror(
            "SUSTech",
            "https://mirrors.sustech.edu.cn/pypi/web/simple/",
            "sustech",
            "Southern University of Science and Technology",
        ),
    }
)
ALIASES: Mapping[str, str] = MappingProxyType({"tsinghua": "tuna"})
"""Other names of mirrors, which are accepted but not listed."""
AUTO_MIRROR = MIRRORS["tuna"]
"""The mirror that ``auto`` prefers."""
AUTO_FALLBACK = MIRRORS["aliyun"]
"""The mirror that ``auto`` uses where that fails: the two have nothing in common."""

# Hosts that mirror PyPI, with the name above of the same mirror; None for any other mirror.
_HOSTS: Mapping[str, str | None] = MappingProxyType(
    {
        **{str(urlsplit(mirror.url).hostname): name for name, mirror in MIRRORS.items()},
        "mirrors.tuna.tsinghua.edu.cn": "tuna",
        "pypi.mirrors.ustc.edu.cn": "ustc",
        "mirrors.cloud.aliyuncs.com": "aliyun",
        "mirrors.tencent.com": "tencent",
        "mirrors.tencentyun.com": "tencent",
        "repo.huaweicloud.com": "huawei",
        "mirror.baidu.com": None,
        "mirror.nju.edu.cn": None,
        "mirror.sjtu.edu.cn": None,
        "mirrors.163.com": None,
        "mirrors.sjtug.sjtu.edu.cn": None,
        "mirrors.zju.edu.cn": None,
    }
)
# Hosts that no longer mirror PyPI.
_RETIRED = frozenset({"pypi.douban.com", "pypi.doubanio.com"})

# User name and password may contain an @; the last one before the path ends them.
_CREDENTIALS = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*@")
_SCHEME = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class MirrorSetting:
    """A value of ``tf.mirror``.

    ``off``: PyPI itself; ``auto``: a mirror if one answers; ``mirror``: these, in order of
    preference, and PyPI itself if none of them answers; ``folder``: folders alone, no network.
    """

    kind: Literal["off", "auto", "mirror", "folder"]
    mirrors: tuple[Mirror, ...] = ()
    folders: tuple[str, ...] = ()
    """The folders with saved files, as they are written. Beside a mirror they supply files only."""


def is_in_china(setting: MirrorSetting) -> bool:
    """Whether packages come from China; with ``auto`` they do, unless its mirrors fail."""
    mirrors = (AUTO_MIRROR,) if setting.kind == "auto" else setting.mirrors
    hosts = [_host(mirror.url) or "" for mirror in mirrors]
    return any(host in _HOSTS or host.endswith(".cn") for host in hosts)


class MirrorError(ValueError):
    """A value of ``tf.mirror`` that is not valid.

    Attributes:
        fault: what is wrong with it.
        remedy: the valid ones, as a sentence without a full stop; may be empty.
    """

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(f"{fault}. {remedy}" if remedy else fault)
        self.fault = fault
        self.remedy = remedy


_MOST = 16
"""The mirrors in a setting: the name of each that a project names may have to be looked up."""
_OFF = frozenset({"off", "pypi", "none", "false"})


def parse_mirror(value: object) -> MirrorSetting:
    """Parses a value of ``tf.mirror``: names and URLs in order of preference, ``auto``, or ``off``.

    Several are a list or, because a variable cannot hold a list, a string with commas. ``pypi``
    means ``off``; at the end of several mirrors it is redundant, because PyPI is always the last.
    Folders stand in any place of a list, beside mirrors, ``auto`` or ``pypi``, or alone. Empty
    means unset, which is off: a container passes on a variable that the host does not have as an
    empty one.

    Raises:
        MirrorError: the value is not valid.
    """
    if value is None or value == "" or value is False:
        return MirrorSetting("off")
    if isinstance(value, str):
        # A comma in an address is written %2C.
        parts: list[Any] = [part.strip() for part in value.split(",") if part.strip()]
    else:
        parts = [*value] if isinstance(value, list | tuple) else []
    if len(parts) > _MOST:
        raise MirrorError(f"a list of {len(parts)} mirrors is too long", f"Write at most {_MOST}")
    folders = [part.strip() for part in parts if isinstance(part, str) and names_folder(part)]
    if folders:
        rest = [part for part in parts if not (isinstance(part, str) and names_folder(part))]
        beside = parse_mirror(rest) if rest else MirrorSetting("folder")
        return replace(beside, folders=tuple(dict.fromkeys(folders)))
    words = [part.strip().lower() if isinstance(part, str) else "" for part in parts]
    if len(words) == 1 and words[0] in _OFF:
        return MirrorSetting("off")
    if words == ["auto"]:
        return MirrorSetting("auto")
    if len(words) > 1 and words[-1] == "pypi":
        parts = parts[:-1]
    if not parts:
        raise _not_a_mirror(_redacted(value))
    mirrors: dict[str, Mirror] = {}
    for part in parts:
        mirror = _mirror(part)
        if mirror is None:
            # A password with a comma is split, and neither part looks like a password.
            shown = _redacted(value if isinstance(value, str) and "@" in value else part)
            if isinstance(part, str) and part.strip().lower() in {*_OFF, "auto"}:
                names = ", ".join(MIRRORS)
                remedy = (
                    f"A list has URLs and names ({names}) in order of preference, not auto or off"
                )
                raise MirrorError(f"{shown} can't be in a list", remedy)
            raise _not_a_mirror(shown, part)
        mirrors.setdefault(mirror.url.rstrip("/"), mirror)
    return MirrorSetting("mirror", tuple(mirrors.values()))


_WORD = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


def _not_a_mirror(shown: str, value: object = None) -> MirrorError:
    fault = url_fault(value) if isinstance(value, str) else None
    why = f", because it {fault}" if fault else ""
    # A folder is written as one: "wheels" may be a name that is misspelt.
    folder = f"./{value}" if isinstance(value, str) and _WORD.fullmatch(value) else "./wheels"
    return MirrorError(
        f"{shown} is not a mirror{why}",
        f"{did_you_mean(value, ('auto', 'off', 'pypi', *MIRRORS, *ALIASES))}Write auto, off, the "
        f"URL of a simple index, one of {', '.join(MIRRORS)}, a folder ({folder}, /mnt/usb), or "
        "several of these",
    )


def _mirror(value: object) -> Mirror | None:
    """The mirror with this name or URL."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    name = ALIASES.get(text.lower(), text.lower())
    if name in MIRRORS:
        return MIRRORS[name]
    if (host := _host(text)) is None:
        return None
    known = mirror_at(text)
    return Mirror(host, text, known.today.fate if known is not None and known.today else "")


def format_value(value: object) -> str:
    """A value of the setting for a person, without secrets."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_format_item, value))
    if not isinstance(value, str):
        return repr(value)
    # A password may hold a comma, so that nothing before the last @ is safe to be shown.
    head, at, _ = value.rpartition("@")
    if at and "," in head:
        return f"…@{value.rpartition('@')[2]}"
    parts = [part.strip() for part in value.split(",") if part.strip()]
    return ", ".join(map(_format_item, parts)) or repr(value)


def _format_item(item: object) -> str:
    return without_credentials(item) if isinstance(item, str) and item else repr(item)


def setting_value(text: str) -> str | list[str]:
    """The value of ``tf.mirror`` for a file, of names and URLs with commas between them."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return parts if len(parts) > 1 else "".join(parts)


def mirror_key(mirror: Mirror) -> str | None:
    """The name of a mirror in settings; None for one that only has an address."""
    return next((key for key, known in MIRRORS.items() if known == mirror), None)


def independent_of(mirrors: Sequence[Mirror]) -> Mirror | None:
    """A mirror that may work where all of these fail, if each of them has a name here.

    A user with an address of their own may want no other mirror, only PyPI itself.
    """
    known = [*MIRRORS.values()]
    fates = {mirror.fate for mirror in mirrors}
    if any(mirror not in known for mirror in mirrors) or len(fates) > 1:
        return None
    return next((mirror for mirror in known if mirror.fate not in fates), None)


@dataclass(frozen=True)
class KnownMirror:
    """What is known of an address that mirrors PyPI."""

    host: str
    retired: bool
    today: Mirror | None
    """The same mirror as it is used today, if it has a name here."""


def mirror_at(url: str) -> KnownMirror | None:
    """The mirror of PyPI that an address belongs to; None for any other index."""
    host = _host(url.strip())
    if host is None:
        return None
    if host in _RETIRED:
        return KnownMirror(host, retired=True, today=None)
    # These hosts also mirror other things, including other Python indexes.
    if host not in _HOSTS or "pypi" not in url.lower():
        return None
    name = _HOSTS[host]
    return KnownMirror(host, retired=False, today=MIRRORS[name] if name else None)


def is_public(mirror: Mirror) -> bool:
    """Whether it is a known mirror, which everybody may use."""
    return mirror_key(mirror) is not None or mirror_at(mirror.url) is not None


def is_plain_http(url: str) -> bool:
    """Whether an address leads over the internet without TLS, so that others can change the answer.

    Not for hosts of this machine or of a local network.
    """
    host = _host(url.strip())
    return host is not None and url.strip().lower().startswith("http:") and not is_local_host(host)


def without_credentials(url: str) -> str:
    """The URL without user name and password, for messages."""
    return _CREDENTIALS.sub(lambda match: match[1] or "", url)


def holds_login(mirror: Mirror) -> bool:
    """Whether its address holds a user name or a password."""
    return without_credentials(mirror.url) != mirror.url


def _host(url: str) -> str | None:
    """The host of an http or https address; None for anything else."""
    if url_fault(url) is not None:
        return None
    parts = urlsplit(url)
    return parts.hostname if parts.scheme in {"http", "https"} else None


def _redacted(value: object) -> str:
    """An invalid value for a message. Whatever is before an @ may be a password."""
    if not isinstance(value, str):
        text = repr(value)
        return text if "@" not in text else f"a {type(value).__name__}"
    _, at, rest = value.rpartition("@")
    scheme = _SCHEME.match(value)
    return repr(f"{scheme[0] if scheme else ''}…@{rest}" if at else value)
