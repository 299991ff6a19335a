"""From the package list of a Conda or pip environment to the requirements of a project.

`read_list` reads a list, `tensorflow` chooses the series and the Python it is for, `classify`
decides what becomes of each line, and `fit` matches that with an index. Nothing here writes, solves
or accesses an index.
"""

from __future__ import annotations

import re
from pathlib import Path

from poetry_tf.files.errors import ProjectError
from poetry_tf.migration import conda, pip
from poetry_tf.migration.decoding import decode_list
from poetry_tf.migration.entries import PackageList

_YAML_KEY = re.compile(r"^(?:name|channels|dependencies|prefix|variables)[ \t]*:", re.MULTILINE)
_UV = "uv export --no-hashes --no-emit-project"
_PDM = "pdm export --without-hashes"
_UNSUPPORTED = {
    "pyproject.toml": "is read where it lies: run `poetry tf init` in its folder, without --from",
    "poetry.lock": "is Poetry's own: run `poetry tf init` in its folder, without --from",
    "Pipfile": "is pipenv's: give what `pipenv requirements` prints",
    "Pipfile.lock": "is pipenv's: give what `pipenv requirements` prints",
    "uv.lock": f"is uv's: give what `{_UV}` prints",
    "pdm.lock": f"is PDM's: give what `{_PDM}` prints",
    "conda-lock.yml": "is conda-lock's: give the environment.yml that it was made from",
    "pixi.toml": "is Pixi's: give what `pixi workspace export conda-environment` prints",
    "pixi.lock": "is Pixi's: give what `pixi workspace export conda-environment` prints",
    "setup.py": "is a program: give a requirements.txt (`pip freeze` prints one)",
    "setup.cfg": "is of setuptools: give a requirements.txt (`pip freeze` prints one)",
}


def read_list(data: bytes, path: Path) -> PackageList:
    """Reads a list of packages in any of the formats; raises `ProjectError`.

    Files that it names are relative to its own folder.
    """
    if path.name in _UNSUPPORTED:
        raise ProjectError(path, _UNSUPPORTED[path.name])
    text = decode_list(data, path)
    if conda.EXPLICIT.search(text):
        found = conda.read_explicit(text, path)
    elif path.suffix.lower() in {".yml", ".yaml"} or _YAML_KEY.search(text):
        found = conda.read_environment(text, path, lambda lines: pip.read_nested(lines, path))
    elif conda.is_table(text):
        found = conda.read_table(text, path)
    elif conda.is_export(text):
        found = conda.read_export(text, path)
    else:
        found = pip.read_requirements(text, path)
    if not found.entries and not found.skipped:
        raise ProjectError(path, "names no package")
    return found
