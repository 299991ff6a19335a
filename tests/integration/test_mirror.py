"""`poetry tf mirror`: which way to PyPI is set, where, and how it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from poetry_tf.index import mirrors
from poetry_tf.index.mirrors import MIRRORS, Mirror
from poetry_tf.releases import load
from tests.support.index import LocalIndex, Mount
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.projects import contents

SECRET = "https://jane:s3cr3t@pypi.example.com/simple/"


def _mirror(poetry: PoetryRunner, *arguments: str) -> Result:
    done = poetry.call("tf", "mirror", *arguments)
    assert "Traceback" not in done.output and "s3cr3t" not in done.output
    return done


def _set(file: Path, value: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"# ours\n[tf]\nmirror = {value}\n", "utf-8")


# Showing


def test_what_is_in_force_is_shown_with_its_place_and_what_is_not(
    poetry: PoetryRunner, project: Path, index: LocalIndex
) -> None:
    write_pyproject(project)
    assert _mirror(poetry).stdout == "No mirror is set: packages come from PyPI\n"
    _set(poetry.config_file, '"bfsu"')
    _set(project / "poetry.toml", '["tuna", "https://pypi.example.com/simple"]')
    shown = _mirror(poetry).stdout.splitlines()
    assert shown == [
        "tuna, https://pypi.example.com/simple, set in poetry.toml:3",
        f"  TUNA (Tsinghua): {MIRRORS['tuna'].url}",
        "  pypi.example.com: https://pypi.example.com/simple",
        "not in force: bfsu, set in ~/config/config.toml:3",
    ]
    poetry.mirror = f"aliyun, {SECRET}"
    shown = _mirror(poetry).stdout.splitlines()
    assert shown[0].endswith("set in the variable POETRY_TF_MIRROR")
    assert len(shown) == 5
    poetry.mirror = "off"
    assert _mirror(poetry).stdout.splitlines()[1] == "  PyPI itself"
    assert index.requests == []


def test_it_needs_no_project(poetry: PoetryRunner) -> None:
    _set(poetry.config_file, '"tuna"')
    assert _mirror(poetry).stdout.startswith("tuna, set in ~/config/config.toml:3\n")


def test_a_setting_that_means_nothing_is_reported_with_its_place(
    poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project)
    _set(project / "poetry.toml", '["nowhere"]')
    done = _mirror(poetry)
    assert done.returncode == 1
    assert "'nowhere' is not a mirror" in done.stderr and "(in poetry.toml:3)" in done.stderr


def test_what_has_no_effect_on_this_machine_is_told(
    poetry: PoetryRunner, project: Path, right: PoetryRunner
) -> None:
    """In the user's own file and in variables: `check` doesn't count what is not the project's."""
    poetry.config_file.parent.mkdir(parents=True, exist_ok=True)
    poetry.config_file.write_text("[tf]\nlocal-host = ['pypi.lan']\nlocal-hosts = 3\n", "utf-8")
    poetry.environ |= {"POETRY_TF_MIROR": "tuna"}
    for command in ("mirror", "check"):
        done = poetry.call("tf", command)
        assert done.ok, done.output
        assert [line.partition("? ")[0] for line in done.stderr.splitlines()] == [
            'Warning: unknown variable POETRY_TF_MIROR. Did you mean "POETRY_TF_MIRROR"',
            "Warning: ~/config/config.toml:2: unknown setting local-host. "
            'Did you mean "local-hosts"',
            "Warning: ~/config/config.toml:3: local-hosts is 3. "
            'Write a list of hosts, such as ["pypi.lan:8080"]',
        ]


def test_what_auto_has_chosen_is_shown_and_forgotten_by_use(
    poetry: PoetryRunner, project: Path, mirror: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "AUTO_MIRROR", Mirror("TUNA (Tsinghua)", mirror.url))
    write_pyproject(project, ["six"])
    assert _mirror(poetry, "use", "auto").ok
    assert "not chosen yet" in _mirror(poetry).stdout
    assert mirror.requests == []
    assert poetry.call("lock").ok
    shown = _mirror(poetry).stdout
    assert "  PyPI via TUNA (Tsinghua)\n  chosen 20" in shown
    assert _mirror(poetry, "use", "auto").ok
    assert "not chosen yet" in _mirror(poetry).stdout


