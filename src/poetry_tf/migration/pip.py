"""pip's lists: requirements.txt, the files it names, and the list in an environment.yml."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from poetry_tf.files.bounds import bounded, cut
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.http.addresses import url_fault
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.migration.decoding import MAX_BYTES, decode_list, read_list_file
from poetry_tf.migration.entries import EntryLocation, ListEntry, PackageList, SkippedLine
from poetry_tf.migration.names import classify_name
from poetry_tf.text import shell_word

_OPTION = re.compile(
    r"(?P<name>--?[A-Za-z][\w-]*)(?:\s*=\s*|\s+|(?<=^-[a-zA-Z])(?=\S)|\Z)(?P<value>.*)\Z"
)
_LINE_OPTIONS = re.compile(
    r"(?<=\s)--(?:hash|config-settings|config-setting|global-option|install-option)\b"
)
_ADDRESS = re.compile(r"(?:(?:git|hg|svn|bzr)\+)?[a-z][a-z0-9+.-]*://|git\+[\w.-]+@", re.IGNORECASE)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)(\[[^\]]*\])?")
_WHEEL_VERSION = re.compile(r"/[^/-]+-([^/-]+)-[^/]+\.whl(?:[?#]|\Z)")
_BUILT_BY_CONDA = re.compile(
    r"file:///.*(?:croot|feedstock|conda|tmp/build|_build|/ci/|work)", re.I
)

_IGNORED_OPTIONS = {
    "--no-index",
    "--pre",
    "--prefer-binary",
    "--require-hashes",
    "--no-binary",
    "--only-binary",
    "--use-feature",
    "--trusted-host",
    "--no-deps",
    "--upgrade",
    "-U",
}
_INDEX_OPTIONS = {"-i", "--index-url", "--extra-index-url", "--pypi-url", "-f", "--find-links"}
_MAX_DEPTH = 16
_MAX_FILES = 100
_MAX_LINES = 100
"""The lines of a list on one distribution. Each is compared with the others."""


def read_requirements(text: str, path: Path) -> PackageList:
    """Reads a requirements.txt and the files it names; raises `ProjectError`."""
    reader = _RequirementsReader(path, sizes=[len(text)])
    reader.read(enumerate(text.split("\n"), start=1))
    return reader.finished()


def read_nested(lines: list[tuple[int, str]], path: Path) -> PackageList:
    """Reads the list under ``pip:`` in an environment.yml."""
    reader = _RequirementsReader(path)
    reader.read(iter(lines))
    return reader.finished()


class _RequirementsReader:
    """Reads the lines of a file and of the files it names."""

    def __init__(
        self, path: Path, above: tuple[Path, ...] = (), sizes: list[int] | None = None
    ) -> None:
        self._path, self._above = path, above
        # Of all files read so far: each may name many others.
        self._sizes = [] if sizes is None else sizes
        self._entries: list[ListEntry] = []
        self._constraints: list[ListEntry] = []
        self._skipped: list[SkippedLine] = []

    def finished(self) -> PackageList:
        """The list of what was read."""
        counts: Counter[NormalizedName] = Counter()
        for item in (*self._entries, *self._constraints):
            counts[item.key] += 1
            if counts[item.key] > _MAX_LINES:
                message = f"has more than {_MAX_LINES} lines on {item.name}"
                raise ProjectError(self._path, message, Position(item.location.line, 1))
        return PackageList(
            str(self._path),
            tuple(map(_at_release, self._entries)),
            tuple(self._skipped),
            tuple(map(_at_release, self._constraints)),
        )

    def read(self, lines: Iterator[tuple[int, str]]) -> None:
        for number, line in _logical_lines(lines):
            if line.startswith("-"):
                self._option(number, line)
            else:
                self._requirement(number, line)

    def _option(self, number: int, line: str) -> None:
        match = _OPTION.match(line)
        name, value = (match["name"], match["value"].strip(" '\"")) if match else (line, "")
        if name in {"-r", "--requirement", "-c", "--constraint"}:
            self._other(number, value, constrains=name in {"-c", "--constraint"})
        elif name in {"-e", "--editable"}:
            self._editable(number, line, value)
        elif name in _INDEX_OPTIONS:
            reason = (
                "an index besides PyPI: for packages that only this index has, run "
                "`poetry source add --priority explicit` and `poetry add --source`; for a mirror "
                "of PyPI, give --mirror"
            )
            self._skip(number, f"{name} {without_credentials(value)}", reason)
        elif name in _IGNORED_OPTIONS:
            reason = "an option for pip that Poetry does not need"
            self._skip(number, line, reason, actionable=False)
        else:
            raise self._error(number, f"{name!r} is not an option that pip reads in such a file")

    def _other(self, number: int, name: str, *, constrains: bool) -> None:
        if not name or _ADDRESS.match(name):
            what = f"{name!r} is not read from the network: save it, and give the file"
            raise self._error(number, what if name else "the file is missing")
        path = self._path.parent / name
        if path.resolve() in {item.resolve() for item in (*self._above, self._path)}:
            raise self._error(number, f"{name} is read already: the files refer to each other")
        if len(self._above) >= _MAX_DEPTH:
            raise self._error(number, "the files refer to each other too deeply")
        try:
            text = decode_list(read_list_file(path), path)
        except ProjectError as error:
            raise self._error(number, f"{name}: {error.message}") from None
        self._sizes.append(len(text))
        if len(self._sizes) > _MAX_FILES or sum(self._sizes) > MAX_BYTES:
            message = f"it refers to more than {_MAX_FILES} files, or they are too large together"
            raise self._error(number, message)
        other = _RequirementsReader(path, (*self._above, self._path), self._sizes)
        other.read(enumerate(text.split("\n"), start=1))
        self._skipped += other._skipped
        self._constraints += other._constraints
        if not constrains:
            self._entries += other._entries
            return
        for item in other._entries:
            if not item.address:
                self._constraints.append(item)
            else:
                reason = "a constraint to an address: add it with `poetry add`"
                self._skipped.append(SkippedLine(item.written, reason, item.location))

    def _editable(self, number: int, line: str, value: str) -> None:
        if _ADDRESS.match(value):
            self._address(number, line, value)
            return
        folder = re.sub(r"\[[^\[\]]*\]\Z", "", value)
        reason = (
            "the project itself: its setup.py or pyproject.toml is not read; add what it requires "
            "with `poetry add`"
            if folder in {".", "./"}
            else f"a folder: add it with `poetry add --editable {shell_word(folder) or 'FOLDER'}`"
        )
        self._skip(number, line, reason)

    def _requirement(self, number: int, line: str) -> None:
        text = _LINE_OPTIONS.split(line, maxsplit=1)[0].strip()
        if _ADDRESS.match(text):
            self._address(number, line, text)
            return
        try:
            with bounded(text):
                found = Requirement(text)
        except (ValueError, RecursionError) as error:  # ValueError: also InvalidRequirement
            if re.match(r"[./~]|[A-Za-z]:[\\/]", text) or text.endswith(
                (".whl", ".tar.gz", ".zip")
            ):
                reason = f"a file or folder: add it with `poetry add {shell_word(text) or 'PATH'}`"
                self._skip(number, line, reason)
                return
            reason = cut(str(error).splitlines()[0])
            raise self._error(number, f"{cut(text)!r} is not a requirement: {reason}") from None
        marker = str(found.marker) if found.marker else ""
        item = ListEntry(
            found.name,
            self._location(number),
            text,
            "pip",
            str(found.specifier),
            extras=tuple(sorted(found.extras)),
            marker=marker,
        )
        if found.url is not None:
            if fault := url_fault(found.url):
                shown = without_credentials(found.url)
                raise self._error(number, f"the address {shown} {fault}")
            if found.url.startswith("file:"):
                item = replace(item, untranslated=f"@ {found.url}")
                if not _BUILT_BY_CONDA.match(found.url):
                    reason = "a file on one machine: PyPI's package of this name is used instead"
                    self._skip(number, text, reason)
            elif _holds_secret(found.url):
                reason = "its address contains a password: add it with `poetry add`"
                self._skip(number, f"{found.name} from an address", reason)
                return
            else:
                item = replace(item, address=found.url)
        self._entries.append(item)

    def _address(self, number: int, line: str, address: str) -> None:
        if fault := url_fault(address):
            raise self._error(number, f"the address {without_credentials(address)} {fault}")
        egg = _EGG.search(address)
        name = egg[1] if egg else _wheel_name(address)
        if "$" in address:
            reason = "its address contains a variable: add it with `poetry add`"
            self._skip(number, without_credentials(line), reason)
        elif name is None or _holds_secret(address):
            reason = "its address contains a password" if name else "the package's name is unknown"
            reason += ": add it with `poetry add`"
            shown = f"{name or 'a package'} from an address" if _holds_secret(address) else line
            self._skip(number, shown, reason)
        else:
            extras = (
                tuple(item.strip() for item in egg[2][1:-1].split(",")) if egg and egg[2] else ()
            )
            clean = re.sub(r"[#&](?:egg|sha256|md5)=[^&]*", "", address)
            self._entries.append(
                ListEntry(name, self._location(number), line, "pip", extras=extras, address=clean)
            )

    def _skip(self, number: int, written: str, reason: str, *, actionable: bool = True) -> None:
        self._skipped.append(SkippedLine(written, reason, self._location(number), actionable))

    def _location(self, number: int) -> EntryLocation:
        return EntryLocation(str(self._path), number)

    def _error(self, number: int, message: str) -> ProjectError:
        return ProjectError(self._path, message, Position(number, 1))


def _at_release(item: ListEntry) -> ListEntry:
    """A line on TensorFlow with the release that the file name of its wheel says."""
    file = _WHEEL_VERSION.search(unquote(item.address or item.untranslated))
    if file is None or item.specifier or classify_name(item).kind != "main":
        return item
    try:
        return replace(item, specifier=f"=={Version(file[1]).public}")
    except ValueError:
        return item


def _holds_secret(address: str) -> bool:
    """Whether an address contains a password, or a user name that serves as one.

    A user name of ssh is no secret: ssh authenticates with a key.
    """
    scheme, divided, rest = address.partition("://")
    user, at, _ = (rest if divided else scheme).partition("@")
    if not at or "/" in user:
        return False
    return ":" in user or (bool(divided) and not scheme.lower().endswith("ssh"))


def _wheel_name(address: str) -> str | None:
    file = unquote(re.split(r"[?#]", address)[0].rpartition("/")[2])
    try:
        # Not packaging's reader, which makes all tags of a compressed one.
        name, version, *others = file.removesuffix(".whl").split("-")
        Version(version)
    except ValueError:
        return None
    return str(canonicalize_name(name)) if file.endswith(".whl") and len(others) in {3, 4} else None


def _logical_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines without comments, joined where a backslash continues them."""
    begun, text = 0, ""
    for number, line in lines:
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            text += line[:-1] + " "
            continue
        text += line
        text = re.sub(r"(?:^|\s)#.*\Z", "", text).strip()
        if text:
            yield begun, text
        begun, text = 0, ""
    if text := re.sub(r"(?:^|\s)#.*\Z", "", text).strip():
        yield begun, text
