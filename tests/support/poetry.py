"""The real Poetry, run in a project folder and shut off from the machine's own settings.

What it would ask of PyPI it asks of the address it is given; and as the wheels there are made up,
the packaged hashes of TensorFlow's are not theirs. Only these two are patched: by
`site/sitecustomize.py` in a process of its own, and in the same way in this one.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import pytest
import tomlkit
from packaging.version import Version

from poetry_tf.releases.catalog import forget_read

SITE = Path(__file__).parent / "site"

# Poetry 2.1 reads no [dependency-groups], and makes every new group one of its own.
KNOWS_DEPENDENCY_GROUPS = Version(version("poetry")) >= Version("2.2")

# Where tests keep locks and journals: one folder a worker, see `tests.conftest`.
STATE_DIR = "POETRY_TF_STATE_DIR"

# What a process needs of the machine; everything else, `POETRY_…` and `PIP_…` above all, stays out.
INHERITED = ("PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT", STATE_DIR)

# The mirror that `auto` asks first is on the open network. With these variables it can't be
# reached, on whatever machine the tests run: a proxy where nobody listens (the discard port). The
# local index is http.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}

PLUGIN_MANAGER = "poetry.plugins.plugin_manager.PluginManager"

Program = Literal["poetry", "poetry_tf"]

# Put into an environment, it makes that environment's Python tell Poetry another version. sysconfig
# comes first: it keeps the version from when it is imported, and the folders' names depend on it.
PRETENDED = """\
import collections
import sys
import sysconfig

