"""Whether addresses are valid, and which lead into the local network or to this machine.

Naming such an address for another person's machine makes that machine ask what only it can
reach. So a project may name one only where the user allows its host.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_LOCAL_ENDINGS = (
    *(".local", ".localhost", ".localdomain", ".lan", ".internal", ".intranet", ".private"),
    *(".corp", ".home", ".home.arpa"),
)
# Numbers of no network. Proxies answer with them for every name, and connect by it ("fake-ip").
_FAKE = ("198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
_DEFAULT_PORTS = {"http": 80, "https": 443}
HostPort = tuple[str, int]


def url_fault(url: str) -> str | None:
    """What is wrong with an address, in words that follow it; None for a valid one."""
    scheme, divided, rest = url.strip().partition("://")
    name = scheme.lower().rpartition("+")[2]
    server = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    host, _, port = server.rpartition(":") if re.search(r":[^\]]*\Z", server) else (server, "", "")
    if not divided:
        return None  # a path, or git's own form
    if re.search(r"[\s\\]", url.strip()):
        return "contains a blank or a backslash"
    if "[" in server or "]" in server:
        try:
            import ipaddress

            is_number = bool(re.fullmatch(r"\[[^\[\]]+\]", host))
            ipaddress.IPv6Address(host.strip("[]").partition("%")[0] if is_number else "")
        except ValueError:
            return "has an IPv6 address that is not valid"
    if name in _DEFAULT_PORTS:
        if not host:
            return "has no host"
        if port and not (port.isdecimal() and port.isascii() and int(port) < 65_536):
            return "has a port that is not a number up to 65535"  # or a part of a password
        try:
            urlsplit(url)
        except ValueError:
            return "has a host that is not valid"
    return None


def is_local(url: str) -> bool:
    """Whether an address leads there, by its host or by what the host's name resolves to.

    A name is resolved once for the process; whoever answers for it may answer otherwise when the
    connection is made (DNS rebinding). Where a proxy makes the connection, it resolves the name
    itself, so that only the name counts. What is no address of a host is taken for a local one.
    """
    host = _host(url)
    return host is None or is_local_host(host) or (not _is_proxied(url) and _resolves_there(host))


def is_local_host(host: str) -> bool:
    """Whether a host is on a local network by its name or number, in any way to write it.

    Those are private, link-local, loopback, shared (CGNAT) and reserved numbers, also within a
    number of IPv6; names of one label; and names under the endings that are used for it.
    """
    name = host.lower().rstrip(".")
    if not name.isascii():
        import idna  # requests resolves digits and dots of other scripts in this way

        try:
            name = idna.encode(name, uts46=True).decode()
        except idna.IDNAError:
            return True
    if (number := _number(name)) is not None:
        return not _is_public(number)
    return "." not in name or f".{name}".endswith(_LOCAL_ENDINGS)


def _host(url: str) -> str | None:
    # The parser of the client: others find another host where an address holds a backslash.
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        return parse_url(url.strip()).host
    except LocationParseError:
        return None


def _number(host: str) -> IPv4Address | IPv6Address | None:
    import ipaddress
    import socket

    # Not only the four decimal numbers, but every form that resolvers accept: 127.1, 0x7f000001.
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):  # also for a character that no name has
        pass
    try:
        return ipaddress.IPv6Address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _is_public(number: IPv4Address | IPv6Address) -> bool:
    import ipaddress

    if isinstance(number, ipaddress.IPv6Address):
        if number.is_site_local:
            return False
        # IPv4 within IPv6: mapped, compatible, NAT64, 6to4 and Teredo.
        low = ipaddress.IPv4Address(int(number) & 0xFFFF_FFFF)
        if number in ipaddress.IPv6Network("::/96") or number in ipaddress.IPv6Network(
            "64:ff9b::/96"
        ):
            return _is_public(low)
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo or (None, None))[1]
        if inner is not None:
            return _is_public(inner)
    return number.is_global and not number.is_multicast


def _is_proxied(url: str) -> bool:
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(url, get_environ_proxies(url)) is not None


@cache
def _resolves_there(host: str) -> bool:
    import socket
    from ipaddress import ip_network

    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return False  # nothing can be reached there
    numbers = [_number(str(address[0])) for *_, address in found]
    known = [number for number in numbers if number is not None]
    if any(number in network for number in known for network in map(ip_network, _FAKE)):
        return False
    return not all(map(_is_public, known))


# -- hosts that the user allows -------------------------------------------------------------


def host_and_port(url: str) -> HostPort | None:
    """The host and the port of an address of http or https."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(url.strip())
    except LocationParseError:
        return None
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme or "")
    return None if parts.host is None or port is None else (parts.host, port)


def allowed_hosts(text: str) -> frozenset[HostPort]:
    """What an entry of a list of hosts means: "host:port", or "host" with the usual ports."""
    found = host_and_port(f"http://{text}")
    if found is None:
        return frozenset()
    is_port_given = host_and_port(f"https://{text}") == found
    ports = (found[1],) if is_port_given else _DEFAULT_PORTS.values()
    return frozenset((found[0], port) for port in ports)


def is_allowed(url: str, allowed: Collection[HostPort]) -> bool:
    """Whether a project may name an address: it is not local, or its host is allowed."""
    return host_and_port(url) in allowed or not is_local(url)


def host_entry(url: str) -> str:
    """The host of an address as it is written in a list of hosts."""
    found = host_and_port(url)
    if found is None:
        return ""
    host, port = found
    return host if port in _DEFAULT_PORTS.values() else f"{host}:{port}"
