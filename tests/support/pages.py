"""README.md and the pages below docs/: their code blocks, and the comment before each.

    <!-- run -->                           runs the block after those before it on the page, at
                                           first in an empty folder
    <!-- run in: an empty folder -->       runs it in a new folder
    <!-- run in: poetry tf init … -->      the same, after commands that the page doesn't show
    <!-- run, exit status 1 -->            the same; its last command ends with this status
    <!-- write: pyproject.toml -->         a file of the session; the block is its content
    <!-- output -->                        what the block before printed; `…` stands for anything
    <!-- output: poetry tf check -->       what this command prints in the session
    <!-- quote -->                         messages, one a line: each is in the source, with `…` for
                                           what varies
    <!-- run: NAME -->, <!-- check: NAME -->  used by the test or step of CI that asks for the name
    <!-- not run: why -->                  can't be run here
    <!-- generated: NAME --> … <!-- end -->   written by `.ci/pages.py`

`python -m tests.support.pages NAME` prints a block. It needs the standard library alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
GENERATED = re.compile(r"(?<=<!-- generated: )([\w-]+)( -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)
_BLOCK = re.compile(
    r"^(?:[ ]*<!--[ ](?P<marker>[^\n]*?)[ ]-->\n+)?(?P<indent>[ ]*)```(?P<language>\w*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: Path
    line: int
    language: str
    text: str
    marker: str
    """The comment before it; empty where there is none, or where it is generated."""
    span: tuple[int, int]
    """Where the text is in the page."""
    indent: str

    @property
    def kind(self) -> str:
        """What the marker says is done: `run`, `check`, `output` and so on."""
        return re.split(r"[:,]| in:", self.marker)[0]

    @property
    def argument(self) -> str:
        """What stands behind the colon, but for an exit status."""
        return re.sub(r", exit status \d$", "", self.marker).partition(": ")[2]

    @property
    def begin(self) -> str | None:
        """Where a new session begins; None where the block begins none."""
        return self.argument if self.marker.startswith("run in: ") else None

    @property
    def name(self) -> str | None:
        """The name by which a test or a step of CI asks for the block."""
        is_named = self.kind in ("run", "check") and self.begin is None
        return (self.argument or None) if is_named else None

    @property
    def is_run_here(self) -> bool:
        """Whether it is run, or compared, in the order of the page."""
        return self.kind in ("run", "write", "output") and self.name is None

    @property
    def status(self) -> int:
        """The exit status of the last command."""
        match = re.search(r", exit status (\d)$", self.marker)
        return int(match[1]) if match else 0

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page but for those that are generated."""
    text = page.read_text("utf-8")
    generated = [match.span() for match in GENERATED.finditer(text)]
    for match in _BLOCK.finditer(text):
        if any(begin <= match.start("language") < end for begin, end in generated):
            continue
        line = text.count("\n", 0, match.start("language")) + 1
        content = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        marker = match["marker"] or ""
        yield Block(
            page, line, match["language"], content, marker, match.span("text"), match["indent"]
        )


def named(name: str) -> str:
    """The block that has a name; where several languages have it, they may differ in comments."""
    found = [block for page in PAGES for block in blocks(page) if block.name == name]
    if not found:
        raise LookupError(f"no page has a block {name}")
    if len({re.sub(r" +#.*", "", block.text) for block in found}) > 1:
        raise LookupError(f"not the same: {', '.join(map(str, found))}")
    return found[0].text


if __name__ == "__main__":
    sys.stdout.write(named(sys.argv[1]))
