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
    "pyproject.toml": "is not a list: run `poetry tf init` in its folder, without --from",
    "poetry.lock": "is a lock file of Poetry: run `poetry tf init` in its folder, without --from",
    "Pipfile": "is for pipenv: give the output of `pipenv requirements`",
    "Pipfile.lock": "is for pipenv: give the output of `pipenv requirements`",
    "uv.lock": f"is for uv: give the output of `{_UV}`",
    "pdm.lock": f"is for PDM: give the output of `{_PDM}`",
    "conda-lock.yml": "is for conda-lock: give the environment.yml that it was made from",
    "pixi.toml": "is for Pixi: give the output of `pixi workspace export conda-environment`",
    "pixi.lock": "is for Pixi: give the output of `pixi workspace export conda-environment`",
    "setup.py": "is a program: give a requirements.txt (the output of `pip freeze`)",
    "setup.cfg": "is for setuptools: give a requirements.txt (the output of `pip freeze`)",
}


def read_list(data: bytes, path: Path) -> PackageList:
    """Reads a list of packages in any of the formats; raises `ProjectError`.

    Files that it names are relative to its own folder.
    """
    if path.name in _UNSUPPORTED:
        raise ProjectError(path, _UNSUPPORTED[path.name])
    text = decode_list(data, path)
    if not text.strip():
        raise ProjectError(path, "is empty")
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