def test_a_source_in_place_of_pypi_is_reported(poetry: PoetryRunner, project: Path) -> None:
    source = '[[tool.poetry.source]]\nname = "own"\nurl = "https://nexus.example.com/simple"\n'
    write_pyproject(project, more=source)
    _set(project / "poetry.toml", '"tuna"')
    assert "replaces PyPI by its own sources" in _mirror(poetry).stderr


def test_every_mirror_that_has_a_name_is_listed_with_whose_faults_it_shares(
    poetry: PoetryRunner,
) -> None:
    lines = _mirror(poetry, "list").stdout.splitlines()
    assert lines[0].split() == ["name", "address", "fails", "with", "run", "by"]
    for line, (name, mirror) in zip(lines[1:], MIRRORS.items(), strict=True):
        assert line.startswith(name) and mirror.url in line and mirror.run_by in line
        shares = re.search(rf"{re.escape(mirror.url)} +tuna +", line) is not None
        assert shares is (name in {"bfsu", "ustc"})


# Setting


def test_it_is_set_for_the_user(poetry: PoetryRunner) -> None:
    done = _mirror(poetry, "use", "tuna", "aliyun")
    assert done.stdout == "tf.mirror is tuna, aliyun in ~/config/config.toml\n"
    assert poetry.config_file.read_text("utf-8") == '[tf]\nmirror = ["tuna", "aliyun"]\n'
    assert poetry.config_file.stat().st_mode & 0o077 == 0
    assert _mirror(poetry, "use", "tuna,bfsu").ok
    assert poetry.config_file.read_text("utf-8") == '[tf]\nmirror = ["tuna", "bfsu"]\n'
    assert _mirror(poetry, "off").ok
    assert poetry.config_file.read_text("utf-8") == '[tf]\nmirror = "off"\n'
    assert [path.name for path in poetry.config_file.parent.iterdir()] == ["config.toml"]


def test_what_else_is_in_the_file_stays(poetry: PoetryRunner, project: Path) -> None:
    write_pyproject(project)
    before = "# ours\r\n[virtualenvs]\r\nin-project = true # here\r\n"
    (project / "poetry.toml").write_bytes(before.encode())
    assert _mirror(poetry, "use", "--local", "tuna").ok
    after = (project / "poetry.toml").read_bytes().decode()
    assert after == f'{before}\r\n[tf]\r\nmirror = "tuna"\r\n'
    assert not poetry.config_file.exists()
    assert _mirror(poetry, "off", "--local").ok
    assert (project / "poetry.toml").read_bytes().decode() == after.replace("tuna", "off")


