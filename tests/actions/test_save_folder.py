"""What `mirror save` reads from source distributions, and the wheel that it makes of itself."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from poetry_tf.actions.build_requirements import (
    build_requirements,
    compiled_source,
    local_builds,
    package_info,
)
from poetry_tf.actions.packed_wheel import pack, packed_requirements
from poetry_tf.files.project import Project
from poetry_tf.plan.needed_files import ElsewherePackage


def _archive(path: Path, members: dict[str, str]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, text in members.items():
                zipped.writestr(name, text)
        return path
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


BACKEND = '[build-system]\nrequires = ["flit-core >=3"]\nbuild-backend = "flit_core.buildapi"\n'
OLD = '[build-system]\nrequires = ["setuptools<60"]\n'


@pytest.mark.parametrize("name", ["a-1.tar.gz", "a-1.zip"])
@pytest.mark.parametrize(
    ("members", "requires"),
    [
        ({"a-1/pyproject.toml": BACKEND}, ("flit-core >=3",)),
        ({"a-1/setup.py": ""}, ("setuptools>=40.8.0", "wheel")),
        ({"a-1/pyproject.toml": "[tool.x]\n"}, ("setuptools>=40.8.0", "wheel")),
        ({"a-1/pyproject.toml": OLD}, ("setuptools<60", "wheel")),
        # Neither another project's, further down, nor what is no TOML.
        ({"a-1/tests/pyproject.toml": BACKEND}, ("setuptools>=40.8.0", "wheel")),
        ({"a-1/pyproject.toml": "["}, ("setuptools>=40.8.0", "wheel")),
    ],
)
def test_what_builds_a_source_distribution(
    tmp_path: Path, name: str, members: dict[str, str], requires: tuple[str, ...]
) -> None:
    assert build_requirements(_archive(tmp_path / name, members)) == requires


def test_what_builds_what_does_not_come_from_pypi(tmp_path: Path) -> None:
    script = '[project]\nname = "root"\n[tool.poetry.build]\nscript = "build.py"\n'
    (tmp_path / "pyproject.toml").write_text(script + BACKEND, "utf-8")
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "pyproject.toml").write_text(BACKEND, "utf-8")
    _archive(tmp_path / "a-1.tar.gz", {"a-1/pyproject.toml": BACKEND})
    items = {
        "old": "old",
        "new": "new",
        "a": "a-1.tar.gz",
        "git": None,
        "gone": "no",
        "unc": "//h/s",
    }
    packages = [
        ElsewherePackage(canonicalize_name(name), True, path) for name, path in items.items()
    ]
    packages.append(ElsewherePackage(canonicalize_name("wheel"), False, None))
    flit = ("flit-core >=3",)
    old = ("setuptools>=40.8.0", "wheel")
    assert local_builds(Project.read(tmp_path), packages) == (
        {"old": old, "new": flit, "a": flit, "root": flit},
        ["git", "gone", "unc"],
    )


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(b"?")
    assert build_requirements(path) == ("setuptools>=40.8.0", "wheel")
    assert package_info(path) is None


def test_the_metadata_of_a_source_distribution(tmp_path: Path) -> None:
    members = {"a-1/PKG-INFO": "Name: a\n", "a-1/a.egg-info/PKG-INFO": "Name: b\n"}
    assert package_info(_archive(tmp_path / "a-1.tar.gz", members)) == b"Name: a\n"


@pytest.mark.parametrize("name", ["a-1.tar.gz", "a-1.zip"])
@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("a-1/src/fast.c", "src/fast.c"),
        ("a-1/a/_native.PYX", "a/_native.PYX"),
        ("a-1/extensions/gdal_wrap.cpp", "extensions/gdal_wrap.cpp"),
        ("a-1/a/module.py", None),
        ("a-1/tests/data/example.c", None),
        ("a-1/docs/build.rs", None),
    ],
)
def test_what_has_to_be_compiled(
    tmp_path: Path, name: str, member: str, expected: str | None
) -> None:
    path = _archive(tmp_path / name, {"a-1/setup.py": "", member: ""})
    assert compiled_source(path) == expected


@pytest.mark.slow
def test_the_running_poetry_tf_is_a_wheel_that_pip_installs(tmp_path: Path) -> None:
    name, content = pack()
    assert (name, content) == pack()
    path = tmp_path / name
    path.write_bytes(content)
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--no-deps", "--no-index"]
    command += ["--quiet", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*command, "--target", str(tmp_path / "site"), str(path)], check=True)
    code = (
        "import poetry_tf, importlib.metadata as m; "
        "print(poetry_tf.__file__, m.version('poetry-tf'), "
        "[e.value for e in m.entry_points(group='poetry.plugin')])"
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in ran.stdout and version("poetry-tf") in ran.stdout
    assert "poetry_tf.plugin:TensorFlowPlugin" in ran.stdout
    assert (tmp_path / "site" / "poetry_tf" / "releases" / "data" / "hashes.json").is_file()
    assert any(line.startswith("poetry ") for line in packed_requirements())
