"""Images and features in their registries: whether they are there, and for which architectures.

Both are artifacts of the same kind (OCI image and distribution specifications): a manifest, found
by a tag or a digest, that lists layers. A manifest may also list others, one for each architecture.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from poetry_tf.doctor.answers import parse_json, table
from poetry_tf.doctor.network.client import refused
from poetry_tf.http.client import Client, origin_of
from poetry_tf.http.errors import BadResponse, ReadError, host_of

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
# What Docker takes for a name without a registry, and where that registry answers.
_DEFAULT, DEFAULT_HOST = "docker.io", "registry-1.docker.io"
_REFERENCE = re.compile(
    r"""(?:(?P<registry>localhost(?::\d+)?|[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+)/)?
        (?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)
        (?::(?P<tag>\w[\w.-]{0,127}))?
        (?:@(?P<digest>sha256:[0-9a-f]{64}))?""",
    re.VERBOSE | re.ASCII,
)
# Docker connects to registries on the machine itself without TLS.
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d+){3})(?::\d+)?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
# The codes for what does not exist or is private: registries do not distinguish the two.
_GONE = {"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "DENIED", "UNAUTHORIZED", "NAME_INVALID"}


@dataclass(frozen=True)
class Reference:
    """The registry, name and version of an image or a feature."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def version(self) -> str:
        """The tag or the digest that a manifest is requested by."""
        return self.digest or self.tag or "latest"

    @property
    def url(self) -> str:
        """The address of its manifest."""
        host = DEFAULT_HOST if self.registry == _DEFAULT else self.registry
        scheme = "http" if _LOOPBACK.fullmatch(host) else "https"
        return f"{scheme}://{host}/v2/{self.repository}/manifests/{self.version}"


def read_reference(text: str) -> Reference | None:
    """Reads a name as Docker does; None if it is not valid."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    registry, repository = match["registry"] or _DEFAULT, match["repository"]
    if registry == _DEFAULT and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, match["tag"] or "", match["digest"] or "")


@dataclass(frozen=True)
class Artifact:
    """What a registry has under a name.

    Attributes:
        digest: of the requested manifest.
        lacking: the architectures for which it has none.
    """

    digest: str
    lacking: tuple[str, ...] = ()


class NotInRegistry(ReadError):
    """A registry has nothing under a name, or not without a login."""


def find_artifact(
    reference: Reference, client: Client, architectures: tuple[str, ...] = ()
) -> Artifact:
    """Asks a registry for an image or a feature. `architectures` are those required ("amd64").

    Raises:
        NotInRegistry: it has none.
        NoResponse, BadResponse: it gives no answer, or none that can be used.
    """
    document, digest = _manifest(reference, client)
    entries = document.get("manifests")
    if isinstance(entries, list):
        found = set(_architectures(entries))
        return Artifact(digest, tuple(name for name in architectures if name not in found))
    if not (isinstance(layers := document.get("layers"), list) and layers):
        raise BadResponse("answers with a manifest without layers", host=reference.registry)
    return Artifact(digest)


def _architectures(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        platform = table(table(entry).get("platform"))
        if platform.get("os", "linux") == "linux" and isinstance(
            name := platform.get("architecture"), str
        ):
            yield name


def _manifest(reference: Reference, client: Client) -> tuple[dict[str, Any], str]:
    """The manifest of a reference, and its digest."""
    url, token = reference.url, dict[str, str]()
    status, header, body, digest = _get(url, client, token)
    if status == 401:
        token = _token(reference, header, client)
        status, _, body, digest = _get(url, client, token)
    if status != 200:
        codes = _error_codes(body)
        if status == 404 or codes & _GONE or (status == 401 and token):
            raise NotInRegistry(f"{reference.registry} doesn't have it, or requires a login")
        raise refused(reference.registry, status)
    document = parse_json(body)
    if not isinstance(document, dict):
        raise BadResponse("answers with something other than a manifest", host=reference.registry)
    return document, digest or f"sha256:{hashlib.sha256(body).hexdigest()}"


def _get(
    url: str, client: Client, token: Mapping[str, str], *, follow: bool = True
) -> tuple[int, str, bytes, str]:
    with client.request("GET", url, {"Accept": _ACCEPT, **token}, follow=follow) as response:
        headers = response.headers
        return (
            response.status_code,
            headers.get("WWW-Authenticate", ""),
            client.body(response),
            headers.get("Docker-Content-Digest", ""),
        )


def _token(reference: Reference, challenge: str, client: Client) -> dict[str, str]:
    """The token that a registry gives to everyone, without a user name and a password.

    The answer from the address that the registry names is sent to the registry. So the address must
    use TLS or be on the registry's own host, redirects are not followed, and the client requests no
    local server unless the user allows its host.
    """
    kind, _, rest = challenge.partition(" ")
    values = dict(_CHALLENGE.findall(rest))
    realm = values.pop("realm", "")
    own = origin_of(reference.url)
    is_safe = realm.lower().startswith("https://") or origin_of(realm) == own
    if kind.lower() != "bearer" or not is_safe:
        raise NotInRegistry(f"{reference.registry} requires a login")
    values.setdefault("scope", f"repository:{reference.repository}:pull")
    query = urlencode({key: values[key] for key in ("service", "scope") if key in values})
    url = f"{realm}{'&' if '?' in realm else '?'}{query}"
    status, _, body, _ = _get(url, client, {}, follow=False)
    if status in (401, 403, 404):
        codes = _error_codes(body)
        if status != 403 or codes:
            raise NotInRegistry(f"{reference.registry} doesn't have it, or requires a login")
    if status != 200:
        raise refused(host_of(realm), status)
    found = table(parse_json(body))
    token = found.get("token") or found.get("access_token")
    # Anything that can't stand in a header would be an error of another kind.
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise BadResponse("sends a token that can't be read", host=host_of(realm))
    return {"Authorization": f"Bearer {token}"}


def _error_codes(body: bytes) -> set[str]:
    try:
        return {str(error["code"]) for error in table(parse_json(body))["errors"]}
    except (LookupError, TypeError):
        return set()
