"""Makes `src/poetry_tf/releases/data/closure.json`: what wheels that TensorFlow needs say.

    python .ci/closure.py [--index SIMPLE_URL]

Locks projects for each TensorFlow that can be planned for, one open to all Pythons that it has
wheels for and one for the newest of these, with caches of their own, and keeps the metadata of each
wheel that Poetry asked for. Those of earlier runs stay: a wheel never changes. Without an address
it goes by PyPI's simple index.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from poetry.inspection.info import PackageInfo
from poetry.repositories.http_repository import HTTPRepository

from poetry_tf.index import wheel_metadata
from poetry_tf.releases import load

FILE = Path(__file__).parent.parent / "src/poetry_tf/releases/data" / wheel_metadata.DATA
PROJECT = """\
[project]
name = "closure"
version = "0.1.0"
requires-python = ">={first},<{after}"
dependencies = ["tensorflow{extra} (=={version})"]

[tool.poetry]
package-mode = false

[tool.poetry-tf]
gpu = "{gpu}"
"""


def main() -> int:
    """Writes the file; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", help="the simple index to go by")
    parser.add_argument("--series", nargs="*", help="only these, such as 2.18")
    options = parser.parse_args()
    if options.index:
        os.environ["POETRY_TF_MIRROR"] = options.index
    found: dict[str, PackageInfo] = {}
    catalog = load()
    for series in catalog.series:
        release = catalog.newest(series)
        if release is None or (options.series and series not in options.series):
            continue
        pythons = [
            tuple(map(int, python.split("."))) for python in release.pythons_on("linux-x86_64")
        ]
        first, last = min(pythons), max(pythons)
        # Projects for all Pythons and for one need different releases of dependencies.
        spans = dict.fromkeys([(first, last), (last, last)])
        for low, high in spans:
            text = PROJECT.format(
                first="{}.{}".format(*low),
                after=f"{high[0]}.{high[1] + 1}",
                version=release.version,
                extra="[and-cuda]" if release.and_cuda else "",
                gpu="pip" if release.and_cuda else "none",
            )
            with recorded(found):
                lock(text)
            print(f"{release.version} on {low} to {high}: {len(found)} wheels", flush=True)
    write(found)
    return 0


@contextlib.contextmanager
def recorded(found: dict[str, PackageInfo]) -> Iterator[None]:
    """Records, within the context, the metadata that Poetry reads of each wheel, by its hash."""
    names = ("_get_info_from_metadata", "_get_info_from_wheel")

    def recording(read: Any) -> Any:
        def read_and_record(repository: Any, link: Any) -> PackageInfo | None:
            info: PackageInfo | None = read(repository, link)
            if info is not None and link.is_wheel and "sha256" in link.hashes:
                found[link.hashes["sha256"]] = info
            return info

        return read_and_record

    from poetry_tf.index.repository import PrefetchingRepository

    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(wheel_metadata, "_packaged", lambda: {"files": {}}))
        for name in names:
            assert hasattr(HTTPRepository, name)
            read = getattr(PrefetchingRepository, name)
            stack.enter_context(mock.patch.object(PrefetchingRepository, name, recording(read)))
        yield


def lock(pyproject: str) -> None:
    """Locks a project with an empty cache."""
    from poetry.console.application import Application

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "closure"
        project.mkdir()
        (project / "pyproject.toml").write_text(pyproject, "utf-8")
        environ = {"POETRY_CACHE_DIR": f"{folder}/cache", "POETRY_CONFIG_DIR": f"{folder}/config"}
        argv = ["poetry", "-C", str(project), "lock", "--quiet"]
        with mock.patch.dict(os.environ, environ), mock.patch.object(sys, "argv", argv):
            application = Application()
            application.auto_exits(False)
            if application.run():
                print(pyproject, "can't be locked", file=sys.stderr)


def write(found: dict[str, PackageInfo]) -> None:
    """Adds the recorded metadata to the file."""
    data = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"requires": [], "files": {}}
    lists = [None if lines is None else tuple(lines) for lines in data["requires"]]
    files = {
        sha256: {**record, "requires": lists[record["requires"]]}
        for sha256, record in data["files"].items()
    }
    for sha256, info in found.items():
        files[sha256[: wheel_metadata.PREFIX]] = {
            "name": info.name,
            "version": info.version,
            "summary": info.summary,
            "python": info.requires_python,
            "requires": None if info.requires_dist is None else tuple(info.requires_dist),
        }
    ordered = sorted(files.items(), key=lambda item: (item[1]["name"], item[1]["version"], item[0]))
    distinct = list(dict.fromkeys(record["requires"] for _, record in ordered))
    numbers = {lines: number for number, lines in enumerate(distinct)}
    lines = ",\n".join(json.dumps(lines, ensure_ascii=False) for lines in distinct)
    records = ",\n".join(
        f"{json.dumps(sha256)}: "
        + json.dumps({**record, "requires": numbers[record["requires"]]}, ensure_ascii=False)
        for sha256, record in ordered
    )
    text = f'{{"requires": [\n{lines}\n],\n"files": {{\n{records}\n}}}}\n'
    FILE.write_text(text, "utf-8")
    print(f"{len(files)} wheels, {len(distinct)} lists, {len(text) // 1024} kB")


if __name__ == "__main__":
    sys.exit(main())
