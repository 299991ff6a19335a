"""Which user name and password are sent to which address: those of a host to no other host.

Every client of mirrors uses this: Poetry's session for PyPI, and `mirror test`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile
from urllib.parse import urlsplit

from poetry.config.config import Config
from poetry.toml.file import TOMLFile
from poetry.utils.authenticator import (
    AuthenticatorRepositoryConfig,
    RepositoryCertificateConfig,
)
from poetry.utils.password_manager import PasswordManager
from requests.utils import get_netrc_auth

from poetry_tf.http.client import Login, login_in, origin_of
from poetry_tf.index.config import setting_layers, user_settings_file
from poetry_tf.index.mirrors import (
    TF_MIRROR,
    Mirror,
    MirrorError,
    is_plain_http,
    is_public,
    parse_mirror,
    without_credentials,
)

PYPI = "PyPI"
"""The name of PyPI in Poetry's settings."""


@dataclass(frozen=True)
class Grant:
    """The credentials for one index, whose root is `url`, and for no other host."""

    url: str
    login: Login | None = field(default=None, repr=False)
    """The login in its address."""
    repository: str | None = None
    """The repository in Poetry's settings with its password and certificates."""
    by_host: bool = False
    """Whether it may get the login for its host from a keyring or netrc."""


def make_grants(in_force: Iterable[Mirror], users: Iterable[Mirror]) -> tuple[Grant, ...]:
    """The grants for the mirrors in force; `users` are those in the user's own settings.

    An address that only the project names gets nothing but the login in it. The password of
    `TF_MIRROR` is for the one host in the user's settings; with several hosts it is unclear whose
    it is, so none gets it. Public mirrors need none.
    """
    own = {
        mirror.url.rstrip("/")
        for mirror in users
        if not is_public(mirror) and login_in(mirror.url) is None
    }
    repository = TF_MIRROR if len({origin_of(url) for url in own}) == 1 else None
    return tuple(
        Grant(
            without_credentials(mirror.url).rstrip("/"),
            login=login_in(mirror.url),
            repository=repository if is_own else None,
            by_host=is_own,
        )
        for mirror in in_force
        for is_own in [mirror.url.rstrip("/") in own]
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


def user_mirrors() -> tuple[Mirror, ...]:
    """The mirrors in the variable, else in the user's own settings."""
    layer = next(iter(setting_layers(None)), None)
    try:
        return parse_mirror(layer.value).mirrors if layer is not None else ()
    except MirrorError:
        return ()


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
        """The login for an address."""
        if (login := login_in(url)) is not None:
            return login
        grant = grant_for(url, self._grants)
        if grant is None:
            return None
        # Over plain http others could read it.
        return grant.login or (None if is_plain_http(url) else self._stored(grant))


def stored_login(grant: Grant) -> Login | None:
    """The login for an index in Poetry's settings, a keyring or netrc."""
    if not grant.by_host:
        return None
    manager = PasswordManager(user_config())
    if grant.repository is not None:
        index = AuthenticatorRepositoryConfig(grant.repository, grant.url)
        found = index.get_http_credentials(manager)
    else:
        found = manager.get_credential(grant.url, urlsplit(grant.url).netloc)
    if found.username is not None or found.password is not None:
        return found.username or "", found.password or ""
    return get_netrc_auth(grant.url)


def mirror_certificates(
    grant: Grant, pypis: RepositoryCertificateConfig
) -> RepositoryCertificateConfig:
    """The certificates for a mirror: its own, else the trusted CA of PyPI.

    That CA is a company proxy's, which is in front of mirrors too.
    """
    own = RepositoryCertificateConfig()
    if grant.repository is not None:
        own = RepositoryCertificateConfig.create(grant.repository, user_config())
    return own if own.cert or not own.verify else replace(own, cert=pypis.cert)
