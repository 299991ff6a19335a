"""Which addresses lead into the local network, however they are written."""

from __future__ import annotations

import socket

import pytest

from poetry_tf.http import addresses
from poetry_tf.http.addresses import (
    allowed_hosts,
    host_entry,
    is_allowed,
    is_local,
    url_fault,
)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the names of these tests resolve to; no name server is asked."""
    known = {
        "mirror.example.com": ["151.101.0.223", "10.0.0.7"],
        "six.example.com": ["fd00::7"],
        "pypi.example.org": ["151.101.0.223"],
        # A proxy that answers for every name.
        "fake.example.org": ["198.18.0.7", "fc00::7"],
    }

    def resolve(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if host not in known:
            raise socket.gaierror
        return [(0, 0, 0, "", (number, 0)) for number in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    addresses._resolves_there.cache_clear()


@pytest.mark.parametrize(
    "host",
    [
        # Loopback, private, link-local (with the clouds' metadata), shared, unspecified, multicast.
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        # The same in the other forms that resolvers read.
        *("2130706433", "0x7f000001", "017700000001", "0x7f.1", "127.1", "10.1", "0177.0.0.1"),
        "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
        "127\u30020\u30020\u30021",
        *("[::1]", "[::]", "[fe80::1]", "[fe80::1%25eth0]", "[fd00::1]", "[fec0::1]", "[ff02::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[::127.0.0.1]", "[64:ff9b::a00:1]"),
        "[2002:a00:1::1]",
        # Names.
        *("localhost", "LOCALHOST", "localhost.", "mirror", "nas.local", "pypi.internal", "a.lan"),
        *("x.localhost", "registry.corp", "router.home.arpa"),
        # What these names resolve to.
        *("mirror.example.com", "six.example.com"),
    ],
)
@pytest.mark.parametrize("form", ["http://{}/simple/", "https://me:pw@{}:8443/x", "HTTP://{}"])
def test_local_addresses(host: str, form: str) -> None:
    assert is_local(form.format(host))


@pytest.mark.parametrize(
    "host",
    [
        *("8.8.8.8", "0x08080808", "[2606:4700::1]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]"),
        *("a.example", "pypi.example.org", "10.example.org", "local.example.org", "unknown.test"),
        "fake.example.org",
        "xn--fiqs8s.example",
    ],
)
def test_public_addresses(host: str) -> None:
    assert not is_local(f"https://{host}/simple/")


def test_the_host_is_that_which_the_client_asks() -> None:
    """`urlsplit` sees another one behind a backslash."""
    assert is_local("http://127.0.0.1\\\\@pypi.example.org/simple/")
    assert is_local("http://pypi.example.org@127.0.0.1/simple/")
    assert is_local("http://[::1/simple/"), "what can't be read is not asked"


def test_a_proxy_resolves_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert not is_local("https://mirror.example.com/simple/")
    assert is_local("https://10.0.0.1/simple/")


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("mirror.lan", "http://mirror.lan/simple/", True),
        ("mirror.lan", "https://MIRROR.lab:443/", True),
        ("mirror.lan", "http://mirror.lan:8080/", False),
        ("mirror.lan:8080", "http://mirror.lan:8080/", True),
        ("mirror.lan:8080", "http://mirror.lan/", False),
        ("mirror.lan", "http://other.lan/", False),
        ("[::1]:5000", "http://[::1]:5000/v2/", True),
        ("localhost", "http://127.0.0.1/", False),
        ("", "http://127.0.0.1/", False),
        ("mirror.lan", "https://pypi.example.org/simple/", True),
    ],
)
def test_a_host_is_allowed_with_its_port(entry: str, url: str, allowed: bool) -> None:
    assert is_allowed(url, allowed_hosts(entry)) is allowed


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://mirror.lan/simple/", "mirror.lan"),
        ("http://me:pw@mirror.lan:8080/simple/", "mirror.lan:8080"),
        ("https://[::1]:5000/", "[::1]:5000"),
    ],
)
def test_the_entry_of_an_address_allows_it(url: str, entry: str) -> None:
    assert host_entry(url) == entry
    assert is_allowed(url, allowed_hosts(entry))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://[::1/simple/", "has an IPv6 address that is not valid"),
        ("http://::1]/simple/", "has an IPv6 address that is not valid"),
        ("http://[v1.x]/simple/", "has an IPv6 address that is not valid"),
        ("http://[1.2.3.4]:80/", "has an IPv6 address that is not valid"),
        ("git+https://me:pw@[::1/x.git", "has an IPv6 address that is not valid"),
        ("https://host:port/", "has a port that is not a number up to 65535"),
        ("https://host:65536/", "has a port that is not a number up to 65535"),
        ("https:///simple/", "has no host"),
        ("https://a\u2100b/simple/", "has a host that is not valid"),
        ("https://me:pw@/simple/", "has no host"),
        ("https://ho st/", "contains a blank or a backslash"),
        ("https://a\\@b/", "contains a blank or a backslash"),
    ],
)
def test_what_is_wrong_with_an_address(url: str, fault: str) -> None:
    assert url_fault(url) == fault


@pytest.mark.parametrize(
    "url",
    [
        *("https://ab.test/simple/", "http://[::1]:8080/simple", "https://host:/x", "HTTPS://h"),
        *("https://me:p%40w@host:1/x?y#z", "http://[fe80::1%25eth0]/", "https://me:p:w@host/"),
        *("git+ssh://git@github.com:org/x.git", "file:///x", "file:x", "git@github.com:org/x.git"),
    ],
)
def test_valid_addresses(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize("host", ["a\0b.example.org", "127.0.0.1\0", "\0", "[\0]", "a.\udc80"])
def test_a_host_that_no_name_can_be_is_judged_all_the_same(host: str) -> None:
    assert isinstance(addresses.is_local_host(host), bool)
    assert isinstance(is_local(f"http://{host}/"), bool)