Version = collections.namedtuple("Version", "major minor micro releaselevel serial")
sys.version = "{version} " + sys.version.partition(" ")[2]
sys.version_info = Version(*map(int, "{version}".split(".")), "final", 0)
sys.implementation.version = sys.version_info
"""


# A shell's background jobs ignore interrupts, and so does what they start.
HEARING_INTERRUPTS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("poetry", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """What the user saw, stderr after stdout."""
        return self.stdout + self.stderr

    @property
    def ok(self) -> bool:
        return self.returncode == 0


@dataclass
class PoetryRunner:
    """Runs Poetry in `project`; `home` holds all that it keeps: cache, settings, data, environment.

    `run` starts a process, as a user does, and takes half a second for that alone; `call` runs the
    same command in this process. Both return a `Result` and raise nothing for a command that fails.

    Poetry finds an environment activated, empty and without pip, made when first needed. Its Python
    is the one that runs the tests and tells Poetry that it is `python_version`, so that a test goes
    the same way on every Python. With `in_project=True` there is none, and Poetry makes the
    project's `.venv` itself, of the Python that runs the tests.
    """

    project: Path
    home: Path
    pypi: str
    """The root address (`Mount.root`) that stands for PyPI."""
    mirror: str | None = None
    """The value of `tf.mirror`, if any: a simple address, say `Mount.url`."""
    cache: Path | None = None
    """A cache shared with other runners, instead of one under `home`."""
    python_version: str = "3.11.9"
    in_project: bool = False
    interpreter: Path = Path(sys.executable)
    """What runs Poetry in `run` and `start`, and of which the environment is made."""
    environ: dict[str, str] = field(default_factory=dict)
    """Variables for every command, over those that the runner sets."""
    packaged: dict[str, dict[str, str]] = field(default_factory=dict)
    """What `call` takes for the packaged hashes of TensorFlow's files, by distribution."""

    @property
    def venv(self) -> Path:
        """The environment that Poetry finds activated or makes."""
        return self.project / ".venv" if self.in_project else self.home / "venv"

    @property
    def python(self) -> Path:
        """The interpreter of that environment."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def config_file(self) -> Path:
        """The user's `config.toml`."""
        return self.home / "config" / "config.toml"

    def run(
        self,
        *arguments: str,
        plugins: bool = True,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        program: Program = "poetry",
        timeout: float = 60,
    ) -> Result:
        """Runs `poetry <arguments>` as a process; `stdin` is what its questions get for answers."""
        done = subprocess.run(
            [self.interpreter, "-m", program, *_switches(plugins), *arguments],
            cwd=cwd or self.project,
            env=self._environment(environ),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def shell(
        self, text: str, *, environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        """Runs commands in a POSIX shell with `poetry` and `poetry-tf`, up to one that fails."""
        folder, python = self.home / "bin", shlex.quote(str(self.interpreter))
        folder.mkdir(parents=True, exist_ok=True)
        for name, module in (("poetry", "poetry"), ("poetry-tf", "poetry_tf")):
            path = folder / name
            path.write_text(f'#!/bin/sh\nexec {python} -m {module} "$@"\n')
            path.chmod(0o755)
        given = self._environment(environ)
        done = subprocess.run(
            ["/bin/sh", "-euc", text],
            cwd=cwd or self.project,
            env={**given, "PATH": f"{folder}{os.pathsep}{given['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a process as `run` does and returns at once, for a test that interrupts it."""
        return subprocess.Popen(
            [self.interpreter, "-c", HEARING_INTERRUPTS, *arguments],
            cwd=self.project,
            env=self._environment(None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def call(
        self,
        *arguments: str,
        plugins: bool = True,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        program: Program = "poetry",
    ) -> Result:
        """Does what `run` does without starting a process; `poetry run` needs one."""
        out, err = _Stream(), _Stream()
        argv = [program, *_switches(plugins), *arguments]
        with contextlib.ExitStack() as stack:
            stack.callback(forget_read)  # as the end of a process does
            enter = stack.enter_context
            enter(_connections_closed())
            enter(mock.patch.dict(os.environ, self._environment(environ), clear=True))
            enter(_directory(cwd or self.project))
            enter(_poetry_afresh(self.home / "config", os.environ["TESTS_PYPI_URL"]))
            if self.pypi.startswith("http:"):
                with contextlib.suppress(AttributeError, ImportError):  # a test makes it fail
                    enter(mock.patch("poetry_tf.index.routing.hashes", self._packaged_hashes))
            enter(_logging_afresh())
            # `poetry-tf` sets it for its process, which is this one.
            enter(mock.patch("poetry_tf.program", "poetry tf"))
            enter(mock.patch(f"{PLUGIN_MANAGER}.add_project_plugin_path", lambda _: None))
            enter(mock.patch(f"{PLUGIN_MANAGER}.get_plugin_entry_points", _entry_points))
            enter(mock.patch("os.execvpe", _replaces_the_process))
            enter(mock.patch.multiple(sys, argv=argv, path=[*sys.path], stdin=_Answers(stdin)))
            enter(contextlib.redirect_stdout(out))
            enter(contextlib.redirect_stderr(err))
            module = "poetry.console.application" if program == "poetry" else f"{program}.__main__"
            try:
                status = importlib.import_module(module).main()
            except SystemExit as leave:
                status = leave.code
        return Result(status or 0, out.text(), err.text())

    def settle(self, seconds: float = 10) -> None:
        """Waits for the requests that a call left under way, so that none is counted later."""
        until = time.monotonic() + seconds
        while any(thread.name.startswith("poetry-tf") for thread in threading.enumerate()):
            assert time.monotonic() < until
            time.sleep(0.005)

    def _packaged_hashes(self, name: str) -> dict[str, str]:
        return self.packaged.get(name, {})

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        if not self.in_project and not self.venv.exists():
            template = Path(_venv_template(self.interpreter, self.python_version).name)
            shutil.copytree(template, self.venv, symlinks=True)
        environ = {
            **_inherited(),
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "POETRY_CACHE_DIR": str(self.cache or self.home / "cache"),
            "POETRY_CONFIG_DIR": str(self.home / "config"),
            "POETRY_DATA_DIR": str(self.home / "data"),
            "POETRY_KEYRING_ENABLED": "false",
            "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "true",
            "POETRY_VIRTUALENVS_OPTIONS_NO_PIP": "true",
            "PYTHONPATH": str(SITE),
            "PYTHONUTF8": "1",
            "TESTS_PYPI_URL": self.pypi,
            "NO_PROXY": "*",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "LC_ALL": "C.UTF-8",
        }
        if self.in_project:
            environ["POETRY_VIRTUALENVS_IN_PROJECT"] = "true"
        else:
            environ["VIRTUAL_ENV"] = str(self.venv)
        if self.mirror is not None:
            environ["POETRY_TF_MIRROR"] = self.mirror
        return {**environ, **self.environ, **(extra or {})}


def write_pyproject(
    folder: Path,
    dependencies: Iterable[str] = (),
    *,
    requires_python: str = ">=3.10,<4.0",
    more: str = "",
) -> Path:
    """Writes a pyproject.toml with standard requirements, package mode off; `more` goes after."""
    lines = "".join(f"    '{requirement}',\n" for requirement in dependencies)
    path = folder / "pyproject.toml"
    path.write_text(
        f'[project]\nname = "example"\nversion = "0.1.0"\nrequires-python = "{requires_python}"\n'
        f"dependencies = [\n{lines}]\n\n[tool.poetry]\npackage-mode = false\n{more}",
        encoding="utf-8",
    )
    return path


def locked(project: Path) -> dict[str, str]:
    """What a lock holds: versions by name."""
    lock = tomlkit.parse((project / "poetry.lock").read_text("utf-8"))
    return {package["name"]: package["version"] for package in lock.unwrap()["package"]}


@functools.cache
def _venv_template(interpreter: Path, python_version: str) -> tempfile.TemporaryDirectory[str]:
    """An environment to copy, which takes a fortieth of the time of making one."""
    template = tempfile.TemporaryDirectory(prefix="poetry-tf-venv-")
    folder = Path(template.name)
    command = [str(interpreter), "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True, env=_inherited())
    library = folder / "Lib" if os.name == "nt" else next((folder / "lib").iterdir())
    site = library / "site-packages"
    (site / "_pretended.py").write_text(PRETENDED.format(version=python_version), "utf-8")
    (site / "_pretended.pth").write_text("import _pretended\n", "utf-8")
    return template


def _entry_points(manager: Any) -> Iterable[EntryPoint]:
    return _installed_entry_points(manager._group)


@functools.cache
def _installed_entry_points(group: str) -> tuple[EntryPoint, ...]:
    """Read once: it takes a sixth of a call that does little, and no call installs a plugin."""
    return tuple(entry_points(group=group))


def _switches(plugins: bool) -> list[str]:
    return [] if plugins else ["--no-plugins"]


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _replaces_the_process(*arguments: object, **more: object) -> None:
    pytest.fail("the command replaces the process: give it one of its own, with run()")


class _Stream(io.TextIOWrapper):
    """A standard stream that is no terminal."""

    def __init__(self, content: str = "") -> None:
        super().__init__(io.BytesIO(content.encode()), encoding="utf-8", newline="")

    def text(self) -> str:
        self.flush()
        self.seek(0)
        return self.read()


class _Answers(_Stream):
    """Standard input. Cleo asks again and again at its end, so a question too many is a failure."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return super().readline(size) or pytest.fail("the command asks more than was answered")


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _connections_closed() -> Iterator[None]:
    """Poetry leaves its connections to the end of the process, or to a search for garbage.

    A solve makes that search rare, and a process with many objects has it rarely anyway. With more
    than 1,024 open files `select` fails.
    """
    before = gc.get_threshold()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        with Path(os.devnull).open("rb") as lowest:
            if lowest.fileno() > 200:
                gc.collect()


@contextlib.contextmanager
def _poetry_afresh(config: Path, pypi: str) -> Iterator[None]:
    """What a new process would find: settings not read yet, and their folder; PyPI's address."""
    from poetry.repositories.pypi_repository import PyPiRepository

    init = PyPiRepository.__init__
    defaults = (pypi, *(init.__defaults__ or ())[1:])
    with (
        mock.patch("poetry.config.config._default_config", None),
        mock.patch("poetry.config.config.CONFIG_DIR", config),
        mock.patch("poetry.locations.CONFIG_DIR", config),
        mock.patch.object(init, "__defaults__", defaults),
    ):
        yield


@contextlib.contextmanager
def _logging_afresh() -> Iterator[None]:
    """Poetry sets logging up with `basicConfig`, which does nothing where a handler is there."""
    root = logging.getLogger()
    with mock.patch.object(root, "handlers", []):
        level = root.level
        known = {
            name: logging.getLogger(name).level for name in list(logging.root.manager.loggerDict)
        }
        try:
            yield
        finally:
            root.setLevel(level)
            for name, before in known.items():
                logger = logging.getLogger(name)
                if logger.level != before:  # to set one empties the caches of all
                    logger.setLevel(before)
