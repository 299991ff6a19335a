"""Checks what is about to be published: python .ci/check_wheel.py DIST TAG

One wheel and one source distribution of the tag's version; in the wheel every file of the package
and nothing else, and its entry points; and it can be installed and run alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src"


def problems(dist: Path, tag: str) -> list[str]:
    """What is wrong with the files in a folder, a line each."""
    version = tag.removeprefix("v")
    stem = f"poetry_tf-{version}"
    expected = {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"}
    names = {path.name for path in dist.iterdir()}
    if names != expected:
        return [f"{dist} has {sorted(names)}, and {tag} needs {sorted(expected)}"]
    with zipfile.ZipFile(dist / f"{stem}-py3-none-any.whl") as wheel:
        info = f"{stem}.dist-info/"
        files = {name for name in wheel.namelist() if not name.startswith(info)}
        metadata = HeaderParser().parsestr(wheel.read(f"{info}METADATA").decode())
        entry_points = wheel.read(f"{info}entry_points.txt").decode()
    own = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = [f"the wheel lacks {name}" for name in sorted(own - files)]
    found += [f"the wheel has {name}" for name in sorted(files - own)]
    if (metadata["Name"], metadata["Version"]) != ("poetry-tf", version):
        found.append(f"METADATA is of {metadata['Name']} {metadata['Version']}")
    found += [
        f"entry_points.txt lacks {group}"
        for group in ("[poetry.application.plugin]", "[poetry.plugin]", "[console_scripts]")
        if group not in entry_points
    ]
    return found


def main() -> int:
    """Runs the program; returns its exit status."""
    dist, tag = Path(sys.argv[1]), sys.argv[2]
    if found := problems(dist, tag):
        print(*found, sep="\n")
        return 1
    wheel = next(dist.glob("*.whl"))
    with tempfile.TemporaryDirectory() as folder:
        # Its requirements are those of this environment.
        venv.create(folder, with_pip=True, system_site_packages=False)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--no-deps", wheel], check=True)
        probe = "import importlib.metadata as m; print(m.version('poetry-tf'))"
        run = subprocess.run([python, "-c", probe], check=True, capture_output=True, text=True)
        print(f"{wheel.name}: {run.stdout.strip()} can be installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
