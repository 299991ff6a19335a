"""Runs the tool over a folder of real projects: no traceback, one clear error or a small diff.

    python .ci/corpus.py CORPUS [--show]

Each pyproject.toml, and each lock with its pyproject.toml, goes through `poetry tf check`, `poetry
tf check --diff` and `poetry tf init --dry-run --no-lock` in a folder of its own, and each
devcontainer.json through `check`, `check --diff` and `devcontainer --diff`, for each engine, as the
default and as a named one, beside a small project. Nothing may be written.

Each list of Conda's goes through `poetry tf init --from`, with the real index: the project is then
there, locked and in order, or there is one error and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cleo.io.inputs.argv_input import ArgvInput
from cleo.io.outputs.stream_output import StreamOutput
from poetry.console.application import Application

PROJECT = """\
[project]
name = "corpus"
version = "0.1.0"
requires-python = ">=3.11,<3.12"
dependencies = ["tensorflow (>=2.13.1,<2.14.0)"]

[tool.poetry]
package-mode = false
"""


def poetry(folder: Path, *arguments: str) -> tuple[int, str]:
    """Runs Poetry's application in this process; its exit status and all it printed."""
    stream = io.StringIO()
    application = Application()
    application.auto_exits(False)
    output = StreamOutput(stream)
    with redirect_stdout(stream), redirect_stderr(stream):
        status = application.run(
            ArgvInput(["poetry", "--no-ansi", "-n", "-C", str(folder), *arguments]), output, output
        )
    return status, stream.getvalue()


def cases(corpus: Path) -> Iterator[tuple[Path, dict[str, Path | str], list[list[str]]]]:
    """A real file, the files of the project made around it, and the commands to run there."""
    check, mend = ["tf", "check"], ["tf", "check", "--diff"]
    init = ["tf", "init", "--dry-run", "--no-lock"]
    for path in sorted((corpus / "pyproject").glob("*.toml")):
        yield path, {"pyproject.toml": path}, [check, mend, init]
    for folder in sorted((corpus / "lock").iterdir()):
        files: dict[str, Path | str] = {path.name: path for path in folder.iterdir()}
        yield folder, files, [check, mend, init]
    for path in sorted((corpus / "devcontainer").glob("*.json")):
        files = {"pyproject.toml": PROJECT, ".devcontainer/devcontainer.json": path}
        show = ["tf", "devcontainer", "--diff"]
        podman = [*show, "--engine", "podman", "--registry", "mcr.microsoft.com"]
        yield path, files, [check, mend, show, podman]
        # The same among several, where it is used by its name only.
        files = {"pyproject.toml": PROJECT, ".devcontainer/own/devcontainer.json": path}
        yield path, files, [check, mend, [*show, "--config", "own"]]


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def lost_comments(output: str) -> list[str]:
    """Comments that a diff takes away without putting them in another place.

    One that ends the line of a key or value goes with it where that is removed.
    """
    lines = [line for line in output.splitlines() if line[:3] not in ("---", "+++")]
    added = [line[1:] for line in lines if line.startswith("+")]
    lost = []
    for line in lines:
        comment = comment_of(line[1:]) if line.startswith("-") else None
        if comment is None or any(comment in other for other in added):
            continue
        begins = re.match(r'\s*("(?:\\.|[^"\\])*")', line[1:])
        if begins is None or any(begins[1] in other for other in added):
            lost.append(comment)
    return lost


def comment_of(line: str) -> str | None:
    """The comment that a line is, or that follows its JSON; a URL's slashes begin none."""
    if line.strip().startswith("#"):
        return line.strip()
    outside = re.sub(r'"(?:\\.|[^"\\])*"', lambda match: "x" * len(match[0]), line)
    match = re.search(r"//|/\*", outside)
    return None if match is None else line[match.start() :].strip()


def left_behind(path: Path) -> tuple[list[str], str]:
    """What is wrong with the project that a list of Conda's becomes, and all that was printed."""
    with tempfile.TemporaryDirectory() as raw:
        folder = Path(raw) / "project"
        folder.mkdir()
        shutil.copy(path, folder / path.name)
        before = fingerprint(folder)
        status, output = poetry(folder, "tf", "init", "--from", str(folder / path.name))
        faults = ["a traceback"] if "Traceback" in output or "  at " in output else []
        if status:
            if output.count("Error: ") != 1 or status != 1:
                faults.append(f"status {status} without one clear error")
            if fingerprint(folder) != before:
                faults.append("something was written")
            return faults, output
        for command in (["check", "--lock"], ["tf", "check"]):
            status, found = poetry(folder, *command)
            output += found
            # What a package of theirs has no file for on ARM is told, and no fault.
            codes = {*re.findall(r"\bTF\d{3}\b", found)} - {"TF304"}
            if codes or (status and command[0] == "check"):
                faults.append(f"{' '.join(command)} finds {sorted(codes) or found}")
        return faults, output


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--show", action="store_true", help="print what each command said")
    arguments = parser.parse_args()
    bad = runs = 0
    for path, files, commands in cases(arguments.corpus):
        with tempfile.TemporaryDirectory() as raw:
            folder = Path(raw) / "project"
            for name, source in files.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(source, Path):
                    shutil.copy(source, target)
                else:
                    target.write_text(source)
            before = fingerprint(folder)
            for command in commands:
                runs += 1
                status, output = poetry(folder, *command)
                faults = []
                if "Traceback" in output or "  at " in output:
                    faults.append("a traceback")
                if status not in {0, 1, 2} or (status and not output.strip()):
                    faults.append(f"status {status} without a word")
                if fingerprint(folder) != before:
                    faults.append("something was written")
                if lost := lost_comments(output):
                    faults.append(f"comments lost: {lost}")
                bad += bool(faults)
                if faults or arguments.show:
                    print(f"--- {path.name}: {' '.join(command)} -> {status} {'; '.join(faults)}")
                    print(output)
    for path in sorted((arguments.corpus / "conda").glob("*.yml")):
        runs += 1
        faults, output = left_behind(path)
        bad += bool(faults)
        if faults or arguments.show:
            print(f"--- {path.name}: tf init --from -> {'; '.join(faults)}")
            print(output)
    print(f"{runs} runs over the corpus, {bad} at fault")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
