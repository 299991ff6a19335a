"""The way to PyPI: by a mirror or without, and no trace of it in the lock."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from poetry_tf.index import mirrors
from poetry_tf.index.mirrors import Mirror
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked, write_pyproject
from tests.support.projects import contents

MANAGED = '\n[tool.poetry-tf]\ngpu = "auto"\n'
INIT = ["tf", "init", "-n", "--tensorflow", "2.18"]
BESIDE = "Added setuptools\n"
NOT_REACHED = (
    "poetry-tf: PyPI itself, since TUNA (Tsinghua) can't be reached through the proxy "
    "http://127.0.0.1:9 (from HTTPS_PROXY)\n"
)

MIRRORS: dict[str, dict[str, Any]] = {
    "html pages alone": {"formats": ("html",), "absolute": False, "metadata": False},
    "json pages alone": {"formats": ("json",), "metadata": False},
    "metadata beside the wheels": {"formats": ("html",), "metadata": True},
    "no ranges": {"metadata": False, "range": False},
}


def _project(poetry: PoetryRunner, *dependencies: str, more: str = MANAGED) -> Path:
    return write_pyproject(poetry.project, dependencies, requires_python="~=3.11.0", more=more)


def _asked(index: LocalIndex) -> set[str]:
    return {request.mount for request in index.requests}


# One lock, whatever the way


@pytest.fixture(scope="module")
def reference() -> dict[str, bytes]:
    """The lock of 2.18 without any mirror, made by the first test that needs it."""
    return {}


def _reference(reference: dict[str, bytes], poetry: PoetryRunner) -> bytes:
    """Made in another folder of the same name and with a cache of its own."""
    if "lock" not in reference:
        project = poetry.home.parent / "reference" / poetry.project.name
        project.mkdir(parents=True)
        other = PoetryRunner(project, project.parent, pypi=poetry.pypi, environ=poetry.environ)
        done = other.call(*INIT, "--mirror", "off")
        assert done.ok, done.output
        reference["lock"] = (project / "poetry.lock").read_bytes()
    return reference["lock"]


@pytest.mark.parametrize("behaviour", MIRRORS.values(), ids=MIRRORS)
@pytest.mark.sample(every=2)
def test_every_kind_of_mirror_gives_the_lock_that_pypi_gives(
    poetry: PoetryRunner,
    index: LocalIndex,
    reference: dict[str, bytes],
    behaviour: dict[str, Any],
) -> None:
    expected = _reference(reference, poetry)
    mirror = index.mount("other", **behaviour)
    index.requests.clear()
    done = poetry.call(*INIT, "--mirror", mirror.url)
    assert done.ok, done.output
    assert _asked(index) == {"other"}
    lock = (poetry.project / "poetry.lock").read_bytes()
    assert lock == expected
    assert b"[package.source]" not in lock and b"127.0.0.1" not in lock


@pytest.mark.sample
@pytest.mark.parametrize("formats", [("json", "html"), ("html",)], ids=["json", "html"])
def test_an_index_with_the_simple_interface_alone_is_enough(
    poetry: PoetryRunner,
    pypi: Mount,
    reference: dict[str, bytes],
    formats: tuple[Any, ...],
) -> None:
    """As company proxies are; Poetry alone fails there."""
    expected = _reference(reference, poetry)
    pypi.api, pypi.metadata, pypi.formats = False, False, formats
    poetry.python_version = "3.12.2"
    done = poetry.call(*INIT, "--mirror", "off")
    assert done.ok, done.output
    assert (poetry.project / "poetry.lock").read_bytes() == expected
    assert {request.kind for request in pypi.requests if request.status == 200} <= {"page", "file"}
    if "json" in formats:
        (poetry.project / "poetry.lock").unlink()
        poetry.cache = poetry.home / "another-cache"
        assert "not found" in poetry.call("lock", plugins=False).output


def test_poetry_lock_writes_the_same_bytes_as_init(
    poetry: PoetryRunner, mirror: Mount, reference: dict[str, bytes]
) -> None:
    poetry.python_version, poetry.mirror = "3.12.2", mirror.url
    assert poetry.call(*INIT, "--no-lock").ok
    assert poetry.call("lock").ok
    assert (poetry.project / "poetry.lock").read_bytes() == _reference(reference, poetry)


@pytest.mark.slow
def test_what_other_platforms_need_is_locked_whichever_wheel_is_listed_first(
    poetry: PoetryRunner, mirror: Mount
) -> None:
    """The wheel that an index lists first, for macOS, says nothing of the one for aarch64."""
    done = poetry.call("tf", "init", "-n", "--tensorflow", "2.13", "--mirror", mirror.url)
    assert done.ok, done.output
    assert locked(poetry.project)["tensorflow-cpu-aws"] == "2.13.1"


# Which way


def test_the_environment_goes_before_the_project_and_that_before_the_user(
    poetry: PoetryRunner, index: LocalIndex
) -> None:
    urls = {name: index.mount(name, api=True).url for name in ("environ", "local", "user")}
    _project(poetry, "six")
    poetry.config_file.parent.mkdir(parents=True)
    poetry.config_file.write_text(f'[tf]\nmirror = "{urls["user"]}"\n', "utf-8")
    assert poetry.call("lock").ok
    assert _asked(index) == {"user"}

    index.requests.clear()
    (poetry.project / "poetry.toml").write_text(f'[tf]\nmirror = "{urls["local"]}"\n', "utf-8")
    assert poetry.call("lock", "--regenerate").ok
    assert _asked(index) == {"local"}

    index.requests.clear()
    poetry.mirror = urls["environ"]
    assert poetry.call("lock", "--regenerate").ok
    assert _asked(index) == {"environ"}


def test_off_in_the_environment_turns_the_projects_mirror_off(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    _project(poetry, "six")
    (poetry.project / "poetry.toml").write_text(f'[tf]\nmirror = "{mirror.url}"\n', "utf-8")
    poetry.mirror = "off"
    done = poetry.call("lock")
    assert done.ok
    assert (_asked(index), done.stderr) == ({"pypi"}, "")


@pytest.mark.slow
def test_the_environment_goes_before_the_project_in_init_too(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    poetry.mirror = mirror.url
    done = poetry.call(*INIT)
    assert done.ok, done.output
    assert _asked(index) == {"mirror"}


@pytest.mark.slow
def test_init_leaves_the_mirror_of_the_users_settings_in_force(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    """Someone behind a company's proxy has set it once for all projects."""
    poetry.config_file.parent.mkdir(parents=True)
    poetry.config_file.write_text(f'[tf]\nmirror = "{mirror.url}"\n', "utf-8")
    done = poetry.call(*INIT)
    assert done.ok, done.output
    assert _asked(index) == {"mirror"}


