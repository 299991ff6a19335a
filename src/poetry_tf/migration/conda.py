"""Conda's lists: environment.yml, explicit specifications, the output of `conda list`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from poetry_tf.files.bounds import cut
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.positions import Position
from poetry_tf.migration.entries import EntryLocation, ListEntry, Manager, PackageList, SkippedLine

EXPLICIT = re.compile(r"^@EXPLICIT\s*$", re.MULTILINE)
_TABLE_HEAD = re.compile(r"^[ \t]*(?:#[ \t]*)?Name[ \t]+Version[ \t]+Build\b", re.MULTILINE)
"""The heads of the columns, by Conda with a number sign and by Mamba without."""
_TABLE_ROW = re.compile(
    r"(?P<name>[\w.-]+)[ \t]+(?P<version>[^\s=]+)[ \t]+(?P<build>\S+)(?:[ \t]+\S+)?$"
)
EXPORT = re.compile(r"^(?P<name>[\w.-]+)=(?P<version>[^=\s]+)=(?P<build>[^=\s]+)$")

_TEMPLATE = re.compile(r"\{\{|\{%")
_SELECTOR = re.compile(
    r"#\s*\[\s*(?:not\s+)?(?:linux|win|osx|unix|aarch64|arm64|x86|py)\w*\b[^\]]*\]"
)
_SPEC = re.compile(
    r"(?:(?P<channel>[^\s=<>!~|,;\[\]]+)::)?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?P<rest>.*)\Z",
    re.DOTALL,
)
_PAIR = re.compile(r"(\w+)\s*=\s*('[^']*'|\"[^\"]*\"|[^,\s]+)")
# "=1.2=py39h_0"; with a comma it is a range, in which "=" does not end a version.
_BUILT = re.compile(r"(?P<version>==?[^=<>!~|,\s]+)=(?P<build>[^=\s]+)\Z")
_ARCHIVE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:tar\.bz2|conda)\Z")
_MAX_LENGTH = 1_000
"""The characters of an entry, or of the address of a package."""
_MAX_ENTRIES = 200_000
"""The entries of an environment.yml. With YAML's aliases a small file can have billions."""

_PART = re.compile(r"(?P<operator>==|>=|<=|!=|~=|=|>|<)?(?P<version>[^=<>!~|,\s]+)\Z")

PipLines = Callable[[list[tuple[int, str]]], PackageList]
"""Reads the lines of a nested pip list, each with its line number."""