def test_a_link_to_the_users_settings_stays_one(poetry: PoetryRunner, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "poetry.toml"
    real.parent.mkdir()
    real.write_text("[virtualenvs]\ncreate = true\n", "utf-8")
    poetry.config_file.parent.mkdir(parents=True)
    poetry.config_file.symlink_to(real)
    assert _mirror(poetry, "use", "tuna").ok
    assert poetry.config_file.is_symlink()
    assert 'mirror = "tuna"' in real.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "'nowhere' is not a mirror"),
        (["tunna"], '\nDid you mean "tuna"? Write auto, '),
        (["ustc", "tsinghau"], '\nDid you mean "tsinghua"? '),
        (["tuna", "auto"], "'auto' can't be in a list"),
        (["http://pypi.tuna.tsinghua.edu.cn/simple/"], MIRRORS["tuna"].url),
        (["https://pypi.douban.com/simple/"], "retired"),
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_what_should_not_be_set_is_refused(
    poetry: PoetryRunner, project: Path, words: list[str], says: str, local: bool
) -> None:
    write_pyproject(project)
    before = contents(project)
    done = _mirror(poetry, "use", *(["--local"] if local else []), *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert contents(project) == before
    assert not poetry.config_file.exists()


@pytest.mark.parametrize("words", [[SECRET], ["tuna", SECRET]])
def test_a_password_is_not_written_into_the_project(
    poetry: PoetryRunner, project: Path, words: list[str]
) -> None:
    write_pyproject(project, ["tensorflow ~=2.18.0"], requires_python=">=3.12,<3.13")
    before = contents(project)
    done = _mirror(poetry, "use", "--local", *words)
    assert done.returncode == 1 and "poetry tf mirror use" in done.stderr
    done = poetry.call("tf", "init", "-n", "--no-lock", "--mirror", ",".join(words))
    assert done.returncode == 1 and "s3cr3t" not in done.output
    assert contents(project) == before


def test_files_that_cannot_be_written_or_read_are_errors(
    poetry: PoetryRunner, project: Path
) -> None:
    assert "No pyproject.toml" in _mirror(poetry, "use", "--local", "tuna").stderr
    write_pyproject(project)
    (project / "poetry.toml").write_text("tf = 3\n", "utf-8")
    done = _mirror(poetry, "use", "--local", "tuna")
    assert done.returncode == 1 and "poetry.toml:1:" in done.stderr
    poetry.config_file.parent.mkdir(parents=True)
    (project / "poetry.toml").write_text("", "utf-8")
    poetry.config_file.mkdir()
    assert _mirror(poetry, "use", "tuna").returncode == 1


def test_what_goes_before_it_is_reported(poetry: PoetryRunner, project: Path) -> None:
    write_pyproject(project)
    _set(project / "poetry.toml", '"bfsu"')
    done = _mirror(poetry, "use", "tuna")
    assert done.ok
    assert done.stderr == (
        "Not in force here: poetry.toml:3 says bfsu. "
        "To change it for this project: poetry tf mirror use tuna --local\n"
    )
    assert _mirror(poetry, *done.stderr.split("mirror ")[1].split()).stderr == ""
    assert "poetry tf mirror use ustc bfsu --local" in _mirror(poetry, "use", "ustc", "bfsu").stderr
    assert "poetry tf mirror off --local" in _mirror(poetry, "off").stderr
    poetry.environ["POETRY_TF_MIRROR"] = "bfsu"
    said = "the variable POETRY_TF_MIRROR says bfsu. To use the new value, unset POETRY_TF_MIRROR"
    assert said in _mirror(poetry, "use", "--local", "tuna").stderr


def test_what_is_set_is_used(poetry: PoetryRunner, project: Path, mirror: Mount) -> None:
    write_pyproject(project, ["six"])
    assert _mirror(poetry, "use", mirror.url).ok
    done = poetry.call("lock")
    assert done.stderr == "poetry-tf: PyPI via 127.0.0.1\n"
    assert mirror.requests


# Testing


def test_what_answers_is_reported_with_how_fast_and_how_fresh(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount, pypi: Mount
) -> None:
    newest = str(load().releases[-1].version)
    plain = index.mount("plain", formats=("html",), range=False)
    forbidden = index.mount("forbidden", file_status=403)
    done = _mirror(poetry, "test", mirror.url, plain.url, forbidden.url, "pypi")
    assert done.ok, done.output
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["mirror", "page", "TensorFlow", "last", "file", "large", "files"]
    targets = [re.split(r"  +", row.strip(" ")) for row in rows]
    assert [row[-1] for row in targets] == ["in parts", "whole only", "answers 403", "in parts"]
    assert [re.fullmatch(r"\d+\.\d\d s", row[1]) is not None for row in targets[:3]] == [True] * 3
    assert [row[2] for row in targets[:3]] == [newest] * 3
    assert targets[0][3].startswith("20") and targets[1][3] == "-"
    assert all(request.range for request in index.requests if request.kind == "file")


def test_a_mirror_that_is_behind_is_reported(
    poetry: PoetryRunner, index: LocalIndex, mirror: Mount
) -> None:
    versions = index.versions("tensorflow")
    stale = index.mount("stale", hidden=tuple(f"tensorflow=={v}" for v in versions[-6:]))
    done = _mirror(poetry, "test", mirror.url, stale.url)
    first, second = done.stdout.splitlines()[1:]
    assert "not the newest" not in first and "not the newest" in second


@pytest.mark.parametrize(("status", "code"), [(None, 0), (503, 1)])
def test_the_status_says_whether_what_is_set_answers(
    poetry: PoetryRunner, mirror: Mount, status: int | None, code: int
) -> None:
    mirror.page_status = status
    poetry.mirror = mirror.url
    done = _mirror(poetry, "test")
    assert done.returncode == code
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("*")]
    assert ("answered 503" in row) is bool(status)
    assert "be reached" in done.stdout, "all the others are on the open network"
    assert "pypi" in done.stdout


def test_one_that_is_named_and_fails_counts(poetry: PoetryRunner, mirror: Mount) -> None:
    mirror.hidden = ("tensorflow",)
    assert _mirror(poetry, "test", mirror.url).returncode == 1
    assert _mirror(poetry, "test", "pypi").ok
    assert "'nowhere' is not a mirror" in _mirror(poetry, "test", "nowhere").stderr
    assert _mirror(poetry, "test", "auto").returncode == 1


