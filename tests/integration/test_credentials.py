"""Passwords and certificates go to the host that they belong to, by whatever way Poetry goes."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential
from poetry.utils.password_manager import PoetryKeyring

from poetry_tf.index import mirrors
from poetry_tf.index.mirrors import Mirror
from tests.support.index import Distribution, LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.servers import Answer, Server

UNTRUSTED = Path(__file__).parents[1] / "support" / "untrusted.pem"
DEMO = Distribution("demo", "1.0")
(WHEEL,) = DEMO.wheels
MANAGED = '\n[tool.poetry-tf]\ngpu = "none"\n'
PYPIS = "__token__:pypis"
OWN = "jane:mirrors"
HOSTS = "jane:hosts"


def _login(name: str, login: str) -> dict[str, str]:
    """The variables that hold a repository's login."""
    user, _, password = login.partition(":")
    prefix = f"POETRY_HTTP_BASIC_{name}"
    return {f"{prefix}_USERNAME": user, f"{prefix}_PASSWORD": password}


@pytest.fixture(autouse=True)
def secrets(poetry: PoetryRunner) -> None:
    """A project of two packages, and PyPI's login in variables."""
    write_pyproject(poetry.project, ["demo", "six"], requires_python="~=3.11.0", more=MANAGED)
    poetry.environ |= _login("PYPI", PYPIS)


@pytest.fixture
def elsewhere() -> Iterator[LocalIndex]:
    """Another host, on a port of its own, that has `demo`, and lacks `six` as mirrors may."""
    with LocalIndex() as index:
        index.extend([DEMO])
        yield index


@pytest.fixture
def own() -> Iterator[Mount]:
    """The mirror of a company."""
    with LocalIndex() as index:
        index.extend([DEMO, Distribution("absl-py", "1.0")])  # which `auto` asks for
        yield index.default


def _sent(mount: Mount) -> set[str | None]:
    assert mount.requests
    return {_decoded(request.credentials) for request in mount.requests}


def _sent_to(server: Server) -> set[str | None]:
    assert server.asked
    return {_decoded(headers.get("Authorization")) for headers in server.headers}


def _decoded(header: str | None) -> str | None:
    return header and base64.b64decode(header.removeprefix("Basic ")).decode()


def _with(login: str, url: str) -> str:
    return url.replace("://", f"://{login}@")


def _allow(poetry: PoetryRunner, *urls: str) -> None:
    """Lets the project name the hosts of these addresses."""
    file = poetry.config_file.with_name("auth.toml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[tf]\nlocal-hosts = {[url.split('/')[2] for url in urls]}\n", "utf-8")


