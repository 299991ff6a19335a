"""pip's lists: requirements.txt, the files it names, and the list in an environment.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.index.mirrors import without_credentials
from poetry_tf.migration.decoding import decode_list, read_list_file
from poetry_tf.migration.entries import EntryLocation, ListEntry, PackageList, SkippedLine

_OPTION = re.compile(
    r"(?P<name>--?[A-Za-z][\w-]*)(?:\s*=\s*|\s+|(?<=^-[a-zA-Z])(?=\S)|\Z)(?P<value>.*)\Z"
)
_OWN_OPTIONS = re.compile(
    r"\s+--(?:hash|config-settings|config-setting|global-option|install-option)\b"
)
_ADDRESS = re.compile(r"(?:(?:git|hg|svn|bzr)\+)?[a-z][a-z0-9+.-]*://|git\+[\w.-]+@", re.IGNORECASE)
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)(\[[^\]]*\])?")
_BUILT_BY_CONDA = re.compile(
    r"file:///.*(?:croot|feedstock|conda|tmp/build|_build|/ci/|work)", re.I
)

_SAYS_NOTHING = {
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
_INDEXES = {"-i", "--index-url", "--extra-index-url", "--pypi-url", "-f", "--find-links"}
_DEPTH = 16


def requirements(text: str, path: Path) -> PackageList:
    """Reads a requirements.txt with all that it names; raises `ProjectError`."""
    reader = _Reader(path)
    reader.read(enumerate(text.split("\n"), start=1))
    return PackageList(str(path), reader.finished(), tuple(reader.asides))


def nested(lines: list[tuple[int, str]], path: Path) -> tuple[list[ListEntry], list[SkippedLine]]:
    """Reads the list that stands under ``pip:`` in an environment.yml."""
    reader = _Reader(path)
    reader.read(iter(lines))
    return [*reader.finished()], reader.asides


class _Reader:
    """Reads the lines of one file, and of those it names."""

    def __init__(self, path: Path, above: tuple[Path, ...] = ()) -> None:
        self._path, self._above = path, above
        self._wanted: list[ListEntry] = []
        self._bounds: list[ListEntry] = []
        self.asides: list[SkippedLine] = []

    def finished(self) -> tuple[ListEntry, ...]:
        """What is wanted, within the bounds that a constraints file sets."""
        return tuple(self._bounded(item) for item in self._wanted)

    def _bounded(self, item: ListEntry) -> ListEntry:
        texts = [item.specifier]
        texts += [bound.specifier for bound in self._bounds if bound.key == item.key]
        if len(texts) == 1 or item.address:
            return item
        return replace(item, specifier=str(SpecifierSet(",".join(filter(None, texts)))))

    def read(self, lines: Iterator[tuple[int, str]]) -> None:
        for number, line in _joined(lines):
            if line.startswith("-"):
                self._option(number, line)
            else:
                self._requirement(number, line)

    def _option(self, number: int, line: str) -> None:
        place = EntryLocation(str(self._path), number)
        match = _OPTION.match(line)
        name, value = (match["name"], match["value"].strip(" '\"")) if match else (line, "")
        if name in {"-r", "--requirement", "-c", "--constraint"}:
            self._other(number, value, bounds=name in {"-c", "--constraint"})
        elif name in {"-e", "--editable"}:
            self._editable(number, line, value)
        elif name in _INDEXES:
            why = (
                "an index beside PyPI: for packages that only it has run `poetry source add "
                "--priority explicit` and `poetry add --source`; for a mirror of PyPI give "
                "--mirror"
            )
            self.asides.append(SkippedLine(f"{name} {without_credentials(value)}", why, place))
        elif name in _SAYS_NOTHING:
            why = "an option of pip's own, which Poetry needs none of"
            self.asides.append(SkippedLine(line, why, place, matters=False))
        else:
            raise self._error(number, f"{name!r} is no option that pip reads in such a file")

    def _other(self, number: int, name: str, *, bounds: bool) -> None:
        if not name or _ADDRESS.match(name):
            what = f"{name!r} is not read from the network: save it and name the file"
            raise self._error(number, what if name else "no file is named")
        path = self._path.parent / name
        if path.resolve() in {item.resolve() for item in (*self._above, self._path)}:
            raise self._error(number, f"{name} is read already: the files name each other")
        if len(self._above) >= _DEPTH:
            raise self._error(number, "the files name each other too deeply")
        try:
            text = decode_list(read_list_file(path), path)
        except ProjectError as error:
            raise self._error(number, f"{name} {error.message}") from None
        other = _Reader(path, (*self._above, self._path))
        other.read(enumerate(text.split("\n"), start=1))
        self.asides += other.asides
        (self._bounds if bounds else self._wanted).extend(other._wanted)
        self._bounds += other._bounds

    def _editable(self, number: int, line: str, value: str) -> None:
        place = EntryLocation(str(self._path), number)
        if _ADDRESS.match(value):
            self._address(place, line, value)
            return
        folder = re.sub(r"\[[^\]]*\]\Z", "", value)
        why = (
            "the project itself: what it needs stands in its setup.py or pyproject.toml and is "
            "not read; add that with `poetry add`"
            if folder in {".", "./"}
            else f"a folder: add it with `poetry add --editable {folder}`"
        )
        self.asides.append(SkippedLine(line, why, place))

    def _requirement(self, number: int, line: str) -> None:
        place = EntryLocation(str(self._path), number)
        text = _OWN_OPTIONS.split(line, maxsplit=1)[0].strip()
        if _ADDRESS.match(text):
            self._address(place, line, text)
            return
        try:
            found = Requirement(text)
        except InvalidRequirement as error:
            if re.match(r"[./~]|[A-Za-z]:[\\/]", text) or text.endswith(
                (".whl", ".tar.gz", ".zip")
            ):
                why = f"a file or folder: add it with `poetry add {text}`"
                self.asides.append(SkippedLine(line, why, place))
                return
            reason = str(error).splitlines()[0]
            raise self._error(number, f"{text!r} is no requirement: {reason}") from None
        marker = str(found.marker) if found.marker else ""
        item = ListEntry(
            found.name,
            place,
            text,
            "pip",
            str(found.specifier),
            extras=tuple(sorted(found.extras)),
            marker=marker,
        )
        if found.url is not None:
            if found.url.startswith("file:"):
                item = replace(item, lost=f"@ {found.url}")
                if not _BUILT_BY_CONDA.match(found.url):
                    why = "a file on one machine: PyPI's package of that name is taken instead"
                    self.asides.append(SkippedLine(text, why, place))
            elif _holds_a_secret(found.url):
                why = "its address holds a password: add it with `poetry add`"
                self.asides.append(SkippedLine(f"{found.name} by an address", why, place))
                return
            else:
                item = replace(item, address=found.url)
        self._wanted.append(item)

    def _address(self, place: EntryLocation, line: str, address: str) -> None:
        egg = _EGG.search(address)
        name = egg[1] if egg else _of_wheel(address)
        if "$" in address:
            why = "its address holds a variable: add it with `poetry add`"
            self.asides.append(SkippedLine(without_credentials(line), why, place))
        elif name is None or _holds_a_secret(address):
            why = "its address holds a password" if name else "nothing says the package's name"
            why += ": add it with `poetry add`"
            shown = f"{name or 'a package'} by an address" if _holds_a_secret(address) else line
            self.asides.append(SkippedLine(shown, why, place))
        else:
            extras = (
                tuple(item.strip() for item in egg[2][1:-1].split(",")) if egg and egg[2] else ()
            )
            clean = re.sub(r"[#&](?:egg|sha256|md5)=[^&]*", "", address)
            self._wanted.append(ListEntry(name, place, line, "pip", extras=extras, address=clean))

    def _error(self, number: int, message: str) -> ProjectError:
        return ProjectError(self._path, message, Position(number, 1))


def _holds_a_secret(address: str) -> bool:
    """Whether an address has a password in it, or a user name that serves as one.

    Over ssh a user name is no secret: what is asked for there is a key.
    """
    scheme, divided, rest = address.partition("://")
    user, at, _ = (rest if divided else scheme).partition("@")
    if not at or "/" in user:
        return False
    return ":" in user or (bool(divided) and not scheme.lower().endswith("ssh"))


def _of_wheel(address: str) -> str | None:
    file = unquote(urlsplit(address).path.rpartition("/")[2])
    try:
        return str(canonicalize_name(parse_wheel_filename(file)[0]))
    except (InvalidWheelFilename, ValueError):
        return None


def _joined(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines without comments, those that a backslash ends with what follows them."""
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
