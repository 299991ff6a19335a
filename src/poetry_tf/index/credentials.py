"""Which user name and password go to which address. They belong to a host, and go to no other.

Every client that asks a mirror goes by this: Poetry's session for PyPI, and `mirror test`.
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
"""The repository in Poetry's settings that is PyPI."""


@dataclass(frozen=True)
class Grant:
    """What may go to one index, `url` being its root, and to nothing on another host."""

    url: str
    login: Login | None = field(default=None, repr=False)
    """What stood in its address."""
    repository: str | None = None
    """The repository in Poetry's settings whose password and certificates are its own."""
    by_host: bool = False
    """Whether what a keyring or netrc holds for its host is for it."""


def make_grants(in_force: Iterable[Mirror], users: Iterable[Mirror]) -> tuple[Grant, ...]:
    """What may go to the mirrors in force; `users` are those that the user's own settings name.

    An address that only the project names gets nothing but what stands in it. The password of
    `TF_MIRROR` is for the user's one address; where there are several hosts it is for none, as
    nothing says whose it is. The public mirrors want none.
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
    """The grant that covers an address; None where it is on the host of none.

    Of several on one host it is the one whose path is nearest, and of these the first.
    """

    def shared(grant: Grant) -> int:
        paths = zip(
            urlsplit(grant.url).path.split("/"), urlsplit(url).path.split("/"), strict=False
        )
        return len([*takewhile(lambda pair: pair[0] == pair[1], paths)])

    covering = [grant for grant in grants if _covers(grant.url, url)]
    return max(covering, key=shared, default=None)


def _covers(root: str, url: str) -> bool:
    """Whether an address is on the host of an index, by no weaker protection than the index."""
    own, other = origin_of(root), origin_of(url)
    is_upgrade = (own[0], own[2], other[0], other[2]) == ("http", 80, "https", 443)
    return own == other or (is_upgrade and own[1] == other[1])


# -- what the user's settings hold ----------------------------------------------------------


def user_mirrors() -> tuple[Mirror, ...]:
    """The mirrors that the variable names, or else the user's own settings."""
    layer = next(iter(setting_layers(None)), None)
    try:
        return parse_mirror(layer.value).mirrors if layer is not None else ()
    except MirrorError:
        return ()


def user_config() -> Config:
    """Poetry's settings without what a project's poetry.toml says."""
    config = Config()
    for name in ("config.toml", "auth.toml"):
        file = TOMLFile(user_settings_file(name))
        if file.exists():
            config.merge(file.read())
    return config


class Logins:
    """The logins for addresses of mirrors; each is looked up once."""

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
        # Over plain http who sits between could read it.
        return grant.login or (None if is_plain_http(url) else self._stored(grant))


def stored_login(grant: Grant) -> Login | None:
    """What Poetry's settings, a keyring or netrc hold for an index."""
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
    """The certificates for a mirror: its own, and of PyPI's no more than the CA that is believed.

    That is a company's proxy's, which sits before the mirrors too.
    """
    own = RepositoryCertificateConfig()
    if grant.repository is not None:
        own = RepositoryCertificateConfig.create(grant.repository, user_config())
    return own if own.cert or not own.verify else replace(own, cert=pypis.cert)