def test_a_mirror_serves_a_project_that_does_not_use_poetry_tf(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    _project(poetry, "six", more="")
    poetry.mirror = mirror.url
    done = poetry.call("lock")
    assert done.ok
    assert done.stderr == "poetry-tf: PyPI via 127.0.0.1\n"
    assert _asked(index) == {"mirror"}
    assert "source" not in (poetry.project / "poetry.lock").read_text("utf-8")


@pytest.mark.slow
def test_auto_falls_back_to_pypi_and_says_so_in_one_line(
    poetry: PoetryRunner, index: LocalIndex
) -> None:
    done = poetry.call(*INIT)
    assert done.ok
    assert (done.stderr, _asked(index)) == (f"{BESIDE}{NOT_REACHED}", {"pypi"})


def test_auto_is_not_tried_where_no_index_is_asked(poetry: PoetryRunner) -> None:
    _project(poetry, "six")
    poetry.mirror = "auto"
    assert poetry.call("check").stderr == ""
    assert poetry.call("lock").stderr == NOT_REACHED


def test_a_mirror_that_means_nothing_is_one_warning_and_poetry_goes_on(
    poetry: PoetryRunner, index: LocalIndex
) -> None:
    _project(poetry, "six")
    poetry.mirror = "nowhere"
    done = poetry.call("lock")
    assert done.ok, done.output
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("poetry-tf: tf.mirror is not understood: 'nowhere' is not a mirror")
    assert "(in the variable POETRY_TF_MIRROR). Write auto, " in warning
    assert _asked(index) == {"pypi"}
    assert locked(poetry.project)["six"]


@pytest.mark.parametrize(("user", "place"), [(False, "poetry.toml:3"), (True, "config.toml:3")])
def test_a_list_that_means_nothing_is_reported_with_its_place(
    poetry: PoetryRunner, user: bool, place: str
) -> None:
    _project(poetry, "six")
    file = poetry.config_file if user else poetry.project / "poetry.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# mine\n[tf]\nmirror = ['tuna', 'nowhere']\n", "utf-8")
    done = poetry.call("lock")
    assert done.ok, done.output
    (warning,) = done.stderr.splitlines()
    assert "'nowhere' is not a mirror" in warning and f"{place}). Write auto, " in warning


def test_an_empty_variable_is_none(poetry: PoetryRunner, index: LocalIndex, mirror: Mount) -> None:
    """A container passes it on that way where the host has none."""
    _project(poetry, "six", more="")
    (poetry.project / "poetry.toml").write_text(f'[tf]\nmirror = "{mirror.url}"\n', "utf-8")
    poetry.mirror = ""
    assert poetry.call("lock").ok
    assert _asked(index) == {"mirror"}


