"""Interpreters that answer what an interpreter of another kind does, as far as Poetry asks."""

from __future__ import annotations

import sys
from pathlib import Path

_ANSWERS = """\
#!{interpreter} -I
import collections, os, platform, sys, sysconfig
Version = collections.namedtuple("Version", "major minor micro releaselevel serial")
sys.version_info = Version({major}, {minor}, 1, "{level}", 0)
sys.executable = __file__
sys.prefix = sys.base_prefix = os.path.dirname(os.path.dirname(__file__))
if not {is_64bit}:
    sys.maxsize = 2**31 - 1
platform.python_version = lambda: "{major}.{minor}.1"
platform.python_implementation = lambda: "{implementation}"
platform.architecture = lambda: ("64bit" if {is_64bit} else "32bit", "ELF")
sysconfig.get_config_var = {{"Py_GIL_DISABLED": {free_threaded}}}.get
exec(sys.argv[-1])
"""


def add_python(
    folder: Path,
    minor: str,
    name: str | None = None,
    *,
    implementation: str = "CPython",
    level: str = "final",
    is_64bit: bool = True,
    free_threaded: bool = False,
) -> Path:
    """Puts an interpreter into a folder, by default as ``python3.X``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"python{minor}")
    path.write_text(
        _ANSWERS.format(
            interpreter=sys.executable,
            major=minor.split(".", maxsplit=1)[0],
            minor=minor.split(".")[1],
            implementation=implementation,
            level=level,
            is_64bit=is_64bit,
            free_threaded=int(free_threaded),
        ),
        "utf-8",
    )
    path.chmod(0o755)
    return path
