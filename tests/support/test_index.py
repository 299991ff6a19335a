"""The stand-ins themselves: the index as installers see it, and the real Poetry in front of it."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.index import JSON_TYPE, Distribution, LocalIndex, Mount
from tests.support.poetry import PoetryRunner, locked, write_pyproject

JSON = {"Accept": f"{JSON_TYPE}, */*;q=0.1"}


def fill(index: LocalIndex) -> None:
    """A package with two versions, an extra and what it needs."""
    index.add("base-lib", "2.0", requires_python=">=3.8")
    index.add("Demo", "1.0", requires=["base-lib (>=1)"])
    linux = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"
    requires = ["base-lib (>=2)", 'extra-lib ; extra == "more"']
    index.add("Demo", "1.1", requires=requires, tags=["py3-none-any", linux])
    index.add("extra-lib", "0.1", yanked="broken")
    index.add("extra-lib", "0.0.9")


@pytest.fixture
def demo() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        fill(index)
        yield index


@pytest.fixture
def demo_pypi(demo: LocalIndex) -> Mount:
    return demo.mount("pypi", formats=("json",), api=True)


@pytest.fixture
def plain(demo_pypi: Mount, project: Path, tmp_path: Path) -> PoetryRunner:
    """Poetry whose PyPI is the small index."""
    return PoetryRunner(project=project, home=tmp_path / "home", pypi=demo_pypi.root)


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=10)


# Wheels


def test_wheels_are_the_same_in_every_run() -> None:
    first, second = (Distribution("demo", "1.0").wheels[0] for _ in range(2))
    assert first is not second
    assert first.content == second.content
    assert first.sha256 == "e416f746a5bea1dbf6808847c3f9022f33899bd579596cf6e05b9ba04e8fa415"


def test_a_wheel_holds_what_was_asked_for(demo: LocalIndex) -> None:
    path = "demo/python/build_info.py"
    distribution = demo.add("demo", "2.0", members={path: b"build_info = {}\n"})
    archive = zipfile.ZipFile(io.BytesIO(distribution.wheels[0].content))
    assert archive.read(path) == b"build_info = {}\n"
    assert archive.read("demo-2.0.dist-info/METADATA") == distribution.metadata


def test_extras_are_read_off_the_requirements(demo: LocalIndex) -> None:
    added = demo.add("x", "1", requires=['a ; extra == "one"', "b ; 'two' != extra", "c"])
    assert added.extras == ("one",)
    assert b"Provides-Extra: one\n" in added.metadata


# The simple index


def test_json_page(demo: LocalIndex) -> None:
    page = get(f"{demo.url}demo/", **JSON)
    assert page.headers["Content-Type"] == JSON_TYPE
    assert page.json()["versions"] == ["1.0", "1.1"]
    newest = page.json()["files"][-1]
    assert newest["filename"].startswith("demo-1.1-cp311-cp311-manylinux_2_17_x86_64")
    assert newest["size"] == len(get(newest["url"]).content)


def test_html_page(demo: LocalIndex) -> None:
    page = get(f"{demo.url}base_lib/")
    assert page.headers["Content-Type"] == "text/html"
    assert 'data-requires-python="&gt;=3.8"' in page.text
    assert "data-core-metadata" in page.text
    assert 'data-yanked="broken"' in get(f"{demo.url}extra-lib/").text


@pytest.mark.parametrize(
    ("formats", "accept", "expected"),
    [
        (("json", "html"), "text/html", "text/html"),
        (("json",), "text/html", JSON_TYPE),
        (("html",), JSON_TYPE, "text/html"),
    ],
)
def test_formats(demo: LocalIndex, formats: tuple[str, ...], accept: str, expected: str) -> None:
    mount = demo.mount("other", formats=formats)
    assert get(f"{mount.url}demo/", Accept=accept).headers["Content-Type"] == expected
    assert get(mount.url, Accept=accept).headers["Content-Type"] == expected


def test_root_page_lists_the_packages(demo: LocalIndex) -> None:
    names = [project["name"] for project in get(demo.url, **JSON).json()["projects"]]
    assert names == ["base-lib", "demo", "extra-lib"]
    assert '<a href="demo/">demo</a>' in get(demo.url).text


def test_hidden_packages_and_versions(demo: LocalIndex) -> None:
    mount = demo.mount("stale", hidden=("base-lib", "demo==1.1"), api=True)
    assert get(f"{mount.url}base-lib/").status_code == 404
    assert get(f"{mount.url}demo/", **JSON).json()["versions"] == ["1.0"]
    assert get(f"{mount.root}packages/demo-1.1-py3-none-any.whl").status_code == 404
    assert get(f"{mount.root}pypi/demo/1.1/json").status_code == 404
    assert get(f"{demo.url}base-lib/").status_code == 200


# Files


WHEEL = "packages/demo-1.1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("span", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-10", slice(-10, None)),
        ("bytes=-10000000", slice(None)),
        ("bytes=5-10000000", slice(5, None)),
    ],
)
def test_ranges(demo: LocalIndex, span: str, part: slice) -> None:
    whole = get(demo.default.root + WHEEL)
    answer = get(demo.default.root + WHEEL, Range=span)
    assert (whole.status_code, answer.status_code) == (200, 206)
    assert answer.content == whole.content[part]
    assert demo.requests[-1].range == span


def test_no_such_range(demo: LocalIndex) -> None:
    assert get(demo.default.root + WHEEL, Range="bytes=10000000-").status_code == 416


def test_no_ranges(demo: LocalIndex) -> None:
    mount = demo.mount("plain", range=False)
    answer = get(mount.root + WHEEL, Range="bytes=0-9")
    assert answer.status_code == 200
    assert "Accept-Ranges" not in answer.headers


def test_metadata_beside_wheels(demo: LocalIndex) -> None:
    mount = demo.mount("plain", metadata=False)
    assert b"Name: Demo" in get(f"{demo.default.root}{WHEEL}.metadata").content
    assert get(f"{mount.root}{WHEEL}.metadata").status_code == 404
    assert "core-metadata" in get(f"{demo.url}demo/", **JSON).text
    assert "metadata" not in get(f"{mount.url}demo/").text


# The JSON API, faults, the log


def test_api_only_where_it_is_switched_on(demo: LocalIndex) -> None:
    mount = demo.mount("pypi", api=True)
    assert get(f"{demo.default.root}pypi/demo/1.0/json").status_code == 404
    record = get(f"{mount.root}pypi/demo/1.1.0/json").json()
    assert record["info"]["requires_dist"] == ["base-lib (>=2)", 'extra-lib ; extra == "more"']
    assert [url["filename"] for url in record["urls"]] == [
        wheel["filename"] for wheel in get(f"{mount.url}demo/", **JSON).json()["files"][1:]
    ]
    assert get(f"{mount.root}pypi/demo/json").json()["info"]["version"] == "1.1"


def test_faults_hold_for_one_mount_and_from_now_on(demo: LocalIndex) -> None:
    mount = demo.mount("mirror", api=True)
    mount.page_status, mount.file_status = 503, 403
    assert get(f"{mount.url}demo/").status_code == 503
    assert get(f"{mount.root}pypi/demo/1.0/json").status_code == 503
    assert get(mount.root + WHEEL).status_code == 403
    assert get(f"{demo.url}demo/").status_code == 200
    mount.page_status = None
    assert get(f"{mount.url}demo/").status_code == 200


def test_delay(demo: LocalIndex) -> None:
    assert get(f"{demo.mount('slow', delay=0.2).url}demo/").elapsed.total_seconds() >= 0.2


def test_log(demo: LocalIndex) -> None:
    mirror = demo.mount("mirror")
    get(f"{mirror.url}demo/")
    get(f"{mirror.root}{WHEEL}.metadata")
    requests.head(demo.default.root + WHEEL, timeout=10)
    assert [(r.mount, r.method, r.kind, r.package, r.status) for r in demo.requests] == [
        ("mirror", "GET", "page", "demo", 200),
        ("mirror", "GET", "metadata", "demo", 200),
        ("index", "HEAD", "file", "demo", 200),
    ]
    assert mirror.requests == demo.requests[:2]
    demo.reset()
    assert demo.requests == []
    assert get(f"{mirror.url}demo/").status_code == 404


# Installers in front of it


@pytest.mark.slow
def test_pip_installs_from_it(demo: LocalIndex, tmp_path: Path) -> None:
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    options = ["--no-cache-dir", "--quiet", "--target", str(target), "--index-url", demo.url]
    subprocess.run([*pip, *options, "demo[more]"], check=True, timeout=60)
    assert {path.name for path in target.iterdir()} >= {"demo", "base_lib", "extra_lib"}
    assert (target / "demo" / "__init__.py").read_text("utf-8") == '__version__ = "1.1"\n'


SOURCE = '\n[[tool.poetry.source]]\nname = "local"\nurl = "{}"\npriority = "primary"\n'


@pytest.mark.parametrize("formats", [("json", "html"), ("html",)])
def test_poetry_locks_and_installs_from_a_source(
    demo: LocalIndex, plain: PoetryRunner, formats: tuple[str, ...]
) -> None:
    mount = demo.mount("mirror", formats=formats, absolute=False)
    write_pyproject(plain.project, ["demo"], more=SOURCE.format(mount.url))
    assert plain.call("lock", plugins=False).ok
    assert locked(plain.project) == {"base-lib": "2.0", "demo": "1.1"}
    assert plain.call("install", plugins=False).ok
    version = "import demo; print(demo.__version__)"
    done = subprocess.run([plain.python, "-c", version], capture_output=True, text=True, check=True)
    assert done.stdout == "1.1\n"
    assert {request.mount for request in demo.requests} == {"mirror"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["run", "call"])
@pytest.mark.sample
def test_poetry_takes_the_mount_for_pypi(
    plain: PoetryRunner, demo: LocalIndex, demo_pypi: Mount, way: str
) -> None:
    poetry = getattr(plain, way)
    write_pyproject(plain.project, ["demo[more]"])
    assert "Writing lock file" in poetry("lock", plugins=False).stdout
    assert locked(plain.project) == {"base-lib": "2.0", "demo": "1.1", "extra-lib": "0.0.9"}
    assert "local" not in (plain.project / "poetry.lock").read_text("utf-8")
    assert poetry("install", plugins=False).ok
    assert any(request.kind == "file" for request in demo_pypi.requests)
    assert {request.mount for request in demo.requests} == {"pypi"}


@pytest.mark.sample
@pytest.mark.parametrize("way", ["run", "call"])
def test_poetry_fails_where_pypi_is_like_a_mirror(
    plain: PoetryRunner, demo_pypi: Mount, way: str
) -> None:
    demo_pypi.api = False
    write_pyproject(plain.project, ["demo"])
    failed = getattr(plain, way)("lock", plugins=False)
    assert failed.returncode == 1
    assert "Package demo (1.1) not found." in failed.output
    assert not (plain.project / "poetry.lock").exists()


@pytest.mark.slow
def test_both_ways_say_the_same(plain: PoetryRunner) -> None:
    for arguments in (["env", "info"], ["nonsense"]):
        write_pyproject(plain.project, ["demo"])
        assert plain.run(*arguments, plugins=False) == plain.call(*arguments, plugins=False)


def test_poetry_makes_the_projects_own_environment(plain: PoetryRunner) -> None:
    plain.in_project = True
    write_pyproject(plain.project, ["demo"])
    assert plain.call("install", plugins=False).ok
    assert (plain.project / ".venv").is_dir()
    subprocess.run([plain.python, "-c", "import demo"], check=True)


@pytest.mark.parametrize("version", ["3.9.19", "3.13.1"])
@pytest.mark.sample
def test_the_environment_tells_the_version_it_is_given(plain: PoetryRunner, version: str) -> None:
    plain.python_version = version
    minor = version.rpartition(".")[0]
    write_pyproject(plain.project, ["demo"], requires_python=f"~={minor}.0")
    assert plain.call("install", plugins=False).ok
    code = "import demo, platform; print(platform.python_version())"
    done = subprocess.run([plain.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{version}\n"
    assert plain.call("env", "info", plugins=False).stdout.split()[2] == version
    assert "demo" in plain.call("show", plugins=False).stdout


def test_a_command_that_would_replace_the_process_is_refused(plain: PoetryRunner) -> None:
    write_pyproject(plain.project)
    with pytest.raises(pytest.fail.Exception, match="replaces the process"):
        plain.call("run", "python", plugins=False)


def test_settings_of_the_machine_stay_out(
    plain: PoetryRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POETRY_REQUESTS_MAX_RETRIES", "7")
    write_pyproject(plain.project)
    assert plain.call("config", "requests.max-retries", plugins=False).stdout == "0\n"
    own = {"POETRY_REQUESTS_MAX_RETRIES": "3"}
    asked = plain.call("config", "requests.max-retries", plugins=False, environ=own)
    assert asked.stdout == "3\n"


def test_answers_to_questions(plain: PoetryRunner) -> None:
    asks = ["init", "--author", "Jane <jane@example.org>"]
    assert plain.call(*asks, plugins=False, stdin="asked\n" + "\n" * 20).ok
    assert 'name = "asked"' in (plain.project / "pyproject.toml").read_text("utf-8")


def test_a_question_without_an_answer_fails_the_test(plain: PoetryRunner) -> None:
    with pytest.raises(pytest.fail.Exception, match="asks more"):
        plain.call("init", plugins=False, stdin="\n")
