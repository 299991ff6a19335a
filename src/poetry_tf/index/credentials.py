"""Which user name and password are sent to which address: those of a host to no other host.

Every client of mirrors uses this: Poetry's session for PyPI, and `mirror test`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

from poetry.config.config import Config
from poetry.toml.file import TOMLFile
from poetry.utils.authenticator import RepositoryCertificateConfig
from poetry.utils.password_manager import PasswordManager
from requests.utils import get_netrc_auth

from poetry_tf.http.client import Login, login_in, origin_of
from poetry_tf.index.config import user_settings_file
from poetry_tf.index.mirrors import Mirror, is_plain_http, is_public, without_credentials

PYPI = "PyPI"
"""The name of PyPI in Poetry's settings."""


@dataclass(frozen=True)
class Grant:
    """The credentials for one index, whose root is `url`, and for no other host."""

    url: str
    login: Login | None = field(default=None, repr=False)
    """The login in its address, as the user or the project names it."""
    is_pypi: bool = False
    """Whether it is what Poetry itself means by PyPI, and keeps a password for by that name."""
    is_users: bool = False
    """Whether it may get the login for its host from a keyring or netrc, and the certificates."""


def make_grants(in_force: Iterable[Mirror], users: Iterable[Mirror]) -> tuple[Grant, ...]:
    """The grants for the mirrors in force; `users` are those in the user's own settings.

    A login belongs to an address, never to a name: Poetry looks passwords up by the names of
    sources, which a project chooses. An address that only the project names gets nothing but the
    login in it. Public mirrors need none.
    """
    own = {
        without_credentials(mirror.url).rstrip("/"): login_in(mirror.url)
        for mirror in users
        if not is_public(mirror)
    }
    return tuple(
        Grant(url, login_in(mirror.url) or own.get(url), is_users=url in own)
        for mirror in in_force
        for url in [without_credentials(mirror.url).rstrip("/")]
    )


def grant_for(url: str, grants: Sequence[Grant]) -> Grant | None:
    """The grant that covers an address; None if no grant is for its host.

    Of several on one host: the one that shares most of the path, and of these the first.
    """

    def shared(grant: Grant) -> int:
        paths = zip(
            urlsplit(grant.url).path.split("/"), urlsplit(url).path.split("/"), strict=False
        )
        return len([*takewhile(lambda pair: pair[0] == pair[1], paths)])

    covering = [grant for grant in grants if _covers(grant.url, url)]
    return max(covering, key=shared, default=None)


def _covers(root: str, url: str) -> bool:
    """Whether an address is on the host of an index, and protected at least as well."""
    own, other = origin_of(root), origin_of(url)
    is_upgrade = (own[0], own[2], other[0], other[2]) == ("http", 80, "https", 443)
    return own == other or (is_upgrade and own[1] == other[1])


# -- the user's settings --------------------------------------------------------------------


def user_config() -> Config:
    """Poetry's settings without a project's poetry.toml."""
    config = Config()
    for name in ("config.toml", "auth.toml"):
        file = TOMLFile(user_settings_file(name))
        if file.exists():
            config.merge(file.read())
    return config


class Logins:
    """The logins for addresses of mirrors; each is read once."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._grants = grants
        self._stored = cache(stored_login)

    def __call__(self, url: str) -> Login | None:
        """The login for an address; none over plain http, where others could read it."""
        if is_plain_http(url):
            return None
        if (login := login_in(url)) is not None:
            return login
        grant = grant_for(url, self._grants)
        return None if grant is None else grant.login or self._stored(grant)


def stored_login(grant: Grant) -> Login | None:
    """The login for the host of an index in a keyring or netrc."""
    if not grant.is_users:
        return None
    manager = PasswordManager(user_config())
    found = manager.get_credential(grant.url, urlsplit(grant.url).netloc)
    if found.username is not None or found.password is not None:
        return found.username or "", found.password or ""
    return get_netrc_auth(grant.url)


def mirror_certificates(
    grant: Grant, pypis: RepositoryCertificateConfig
) -> RepositoryCertificateConfig:
    """The certificates for a mirror: those of the user for it, else the trusted CA of PyPI.

    That CA is a company proxy's, which is in front of mirrors too.
    """
    if not grant.is_users:
        return RepositoryCertificateConfig(cert=pypis.cert)
    config = user_config()
    cert, client = config.get("tf.cert"), config.get("tf.client-cert")
    return RepositoryCertificateConfig(
        cert=Path(cert) if isinstance(cert, str) else pypis.cert if cert is None else None,
        client_cert=Path(client) if client else None,
        verify=cert is not False,
    )
