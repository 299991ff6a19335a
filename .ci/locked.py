"""Prints what poetry.lock locks for the named groups, as requirements with hashes for pip.

`pip install --require-hashes` then installs what was reviewed, and nothing else.
"""

import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    from pip._vendor import tomli as tomllib

groups = set(sys.argv[1:])
lock = tomllib.loads((Path(__file__).parent.parent / "poetry.lock").read_text("utf-8"))
for package in lock["package"]:
    named = groups.intersection(package["groups"])
    if not named:
        continue
    markers = package.get("markers", "")
    if isinstance(markers, dict):  # one for each group that has one
        of_groups = [markers.get(group, "") for group in sorted(named)]
        markers = " or ".join(f"({marker})" for marker in of_groups) if all(of_groups) else ""
    hashes = (f"--hash={file['hash']}" for file in package["files"])
    requirement = f"{package['name']}=={package['version']}" + (markers and f" ; {markers}")
    print(" \\\n    ".join((requirement, *hashes)))