def parse_specification(text: str, location: EntryLocation) -> ListEntry | None:
    """Parses an entry such as ``conda-forge::numpy >=1.19,<2``; None if it is not one."""
    match = _SPEC.match(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        return None
    rest, build = match["rest"], ""
    versions = rest
    before, bracket, inner = rest.rstrip().partition("[")
    if bracket and inner.endswith("]"):
        pairs = {key: value.strip("'\"") for key, value in _PAIR.findall(inner[:-1])}
        if not pairs:
            return None  # only pip has extras
        versions, build = pairs.get("version", before), pairs.get("build", "")
    versions = versions.strip()
    if exact := _BUILT.match(versions):
        versions, build = exact["version"], exact["build"]
    else:
        # Spaces may surround operators and commas; any other space begins the build string.
        versions = re.sub(r"\s*([,|])\s*", r"\1", versions)
        versions = re.sub(r"([<>=!~])\s+(?=[\w*])", r"\1", versions)
        versions, _, spaced = versions.partition(" ")
        build = build or spaced.strip()
    if versions and not re.fullmatch(r"[\w.*+!<>=~|,-]+", versions):
        return None
    specifier, untranslated = to_specifier(versions, exact=bool(build) and build != "*")
    return ListEntry(
        match["name"], location, text.strip(), "conda", specifier, build, untranslated=untranslated
    )


# -- environment.yml ------------------------------------------------------------------------


def read_environment(text: str, path: Path, pip_lines: PipLines) -> PackageList:
    """Reads an environment.yml; raises `ProjectError`."""
    import yaml

    _refuse_templates(text, path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"is not YAML: {error.problem or error.context}"
        if "'\\t'" in message:
            message = "is not YAML: the indentation has a tab; use spaces"
        raise ProjectError(path, message, _position(mark)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise ProjectError(path, f"is not YAML: {str(reason).splitlines()[0]}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ProjectError(
            path,
            "is not an environment file of Conda: it has no keys such as name: and dependencies:",
            Position(1, 1),
        )
    reader = _EnvironmentReader(path, pip_lines)
    for key, value in root.value:
        reader.entry(key, value)
    if not reader.has_dependencies:
        recipe = any(
            getattr(key, "value", "") in {"requirements", "package"} for key, _ in root.value
        )
        raise ProjectError(
            path,
            "is a recipe for a package, not an environment: give an environment.yml"
            if recipe
            else "has no dependencies, so there is nothing to install",
            Position(1, 1),
        )
    return PackageList(
        str(path), tuple(reader.entries), tuple(reader.skipped), tuple(reader.constraints)
    )


class _EnvironmentReader:
    """Reads the entries of an environment.yml one by one."""

    def __init__(self, path: Path, pip_lines: PipLines) -> None:
        self._path, self._pip_lines = path, pip_lines
        self.entries: list[ListEntry] = []
        self.skipped: list[SkippedLine] = []
        self.constraints: list[ListEntry] = []
        self.has_dependencies = False

    def entry(self, key: Any, value: Any) -> None:
        if key.id != "scalar":
            raise self._error(key, "a key is not a word")
        location = self._location(key)
        word = key.value
        if word == "dependencies":
            self.has_dependencies = True
            for item in self._sequence(value, "dependencies"):
                self._dependency(item)
        elif word == "variables" and value.id == "mapping":
            names = [str(name.value) for name, _ in value.value]
            if names:
                reason = (
                    "environment variables: put them into containerEnv in devcontainer.json "
                    "(the values are not shown here, because they may be secret)"
                )
                self.skipped.append(SkippedLine(f"variables {', '.join(names)}", reason, location))
        elif word == "channels":
            items = value.value if value.id == "sequence" else []
            names = [item.value for item in items if item.id == "scalar"]
            if names:
                reason = "channels are for Conda; packages come from PyPI (tf.mirror sets a mirror)"
                self.skipped.append(
                    SkippedLine(f"channels {', '.join(names)}", reason, location, actionable=False)
                )
        elif word not in {"name", "prefix", "platforms", "nodefaults", "category"}:
            self.skipped.append(SkippedLine(f"{word}:", "a key that Conda does not know", location))

    def _dependency(self, node: Any) -> None:
        if node.id == "scalar":
            found = parse_specification(node.value, self._location(node))
            if found is None:
                raise self._error(
                    node,
                    f"{cut(node.value)!r} is not an entry for Conda: write name, or name=1.2",
                )
            self.entries.append(found)
            return
        if node.id != "mapping":
            raise self._error(node, "an entry of dependencies is neither a package nor pip:")
        for key, value in node.value:
            if key.value != "pip":
                raise self._error(
                    key,
                    f"{key.value!r} is a key in place of a package: only pip: has a list here "
                    "(a package with a version is written name=1.2, without a colon)",
                )
            lines: list[tuple[int, str]] = []
            for item in self._sequence(value, "pip"):
                if item.id != "scalar":
                    raise self._error(item, "an entry of pip: is not a requirement")
                lines.append((item.start_mark.line + 1, item.value))
            nested = self._pip_lines(lines)
            self.entries += nested.entries
            self.skipped += nested.skipped
            self.constraints += nested.constraints
        if len(self.entries) + len(self.skipped) > _MAX_ENTRIES:
            raise self._error(node, f"there are more than {_MAX_ENTRIES} entries")

    def _sequence(self, node: Any, word: str) -> list[Any]:
        if node.id == "sequence":
            return list(node.value)
        if node.id == "scalar" and node.tag == "tag:yaml.org,2002:null":
            return []
        raise self._error(node, f"{word} is not a list: each entry begins with a hyphen")

    def _location(self, node: Any) -> EntryLocation:
        return EntryLocation(str(self._path), _position(node.start_mark).line)

    def _error(self, node: Any, message: str) -> ProjectError:
        return ProjectError(self._path, message, _position(node.start_mark))


def _position(mark: object) -> Position:
    return Position(getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)


def _refuse_templates(text: str, path: Path) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        code = "" if line.lstrip().startswith("#") else line
        if match := _TEMPLATE.search(code):
            message = (
                "is a template ({{ … }}): fill it in first (with conda-devenv, anaconda-project or "
                "the tool that it is for), and give the result"
            )
            raise ProjectError(path, message, Position(number, match.start() + 1))
        if match := _SELECTOR.search(code[: code.rfind("]") + 1]):
            message = (
                f"{match[0]!r} is a selector for Conda's recipes. In an environment it is only a "
                "comment: keep the line without it, or remove the line"
            )
            raise ProjectError(path, message, Position(number, match.start() + 1))


# -- the lists without YAML -----------------------------------------------------------------


def read_explicit(text: str, path: Path) -> PackageList:
    """Reads the output of `conda list --explicit`; raises `ProjectError`."""

    def file_name(line: str) -> str:
        return unquote(re.split(r"[?#]", line, maxsplit=1)[0].rpartition("/")[2])

    return _read_built(text, path, _ARCHIVE, file_name, "is not the address of a Conda package")


def is_export(text: str) -> bool:
    """Whether a text is the output of `conda list --export`."""
    lines = [line for _, line in _content_lines(text)]
    return bool(lines) and sum(bool(EXPORT.match(line)) for line in lines) > len(lines) // 2


def read_export(text: str, path: Path) -> PackageList:
    """Reads the output of `conda list --export`; raises `ProjectError`."""
    return _read_built(text, path, EXPORT, str, "is not name=version=build, as the other lines are")


def is_table(text: str) -> bool:
    """Whether a text is the output of `conda list`."""
    return _TABLE_HEAD.search(text) is not None


def read_table(text: str, path: Path) -> PackageList:
    """Reads the output of `conda list`; raises `ProjectError`."""
    head = _TABLE_HEAD.search(text)
    assert head is not None
    # What comes before names the environment. The lines keep their numbers.
    before = text[: head.start()].count("\n")
    _, _, rows = text[head.start() :].partition("\n")
    is_rule = re.compile(r"[─\-=\s]+$").match
    lines = ("" if is_rule(row) else row for row in rows.split("\n"))
    whole = "\n" * (before + 1) + "\n".join(lines)

    return _read_built(whole, path, _TABLE_ROW, str, "is not a row of the output of `conda list`")


def _read_built(
    text: str, path: Path, pattern: re.Pattern[str], part: Callable[[str], str], problem: str
) -> PackageList:
    entries = []
    for number, line in _content_lines(text):
        if line == "@EXPLICIT":
            continue
        match = pattern.match(part(line)) if len(line) <= _MAX_LENGTH else None
        if match is None:
            raise ProjectError(path, f"{cut(line)!r} {problem}", Position(number, 1))
        specifier, unknown = to_specifier(f"=={match['version']}", exact=True)
        name, build, location = match["name"], match["build"], EntryLocation(str(path), number)
        # The list also has what pip installed, under its name on PyPI.
        manager: Manager = "pip" if build in {"pypi_0", "<pip>", "pypi"} else "conda"
        entries.append(
            ListEntry(name, location, line, manager, specifier, build, untranslated=unknown)
        )
    return PackageList(str(path), tuple(entries))


def _content_lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if (line := line.strip()) and not line.startswith("#"):
            yield number, line


# -- versions -------------------------------------------------------------------------------


def to_specifier(written: str, *, exact: bool = False) -> tuple[str, str]:
    """The specifier that means the same, and what was written if none does exactly.

    Args:
        written: Conda's versions with their operators: ``=1.2``, ``>=1,<2``, ``1.2|1.3``, ``1.*``.
        exact: whether a build is named, so that ``=1.2`` is 1.2 and not any 1.2.x.
    """
    written = written.strip()
    if written in {"", "*", "=*", "==*"}:
        return "", ""
    if "|" in written:
        return _least_of(written)
    found: list[str] = []
    for part in written.split(","):
        specifier = _one(part.strip(), exact=exact)
        if specifier is None:
            return "", written
        found += specifier
    text = ",".join(found)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return "", written
    return text, ""


def _one(part: str, *, exact: bool) -> list[str] | None:
    match = _PART.match(part)
    if match is None:
        return None
    operator, version = match["operator"] or "==", match["version"]
    is_open = version.endswith("*")
    version = version.rstrip("*").rstrip(".")
    if not version:
        return []
    try:
        parsed = Version(version)
    except InvalidVersion:
        return None
    if operator == "=":
        # To Conda =1.21.5 is 1.21.5.*, which hardly ever is more than 1.21.5.
        is_open = is_open or not (exact or len(parsed.release) > 2 or parsed.is_prerelease)
        operator = "=="
    if operator == "~=" and len(parsed.release) == 1:
        return [f">={version}"]
    return [
        f"{operator}{version}.*" if is_open and operator in {"==", "!="} else operator + version
    ]


def _least_of(written: str) -> tuple[str, str]:
    """Specifiers have no alternatives: the nearest is the lowest one and above."""
    lowest: list[Version] = []
    for choice in written.split("|"):
        specifier, untranslated = to_specifier(choice)
        bounds = [
            item.version.removesuffix(".*")
            for item in (SpecifierSet(specifier) if not untranslated else ())
            if item.operator in {"==", ">=", "~="}
        ]
        if not bounds:
            return "", written
        lowest.append(max(map(Version, bounds)))
    return f">={min(lowest)}", written
