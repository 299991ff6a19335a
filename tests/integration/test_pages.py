"""The commands of README.md and docs/, run as they are printed there, and what they print.

With `PAGES=write` the output blocks are rewritten where a command prints something else now; the
parts that a page leaves out with `…` stay out.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SetUp
from tests.support.index import ANY, LocalIndex
from tests.support.pages import PAGES, ROOT, Block, blocks, named
from tests.support.poetry import PoetryRunner, Result
from tests.support.projects import contents, read_jsonc, restore
from tests.support.tensorflow import add_tensorflow

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")

EMPTY = "an empty folder"
MADE: dict[str, dict[str, bytes]] = {}
"""The projects that sessions begin with, by the commands that make them."""


PACKAGES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("pandas", "1.2.4", (), ("cp37-cp37m-manylinux_2_17_x86_64",)),
    ("pandas", "1.5.3", ("numpy",), (ANY,)),
    ("pandas", "2.3.3", ("numpy (>=1.22.4)",), (ANY,)),
    ("pandas", "3.1.1", ("numpy (>=2.0.2)",), (ANY,)),
    ("opencv-python-headless", "4.8.0", ("numpy",), (ANY,)),
    ("ipykernel", "7.1.0", (), (ANY,)),
    ("jupyterlab", "4.5.0", (), (ANY,)),
)
"""What the pages add beside TensorFlow, with what is real of it: versions and what they require."""


@pytest.fixture(scope="module")
def tensorflow_index() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        add_tensorflow(index, PACKAGES)
        yield index


class Session:
    """A shell, at first in the new folder of a user called Jane, where `begin` was run."""

    def __init__(self, poetry: PoetryRunner, home: Path, begin: str) -> None:
        self.poetry, self.home = poetry, home
        self.folder = home / ("projects" if begin == EMPTY else "my-project")
        self.folder.mkdir(parents=True)
        if begin != EMPTY:
            if begin not in MADE:
                done = self.run(begin)
                assert done.ok, done.output
                MADE[begin] = contents(self.folder)
            restore(self.folder, MADE[begin])

    def run(self, text: str, *, errors: bool = True) -> Result:
        """Runs commands, with stderr in stdout; a later run begins in the folder where it ends."""
        place = self.home / "place"
        end = f"trap 'pwd > {shlex.quote(str(place))}' EXIT"
        together = "exec 2>&1\n" if errors else ""
        done = self.poetry.shell(f"{end}\n{together}{text}", cwd=self.folder)
        self.folder = Path(place.read_text("utf-8").strip())
        return Result(done.returncode, self.shown(done.stdout), done.stderr)

    def shown(self, text: str) -> str:
        """The text as Jane would see it, who has a network and a checkout of her own."""
        text = re.sub(r"^poetry-tf: PyPI itself, since .*\n", "", text, flags=re.MULTILINE)
        text = text.replace(ROOT.as_uri(), "file:///home/jane/poetry-tf")
        return text.replace(str(self.home), "/home/jane").strip("\n") + "\n"


SESSIONS = [
    pytest.param(
        page,
        id=page.relative_to(ROOT).as_posix(),
        marks=() if page.name == "README.md" and page.parent == ROOT else pytest.mark.slow,
    )
    for page in PAGES
    if any(block.is_run_here for block in blocks(page))
]


@pytest.mark.slow
@pytest.mark.parametrize("page", SESSIONS)
def test_the_commands_of_a_page_print_what_it_shows(
    warm_poetry: PoetryRunner, tmp_path: Path, page: Path
) -> None:
    def start(number: int, begin: str) -> Session:
        return Session(warm_poetry, tmp_path / str(number) / "jane", begin)

    session, printed = start(0, EMPTY), ""
    changes: list[tuple[Block, str]] = []
    every = list(blocks(page))
    for number, block in enumerate(every, 1):
        if block.kind == "run" and block.begin is not None:
            session = start(number, block.begin)
        if block.kind == "write":
            file = session.folder / block.argument
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.kind == "run" and not block.name:
            # A document is for programs, which read no stderr.
            follows = {one.language for one in every[number : number + 1] if one.kind == "output"}
            done = session.run(block.text, errors=not follows & {"json", "jsonc", "toml"})
            assert done.returncode == block.status, f"{block}\n{done.output}"
            printed = done.stdout
        elif block.kind == "output":
            if block.argument:
                printed = session.run(block.argument).stdout
            shown = merge(block.text, printed)
            if shown != block.text:
                changes.append((block, shown))
    if os.environ.get("PAGES") == "write":
        text = page.read_text("utf-8")
        for block, shown in reversed(changes):
            begin, end = block.span
            text = text[:begin] + textwrap.indent(shown, block.indent) + text[end:]
        page.write_text(text, "utf-8")
        return
    for block, shown in changes:
        diff = difflib.unified_diff(block.text.splitlines(True), shown.splitlines(True), n=9)
        pytest.fail(f"{block} shows what is not printed; PAGES=write rewrites it\n{''.join(diff)}")


def joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: joined(first[key], value) if isinstance(first.get(key), dict) else value
        for key, value in second.items()
    }
    return {**first, **both}


@pytest.mark.parametrize("part", [named("container-extensions"), named("container-port")])
def test_what_a_page_adds_to_the_container_stays(set_up: SetUp, part: str) -> None:
    poetry = set_up("--tensorflow", "2.18")
    path = poetry.project / ".devcontainer" / "devcontainer.json"
    content = joined(read_jsonc(path), json.loads(f"{{{part}}}"))
    path.write_text(json.dumps(content), "utf-8")
    assert poetry.call("tf", "devcontainer").ok
    assert read_jsonc(path) == content
    assert poetry.call("tf", "check").ok


def fits(shown: str, printed: str) -> bool:
    return re.fullmatch(re.escape(shown).replace("…", ".*"), printed) is not None


def merge(shown: str, printed: str) -> str:
    """What a page has to show: the printed lines, but for those it leaves out by a line `…`."""
    lines = shown.splitlines()
    shortened = [line for line in lines if "…" in line and line != "…"]
    actual = [
        max((line for line in shortened if fits(line, given)), key=len, default=given)
        for given in printed.splitlines()
    ]
    merged: list[str] = []
    matcher = difflib.SequenceMatcher(None, lines, actual, autojunk=False)
    for what, begin, end, first, last in matcher.get_opcodes():
        if what == "equal":
            merged += lines[begin:end]
            continue
        left_out = "…" in lines[begin:end]
        kept = end - begin - 1 if left_out else last - first
        if not left_out or lines[begin] != "…":
            merged += actual[first : first + kept]
        if left_out:
            merged.append("…")
        if left_out and lines[begin] == "…" and kept:
            merged += actual[last - kept : last]
    return "".join(f"{line}\n" for line in merged)


@pytest.mark.parametrize(
    ("shown", "printed", "merged"),
    [
        ("a\nb\n", "a\nb\n", "a\nb\n"),
        ("a\nb\n", "a\nc\n", "a\nc\n"),
        ("a\n…\nd\n", "a\nb\nc\nd\n", "a\n…\nd\n"),
        ("a\n…\n", "a\nb\nc\n", "a\n…\n"),
        ("…\nc\n", "a\nb\nc\n", "…\nc\n"),
        ("a\n…\n", "x\nb\nc\n", "x\n…\n"),
        ("…\nc\n", "a\nb\nx\n", "…\nx\n"),
        ("of … files\n", "of 5 files\n", "of … files\n"),
        ("of …\nof … files\n", "of 5\nof 6 files\n", "of …\nof … files\n"),
        ("of … files\nb\n", "of 5 folders\nb\n", "of 5 folders\nb\n"),
        ("a\n", "a\nb\n", "a\nb\n"),
        ("a\nb\n", "a\n", "a\n"),
    ],
)
def test_what_a_page_leaves_out_stays_out(shown: str, printed: str, merged: str) -> None:
    assert merge(shown, printed) == merged