def _set(file: Path, *mirror: str, more: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[tf]\nmirror = {list(mirror)}\n{more}", "utf-8")


def _lock(poetry: PoetryRunner, **more: Any) -> Result:
    done = poetry.call("lock", **more)
    assert done.ok, done.output
    for login in (PYPIS, OWN, HOSTS):
        assert login.partition(":")[2] not in done.output
    return done


# PyPI's


@pytest.mark.sample
@pytest.mark.parametrize("how", ["name", "list", "variable", "user", "project", "auto"])
def test_pypis_login_goes_to_pypi_alone(
    poetry: PoetryRunner, pypi: Mount, own: Mount, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    known = Mirror("TUNA", own.url, "tuna")
    monkeypatch.setattr(mirrors, "MIRRORS", {"tuna": known} if how != "variable" else {})
    monkeypatch.setattr(mirrors, "AUTO_MIRROR", known)
    values = {"name": "tuna", "list": f"tuna,{own.url}nowhere/", "auto": "auto"}
    if how == "user":
        _set(poetry.config_file, own.url)
    elif how == "project":
        _allow(poetry, own.url)
        # A project may also take PyPI's name for it.
        fake = "".join(f'[repositories.{name}]\nurl = "{own.url}"\n' for name in ("pypi", "PyPI"))
        _set(poetry.project / "poetry.toml", own.url, more=fake)
    else:
        poetry.mirror = values.get(how, own.url)
    _lock(poetry)
    assert _sent(own) == {None}
    # It was asked for what the mirror lacks; to be measured it needs none.
    assert _sent(pypi) == ({PYPIS, None} if how == "auto" else {PYPIS})


def test_pypis_login_goes_to_pypi_without_a_mirror(poetry: PoetryRunner, pypi: Mount) -> None:
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    _lock(poetry)
    assert _sent(pypi) == {PYPIS}


# The mirror's own


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("place", ["variable", "config.toml", "auth.toml", "both"])
@pytest.mark.sample(every=4)
def test_a_mirrors_login_goes_where_the_user_names_it(
    poetry: PoetryRunner, pypi: Mount, own: Mount, place: str, metadata: bool
) -> None:
    own.metadata = metadata
    if place == "variable":
        poetry.mirror = _with(OWN, own.url)
    else:
        file = "config.toml" if place == "both" else place
        _set(poetry.config_file.with_name(file), _with(OWN, own.url))
    if place == "both":
        _set(poetry.project / "poetry.toml", own.url)
    _lock(poetry)
    by = "metadata" if metadata else "file"
    assert {request.kind for request in own.requests} >= {"page", by}
    assert _sent(own) == {OWN}
    own.requests.clear()
    assert poetry.call("install").ok
    assert "file" in {request.kind for request in own.requests}
    assert _sent(own) == {OWN}
    assert _sent(pypi) == {PYPIS}


def test_mirror_use_keeps_it_where_only_the_user_reads_it(poetry: PoetryRunner, own: Mount) -> None:
    _set(poetry.config_file, "tuna")
    done = poetry.call("tf", "mirror", "use", _with(OWN, own.url))
    assert done.ok and "mirrors" not in done.output and done.stderr == ""
    auth = poetry.config_file.with_name("auth.toml")
    assert auth.stat().st_mode & 0o077 == 0
    _lock(poetry)
    assert _sent(own) == {OWN}
    # The next choice is in force too.
    done = poetry.call("tf", "mirror", "use", "tuna")
    assert done.ok and done.stderr == ""
    assert "mirrors" not in auth.read_text("utf-8")


@pytest.mark.parametrize("name", ["tf-mirror", "tf_mirror", "TF-Mirror"])
@pytest.mark.parametrize("command", ["lock", "install", "add"])
@pytest.mark.sample(every=4)
def test_no_source_of_a_project_gets_it_by_its_name(
    poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex, name: str, command: str
) -> None:
    """Poetry looks passwords up by the names of sources, so it is kept under no name."""
    assert poetry.call("tf", "mirror", "use", _with(OWN, own.url)).ok
    source = f'\n[[tool.poetry.source]]\nname = "{name}"\nurl = "{elsewhere.url}"\n'
    wheel = elsewhere.default.address(WHEEL)
    write_pyproject(
        poetry.project,
        [f"demo @ {wheel}", "six"],
        requires_python="~=3.11.0",
        more=f'{source}priority = "supplemental"\n',
    )
    own.hidden = ("six",)
    repository = f'[repositories.{name}]\nurl = "{elsewhere.url}"\n'
    (poetry.project / "poetry.toml").write_text(repository, "utf-8")
    done = poetry.call(command, *(["absl-py"] if command == "add" else []))
    assert done.ok, done.output
    assert _sent(elsewhere.default) == {None}


def test_it_does_not_go_to_an_address_that_only_the_project_names(
    poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex
) -> None:
    _allow(poetry, own.url)
    _set(poetry.config_file, _with(OWN, elsewhere.url))
    fake = f'[repositories.tf-mirror]\nurl = "{own.url}"\n'
    _set(poetry.project / "poetry.toml", own.url, elsewhere.url, more=fake)
    own.hidden = ("demo",)
    _lock(poetry)
    assert _sent(own) == {None}
    assert _sent(elsewhere.default) == {OWN}


def test_each_host_gets_its_own(poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex) -> None:
    poetry.mirror = f"{_with(OWN, own.url)},{_with(HOSTS, elsewhere.url)}"
    own.hidden = ("demo",)
    _lock(poetry)
    assert (_sent(own), _sent(elsewhere.default)) == ({OWN}, {HOSTS})


def test_it_does_not_follow_a_file_to_another_host(
    poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex
) -> None:
    address = elsewhere.default.address(WHEEL)
    own.formats = ("html",)
    own.page_body = f'<a href="{address}#sha256={WHEEL.sha256}">{WHEEL.filename}</a>'.encode()
    poetry.mirror = _with(OWN, own.url)
    _netrc(poetry)
    _lock(poetry)
    assert poetry.call("install").ok
    assert _sent(own) == {OWN}
    assert _sent(elsewhere.default) == {None}


@pytest.mark.parametrize("login", [OWN, PYPIS])
def test_it_does_not_follow_a_redirect_to_another_host(
    poetry: PoetryRunner, elsewhere: LocalIndex, login: str
) -> None:
    page, file = "/simple/demo/", f"/packages/{WHEEL.filename}"
    _netrc(poetry)
    with Server(wants_token=False) as server:
        root = elsewhere.default.root.rstrip("/")
        link = f'<a href="{server.url}{file}#sha256={WHEEL.sha256}">{WHEEL.filename}</a>'
        elsewhere.default.formats, elsewhere.default.page_body = ("html",), link.encode()
        for path in (page, file):
            server.answers[path] = Answer(302, headers={"Location": f"{root}{path}"})
        if login == OWN:
            poetry.mirror = _with(OWN, f"{server.url}/simple/")
        else:
            poetry.pypi, poetry.mirror = f"{server.url}/", None
            write_pyproject(poetry.project, ["demo"], requires_python="~=3.11.0", more=MANAGED)
        _lock(poetry)
        assert poetry.call("install").ok
        assert _sent_to(server) == {login}
    assert {request.kind for request in elsewhere.requests} == {"page", "file"}
    assert _sent(elsewhere.default) == {None}


@pytest.mark.parametrize("login", ["", f"{OWN}@"])
def test_it_does_not_go_over_plain_http_to_a_public_host(poetry: PoetryRunner, login: str) -> None:
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    if not login:
        _netrc(poetry, "pypi.example.com")
    with Server(wants_token=False) as proxy:
        poetry.environ["HTTP_PROXY"] = proxy.url
        poetry.mirror = f"http://{login}pypi.example.com/simple/"
        _lock(poetry)
        assert proxy.asked[0].startswith("http://pypi.example.com/simple/")
        assert _sent_to(proxy) == {None}


# What a netrc and a keyring hold for a host


def _netrc(poetry: PoetryRunner, host: str = "127.0.0.1") -> None:
    user, _, password = HOSTS.partition(":")
    file = poetry.home / ".netrc"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"machine {host} login {user} password {password}\n", "utf-8")
    file.chmod(0o600)


@pytest.mark.parametrize("place", ["variable", "project", "name"])
def test_a_netrc_is_for_the_users_own_mirror(
    poetry: PoetryRunner, own: Mount, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    _netrc(poetry)
    if place == "name":
        monkeypatch.setattr(mirrors, "MIRRORS", {"tuna": Mirror("TUNA", own.url, "tuna")})
        poetry.mirror = "tuna"
    elif place == "project":
        _allow(poetry, own.url)
        _set(poetry.project / "poetry.toml", own.url)
    else:
        poetry.mirror = own.url
    _lock(poetry)
    assert _sent(own) == ({HOSTS} if place == "variable" else {None})


class Keyring(KeyringBackend):
    """What is known by the services' names."""

    priority = 1.0

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__()
        self.known = known

    def get_password(self, service: str, username: str) -> str | None:
        return self.known.get(service)

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        password = self.known.get(service)
        return SimpleCredential("jane", password) if password else None


@pytest.fixture
def hold() -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Makes a keyring with these passwords the machine's, until the test is over."""
    before = keyring.get_keyring()
    PoetryKeyring.is_available.cache_clear()
    yield lambda known: keyring.set_keyring(Keyring(known))
    keyring.set_keyring(before)
    PoetryKeyring.is_available.cache_clear()


@pytest.mark.sample
@pytest.mark.parametrize("service", ["poetry-repository-tf-mirror", "{host}"])
@pytest.mark.parametrize("is_users", [True, False])
def test_a_keyring_is_for_the_users_own_mirror(
    poetry: PoetryRunner,
    own: Mount,
    pypi: Mount,
    hold: Callable[[Mapping[str, str]], None],
    *,
    service: str,
    is_users: bool,
) -> None:
    for name in _login("PYPI", PYPIS):
        del poetry.environ[name]
    host = own.url.split("/")[2]
    hold({"poetry-repository-PyPI": "pypis", service.format(host=host): "mirrors"})
    poetry.environ |= {
        "POETRY_KEYRING_ENABLED": "true",
        "POETRY_HTTP_BASIC_PYPI_USERNAME": "__token__",
    }
    _allow(poetry, own.url)
    _set(poetry.config_file if is_users else poetry.project / "poetry.toml", own.url)
    _lock(poetry)
    assert _sent(own) == ({OWN} if is_users and service == "{host}" else {None})
    assert _sent(pypi) == {PYPIS}


# Certificates


@pytest.fixture
def secure() -> Iterator[tuple[str, list[bool]]]:
    """A server with a certificate that nobody has signed; whether each request came with one."""
    showed: list[bool] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.connection, ssl.SSLSocket)
            showed.append(bool(self.connection.getpeercert()))
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    context.load_verify_locations(UNTRUSTED)
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/simple/", showed
    server.shutdown()
    server.server_close()


CA = f"cert = {str(UNTRUSTED)!r}"
CLIENT = f"client-cert = {str(UNTRUSTED)!r}"
NONE: list[bool] = []
"""The connection was refused, as the server is not believed."""


@pytest.mark.sample
@pytest.mark.parametrize(
    ("settings", "is_users", "showed"),
    [
        ({"PyPI": f"{CA}\n{CLIENT}"}, True, [False]),
        ({"PyPI": "cert = false"}, True, NONE),
        ({"PyPI": CA, "tf": CLIENT}, True, [True]),
        ({"PyPI": CA, "tf": CLIENT}, False, [False]),
        ({"tf": f"{CA}\n{CLIENT}"}, True, [True]),
        ({"tf": CA}, False, NONE),
        ({"tf": "cert = false"}, True, [False]),
        ({"tf": "cert = false"}, False, NONE),
    ],
)
def test_certificates(
    poetry: PoetryRunner,
    secure: tuple[str, list[bool]],
    settings: dict[str, str],
    is_users: bool,
    showed: list[bool],
) -> None:
    url, seen = secure
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    tables = {f"[certificates.{name}]": text for name, text in settings.items() if name != "tf"}
    more = "".join(
        f"{table}\n{text}\n" for table, text in {"": settings.get("tf", ""), **tables}.items()
    )
    _set(poetry.config_file, url if is_users else "tuna", more=more)
    if not is_users:
        _allow(poetry, url)
        _set(poetry.project / "poetry.toml", url)
    _lock(poetry)
    assert sorted(set(seen)) == showed


def test_a_project_cannot_switch_certificates_off(
    poetry: PoetryRunner, secure: tuple[str, list[bool]]
) -> None:
    url, seen = secure
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    _set(poetry.config_file, url)
    off = "[tf]\ncert = false\n[certificates.PyPI]\ncert = false\n"
    (poetry.project / "poetry.toml").write_text(off, "utf-8")
    _lock(poetry)
    assert seen == NONE


def test_certificates_do_not_follow_a_redirect(
    poetry: PoetryRunner, secure: tuple[str, list[bool]]
) -> None:
    url, seen = secure
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    more = "cert = false\n"
    with Server(wants_token=False) as server:
        server.answers["/simple/six/"] = Answer(302, headers={"Location": f"{url}six/"})
        _set(poetry.config_file, f"{server.url}/simple/", more=more)
        _lock(poetry)
        assert server.asked
    assert seen == NONE


def test_a_project_cannot_give_pypis_name_to_another_host(
    poetry: PoetryRunner, secure: tuple[str, list[bool]]
) -> None:
    url, seen = secure
    write_pyproject(poetry.project, ["six"], requires_python="~=3.11.0", more=MANAGED)
    named = f'[repositories.pypi]\nurl = "{url}"\n'
    with Server(wants_token=False) as server:
        server.answers["/simple/six/"] = Answer(302, headers={"Location": f"{url}six/"})
        more = f"[certificates.pypi]\n{CA}\n{CLIENT}\n"
        _set(poetry.config_file, f"{server.url}/simple/", more=more)
        _set(poetry.project / "poetry.toml", f"{server.url}/simple/", more=named)
        _lock(poetry)
    assert seen == NONE


# Others


def test_mirror_test_sends_it_by_the_same_rule(
    poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex
) -> None:
    poetry.mirror = _with(OWN, own.url)
    _netrc(poetry)
    poetry.call("tf", "mirror", "test", own.url, elsewhere.url, "pypi")
    assert _sent(own) == {OWN}
    assert _sent(elsewhere.default) == {None}


def test_sources_of_the_project_keep_theirs(
    poetry: PoetryRunner, own: Mount, elsewhere: LocalIndex
) -> None:
    source = f'\n[[tool.poetry.source]]\nname = "ours"\nurl = "{elsewhere.url}"\n'
    explicit = '[tool.poetry.dependencies]\ndemo = { source = "ours" }\n'
    more = f'{source}priority = "explicit"\n{explicit}'
    write_pyproject(poetry.project, ["demo", "six"], requires_python="~=3.11.0", more=more)
    poetry.environ |= _login("OURS", HOSTS)
    poetry.mirror = _with(OWN, own.url)
    _lock(poetry)
    assert _sent(elsewhere.default) == {HOSTS}
    assert _sent(own) == {OWN}