def test_a_list_of_mirrors_is_understood_in_every_layer(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    _project(poetry, "six")
    (poetry.project / "poetry.toml").write_text(f"[tf]\nmirror = ['{mirror.url}', 'tuna']\n")
    assert poetry.call("lock").ok
    poetry.mirror = f"{mirror.url}, aliyun"
    assert poetry.call("lock", "--regenerate").ok
    assert _asked(index) == {"mirror"}


def test_what_auto_chose_is_remembered(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "AUTO_MIRROR", Mirror("TUNA (Tsinghua)", mirror.url))
    _project(poetry, "six")
    poetry.mirror = "auto"
    for _ in range(2):
        done = poetry.call("lock", "--regenerate")
        assert (done.ok, done.stderr) == (True, "poetry-tf: PyPI via TUNA (Tsinghua)\n")
    asked = [request.package for request in mirror.requests]
    assert asked.count("absl-py") == 1


def test_what_auto_chose_is_forgotten_when_it_fails(
    poetry: PoetryRunner, mirror: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "AUTO_MIRROR", Mirror("TUNA (Tsinghua)", mirror.url))
    _project(poetry, "six")
    poetry.mirror = "auto"
    for status in (None, 503, None):
        assert poetry.call("lock", "--regenerate").ok
        mirror.page_status = 503 if status is None else None
    asked = [request.package for request in mirror.requests]
    assert asked.count("absl-py") == 2


def test_what_no_way_has_is_reported_and_nothing_is_written(
    poetry: PoetryRunner, mirror: Mount, pypi: Mount
) -> None:
    _project(poetry, "six")
    mirror.hidden = pypi.hidden = ("six",)
    poetry.mirror = mirror.url
    before = contents(poetry.project)
    done = poetry.call("lock")
    assert done.returncode == 1
    assert "Traceback" not in done.output
    assert contents(poetry.project) == before


def _with_password(poetry: PoetryRunner, mirror: Mount) -> None:
    _project(poetry, "six")
    poetry.mirror = mirror.url.replace("://", "://jane:secret@")


def test_a_password_in_a_mirrors_address_is_neither_shown_nor_locked(
    poetry: PoetryRunner, mirror: Mount
) -> None:
    _with_password(poetry, mirror)
    done = poetry.call("lock", "-v")
    assert done.ok, done.output
    assert mirror.requests
    assert "secret" not in done.output
    assert "secret" not in (poetry.project / "poetry.lock").read_text("utf-8")


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.usefixtures("short_pauses")
def test_a_password_in_a_mirrors_address_is_not_shown_where_that_fails(
    poetry: PoetryRunner, mirror: Mount, pypi: Mount, status: int
) -> None:
    _with_password(poetry, mirror)
    mirror.page_status = pypi.page_status = status
    failed = poetry.call("lock", "-vvv")
    assert failed.returncode == 1
    assert f"127.0.0.1 answers {status}" in failed.output
    assert "secret" not in failed.output


# Beside the project's own sources


def _source(name: str, url: str, priority: str) -> str:
    line = f'url = "{url}"\n' if url else ""
    return f'\n[[tool.poetry.source]]\nname = "{name}"\n{line}priority = "{priority}"\n'


def _sources(project: Path) -> dict[str, str | None]:
    """The source that each locked package is bound to."""
    lock = tomlkit.parse((project / "poetry.lock").read_text("utf-8")).unwrap()
    return {item["name"]: item.get("source", {}).get("reference") for item in lock["package"]}


def test_a_supplemental_source_is_asked_for_what_pypi_lacks(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount, pypi: Mount
) -> None:
    extra = index.mount("extra")
    mirror.hidden = pypi.hidden = ("six",)
    _project(poetry, "six", "wrapt", more=MANAGED + _source("extra", extra.url, "supplemental"))
    poetry.mirror = mirror.url
    done = poetry.call("lock")
    assert done.ok, done.output
    assert _sources(poetry.project) == {"six": "extra", "wrapt": None}
    assert {r.package for r in extra.requests} == {r.package for r in pypi.requests} == {"six"}
    assert _asked(index) == {"mirror", "pypi", "extra"}


def test_an_explicit_source_is_asked_for_its_own_packages_alone(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    extra = index.mount("extra")
    bound = '\n[tool.poetry.dependencies]\nsix = { source = "extra" }\n'
    more = MANAGED + bound + _source("extra", extra.url, "explicit")
    _project(poetry, "six", "wrapt", more=more)
    poetry.mirror = mirror.url
    done = poetry.call("lock")
    assert done.ok, done.output
    assert {request.package for request in extra.requests} == {"six"}
    assert {request.package for request in mirror.requests} == {"wrapt"}


def test_pypi_that_is_named_keeps_its_place_behind_another_source(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    first = index.mount("first", hidden=("wrapt",))
    sources = _source("first", first.url, "primary") + _source("PyPI", "", "primary")
    _project(poetry, "six", "wrapt", more=MANAGED + sources)
    poetry.mirror = mirror.url
    done = poetry.call("lock")
    assert done.ok, done.output
    assert _sources(poetry.project) == {"six": "first", "wrapt": None}
    assert _asked(index) == {"first", "mirror"}


def test_a_project_with_sources_in_place_of_pypi_is_left_to_them(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    own = index.mount("own")
    _project(poetry, "six", more=MANAGED + _source("own", own.url, "primary"))
    poetry.mirror = mirror.url
    assert poetry.call("lock").ok
    assert _asked(index) == {"own"}


# Installing, and Poetry without the plugin afterwards


def test_a_lock_installs_through_the_mirror(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    _project(poetry, "tensorflow (>=2.18.1,<2.19.0)")
    poetry.mirror = mirror.url
    assert poetry.call("lock").ok
    done = poetry.call("install")
    assert done.ok, done.output
    code = "import tensorflow; print(tensorflow.__version__)"
    ran = subprocess.run([poetry.python, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "2.18.1\n"
    assert _asked(index) == {"mirror"}
    taken = {r.package for r in mirror.requests if r.kind == "file" and r.range is None}
    assert {"tensorflow", "keras", "numpy"} <= taken


@pytest.mark.slow
def test_a_lock_made_through_a_mirror_installs_with_plain_poetry(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    _project(poetry, "tensorflow (>=2.18.1,<2.19.0)")
    assert poetry.call("lock", environ={"POETRY_TF_MIRROR": mirror.url}).ok
    index.requests.clear()
    done = poetry.call("install", plugins=False)
    assert done.ok, done.output
    assert _asked(index) == {"pypi"}
    assert subprocess.run([poetry.python, "-c", "import tensorflow"], check=False).returncode == 0


@pytest.mark.slow
def test_what_is_cached_by_a_mirror_stays_out_of_plain_poetrys_cache(
    poetry: PoetryRunner, mirror: Mount, tmp_path: Path
) -> None:
    _project(poetry, "tensorflow (==2.18.0)")
    poetry.mirror = mirror.url
    assert poetry.call("lock").ok
    lock = poetry.project / "poetry.lock"
    lock.unlink()
    assert poetry.call("lock", plugins=False).ok
    after = lock.read_bytes()
    lock.unlink()
    poetry.cache = tmp_path / "fresh-cache"
    assert poetry.call("lock", plugins=False).ok
    assert lock.read_bytes() == after


def test_a_mirror_that_is_half_synchronised_leaves_no_trace_for_later(
    tmp_path: Path, project: Path
) -> None:
    """A file that the mirror hadn't yet is in the lock as soon as the mirror has it."""
    with LocalIndex(api=True) as index:
        index.add("demo", "1.0", tags=["cp311-cp311-win_amd64"])
        poetry = PoetryRunner(project, tmp_path / "home", pypi=index.default.root)
        _project(poetry, "demo")
        poetry.mirror = index.mount("mirror").url
        assert poetry.call("lock").ok
        index.add("demo", "1.0", tags=["cp311-cp311-manylinux_2_17_x86_64"])
        poetry.mirror = "off"
        assert poetry.call("lock", "--regenerate").ok
    files = re.findall(r'file = "(demo-[^"]+)"', (project / "poetry.lock").read_text("utf-8"))
    assert len(files) == 2


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.sample
def test_a_proxy_that_is_down_is_named_and_its_password_is_not(
    poetry: PoetryRunner, project: Path, mirror: Mount, variable: str
) -> None:
    """What PyPI can't be asked for is not told as lacking there."""
    write_pyproject(project, ["six"], requires_python="~=3.11.0")
    poetry.mirror = mirror.url
    assert poetry.call("lock").ok
    mirror.file_status = 403
    poetry.pypi = "http://pypi.example.com/"
    poetry.environ |= {variable: "http://me:s3cr3t@127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    done = poetry.call("install", "--no-cache")
    assert not done.ok
    assert (
        f"PyPI can't be reached through the proxy http://127.0.0.1:9 (from {variable})"
        in done.output
    )
    assert "PyPI lacks" not in done.output and "s3cr3t" not in done.output
    poetry.mirror = None
    write_pyproject(project, ["six"], requires_python="~=3.11.0", more="\n[tool.poetry-tf]\n")
    done = poetry.call("lock", "--regenerate", "--no-cache")
    assert "Start the proxy, or unset the variable that names it." in done.output
