"""Reads which libraries NVIDIA's wheels for CUDA hold, and in which folders.

    python -m poetry_tf.releases.reader.nvidia_wheels [--index URL] [--check] [--output DIR]

The wheels of two CUDA majors may hold the same paths, and TensorFlow's RUNPATH leads to some. Of
one wheel of each release the zip directory is read, by ranges.

Exit status: 0 on success; 1 if `--check` found that the data differs; 2 if something could not be
read.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from packaging.version import Version

from poetry_tf.http.client import Client
from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import SimpleIndex
from poetry_tf.http.ranges import RemoteFile
from poetry_tf.releases.filenames import Distribution
from poetry_tf.releases.reader.datafile import SCHEMA, known_before, render, write
from poetry_tf.releases.reader.derive import Available, Block, served
from poetry_tf.releases.reader.index_reader import IndexReader, RefreshReport
from poetry_tf.releases.reader.refresh import default_index
from poetry_tf.releases.reader.wheel import SMALL_TAIL, RemoteWheel

GENERATOR: Final = "python -m poetry_tf.releases.reader.nvidia_wheels"
DATA: Final = "nvidia_libraries.json"

# What the extra `and-cuda` has required so far. The wheels for CUDA 13 mostly have no suffix.
_ALL: Final = ("cublas", "cuda-cupti", "cuda-nvrtc", "cuda-runtime", "cudnn", "cufft", "curand")
_MORE: Final = ("cusolver", "cusparse", "nccl", "nvjitlink", "nvshmem")
_SUFFIXED: Final = {"cudnn", "nccl", "nvshmem"}
_SINCE_12: Final = {"nvjitlink", "nvshmem"}

NVIDIA_WHEELS: Final = tuple(
    sorted(
        f"nvidia-{name}{suffix}"
        for name in (*_ALL, *_MORE)
        for suffix in (
            *(() if name in _SINCE_12 else ("-cu11",)),
            "-cu12",
            "-cu13" if name in _SUFFIXED else "",
        )
    )
)
"""The distributions that are read."""

_LIBRARY: Final = re.compile(r"nvidia/.+/lib/[^/]+\.so(\.\d+)*")


def linux_wheel(files: Sequence[Distribution]) -> Distribution | None:
    """The wheel that is read for a release, for x86-64 if there is one; None without one for Linux.

    The libraries and their folders are the same for both processors.
    """
    wheels = [
        file
        for file in served(files)
        if file.is_wheel and any("linux" in tag.platform for tag in file.tags)
    ]
    wheels.sort(key=lambda file: ("x86_64" not in file.file.filename, file.file.filename))
    return wheels[0] if wheels else None


def library_block(
    listed: Mapping[str, Available], paths: Mapping[tuple[str, Version], tuple[str, ...]]
) -> Block:
    """The libraries by distribution and by the first release that has them.

    Args:
        listed: the files of each distribution's releases, by name.
        paths: the paths of all members of the wheels that were read. A distribution of which one is
            missing is left out, so that no older release's libraries stand for it.
    """
    found: Block = {}
    for name, versions in sorted(listed.items()):
        read = {
            version: sorted(filter(_LIBRARY.fullmatch, paths[name, version]))
            for version in sorted(versions)
            if (name, version) in paths
        }
        wanted = [version for version in versions if linux_wheel(versions[version])]
        if not read or len(read) < len(wanted):
            continue
        block: Block = {}
        last: list[str] = []
        for version, libraries in read.items():
            if libraries != last:
                block[str(version)] = {"libraries": libraries}
                last = libraries
        if block:
            found[name] = block
    return found


def read(reader: IndexReader) -> Block:
    """The content of the data file. What cannot be read is reported, and its distribution left out.

    Raises:
        ReadError: nothing was read.
    """
    listed = reader.pages(NVIDIA_WHEELS)
    for name in [name for name, files in listed.items() if not files]:
        reader.report.problem(f"{name}: not found on the index")
        del listed[name]
    wheels = {
        (name, version): wheel
        for name, versions in listed.items()
        for version, files in sorted(versions.items())
        if (wheel := linux_wheel(files)) is not None
    }
    reader.report.info(f"{len(wheels)} NVIDIA wheels")

    def paths(key: tuple[str, Version]) -> tuple[str, ...]:
        file = wheels[key].file
        try:
            return RemoteWheel(RemoteFile(file.url, reader.client), SMALL_TAIL).paths()
        except ReadError as error:
            raise ReadError(f"{file.filename}: {error}") from error

    libraries = library_block(listed, reader.each("wheels", paths, wheels))
    if not libraries:
        raise ReadError("could not read any NVIDIA wheel")
    return {"schema": SCHEMA, "generator": GENERATOR, "libraries": libraries}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog=GENERATOR, description="Reads the paths of the libraries in NVIDIA's wheels."
    )
    parser.add_argument("--index", metavar="URL", help="the index (default: pip's)")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the data differs")
    default = Path(__file__).parent.parent / "data"
    parser.add_argument("--output", metavar="DIR", type=Path, default=default)
    options = parser.parse_args(arguments)
    report, client = RefreshReport(), Client()
    try:
        index = SimpleIndex(options.index or default_index(), client)
        content = read(IndexReader(index, client, None, report))
    except ReadError as error:
        report.problem(str(error))
        return 2
    finally:
        client.close()
    path = options.output / DATA
    before = known_before(path).get("libraries", {})
    if options.check:
        differing = [
            name for name, block in content["libraries"].items() if block != before.get(name)
        ]
        for name in differing:
            report.info(f"{name}: the data differs from what the index has")
        return int(bool(differing)) or 2 * bool(report.problems)
    # One that could not be read keeps its data.
    content["libraries"] = dict(sorted((before | content["libraries"]).items()))
    write(path, render(content) + "\n")
    return 2 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