# Verifying


@pytest.fixture
def locked(warm_poetry: PoetryRunner, project: Path, mirror: Mount) -> PoetryRunner:
    write_pyproject(project, ["six", "wrapt"])
    warm_poetry.mirror = mirror.url
    assert warm_poetry.call("lock").ok
    return warm_poetry


def test_a_lock_is_compared_with_pypi_whatever_mirror_is_set(
    locked: PoetryRunner, mirror: Mount, pypi: Mount
) -> None:
    mirror.requests.clear()
    done = _mirror(locked, "verify")
    assert done == Result(
        0, "poetry.lock: every hash is the same on PyPI (2 files of 2 packages)\n", ""
    )
    assert mirror.requests == []
    assert {request.package for request in pypi.requests} == {"six", "wrapt"}


def test_a_hash_that_is_not_pypis_is_named(locked: PoetryRunner, project: Path) -> None:
    lock = project / "poetry.lock"
    text = lock.read_text("utf-8")
    ((file, digest), _) = re.findall(r'file = "([^"]+)", hash = "(sha256:[^"]+)"', text)
    other = f"sha256:{'0' * 64}"
    lock.write_text(text.replace(digest, other), "utf-8")
    done = _mirror(locked, "verify")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert re.fullmatch(rf"six [\d.]+: {re.escape(file)} is another file on PyPI", lines[0])
    assert lines[1:3] == [f"    locked  {other}", f"    on PyPI {digest}"]
    assert lines[3].startswith("Error: locked files that differ from PyPI's: 1")


def test_a_file_that_pypi_does_not_have_is_named(locked: PoetryRunner, pypi: Mount) -> None:
    pypi.hidden = ("wrapt",)
    done = _mirror(locked, "verify")
    assert done.returncode == 1
    assert re.search(r"^wrapt [\d.]+: PyPI has no wrapt-\S+\.whl$", done.stderr, re.MULTILINE)


def test_packages_from_elsewhere_are_left_out_and_counted(
    locked: PoetryRunner, project: Path
) -> None:
    lock = project / "poetry.lock"
    source = '[package.source]\ntype = "legacy"\nurl = "https://own"\nreference = "own"\n'
    head, package, rest = lock.read_text("utf-8").rpartition("\n[metadata]\n")
    lock.write_text(f"{head}\n{source}{package}{rest}", "utf-8")
    done = _mirror(locked, "verify")
    assert done.stdout == "poetry.lock: every hash is the same on PyPI (1 files of 1 packages)\n"
    assert done.stderr == "Packages not compared, because they are not from PyPI: 1\n"


def test_what_could_not_be_compared_is_not_fine(locked: PoetryRunner, pypi: Mount) -> None:
    pypi.page_status = 403
    done = _mirror(locked, "verify")
    assert done.returncode == 1
    assert done.stderr.count("Not compared: ") == 2
    assert "not compared: 2" in done.stderr


def test_without_a_lock_there_is_nothing_to_compare(poetry: PoetryRunner, project: Path) -> None:
    assert "No pyproject.toml" in _mirror(poetry, "verify").stderr
    write_pyproject(project)
    done = _mirror(poetry, "verify")
    assert done.returncode == 1 and "There is no poetry.lock" in done.stderr
    (project / "poetry.lock").write_text("<<<<<<< HEAD\n", "utf-8")
    assert "poetry.lock:1" in _mirror(poetry, "verify").stderr


@pytest.mark.usefixtures("short_pauses")
def test_where_pypi_cannot_be_reached_that_is_reported(locked: PoetryRunner) -> None:
    locked.pypi = "http://127.0.0.1:9/"
    done = _mirror(locked, "verify")
    assert done.returncode == 1
    error, remedy = done.stderr.splitlines()
    assert error.startswith("Error: PyPI could not be reached, and nothing was compared: no answer")
    assert "`poetry tf mirror verify` again" in remedy


def test_a_comparison_that_takes_time_says_how_far_it_is(
    locked: PoetryRunner, pypi: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poetry_tf.commands.mirror._TELL_SECONDS", 0.02)
    pypi.delay = 0.3
    done = _mirror(locked, "verify")
    assert done.ok, done.output
    assert re.search(r"^[01] of 2 packages compared …$", done.stderr, re.MULTILINE)
