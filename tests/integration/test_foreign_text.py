"""Text of others on the console and in commands: no terminal, CI service or shell obeys it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.integration.conftest import SetUp
from tests.support.poetry import PoetryRunner, Result, write_pyproject
from tests.support.projects import read_jsonc
from tests.support.servers import Answer, Server

EVIL = (
    "a\x1b]0;title\x07\n  ::error file=x::forged\r\x9b31m\u202eb\u2028\u200b##[error]forged"
    " </><error>\\<href=http://127.0.0.1>c"
)
"""What a terminal obeys (ESC, BEL, C1, CR), what reorders and hides, and CI services' commands."""
JSON_EVIL = f"{EVIL}\ud800"
"""JSON has halves of surrogate pairs as well."""
CONTAINER = ".devcontainer/devcontainer.json"
# The commands of CI services that `check --format github` itself prints.
ANNOTATION = re.compile(r"::(error|warning) (file=[^:]*,title=TF\d{3}|title=poetry-tf)::")
# Visible ones: Arabic number signs.
HARMLESS = {"\n", "\t"}

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("tf", "check"),
    ("--ansi", "tf", "check"),
    ("tf", "check", "--diff"),
    ("--ansi", "tf", "check", "--diff"),
    ("tf", "check", "--format", "json"),
    ("tf", "check", "--format", "github"),
    ("tf", "devcontainer", "--diff"),
    ("tf", "devcontainer", "--check"),
    ("tf", "devcontainer", "--explain"),
    ("tf", "doctor", "--brief"),
    ("tf", "mirror"),
    ("tf", "mirror", "verify"),
    ("tf", "upgrade", "--dry-run", "-n"),
    ("tf", "upgrade", "--dry-run", "-n", "--json"),
    ("tf", "init", "-n", "--no-lock", "--dry-run"),
    ("--ansi", "tf", "init", "-n", "--no-lock", "--dry-run"),
    ("tf", "check", "--fix"),
)
# What shows most of a project, and what CI services read.
ALWAYS = (("--ansi", "tf", "check", "--diff"), ("tf", "check", "--format", "github"))


def assert_harmless(result: Result, command: tuple[str, ...] = ()) -> None:
    """Nothing in the output acts on a terminal or on a CI service, but for colours of `--ansi`."""
    text = result.output
    if "--ansi" in command:
        text = re.sub(r"\x1b\[[\d;]*m", "", text)
    hidden = {
        char
        for char in text
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in HARMLESS
    }
    assert not hidden, (command, hidden, text)
    assert "##[" not in text, (command, text)
    for line in text.split("\n"):
        assert not re.match(r"\s*::", line) or ANNOTATION.match(line), (command, line)
    assert "Traceback" not in text, (command, text)


def _toml(text: str) -> str:
    return json.dumps(text).replace("\\ud800", "").replace("\x7f", "\\u007F")


def _edit(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_bytes().decode()
    assert old in text
    (project / name).write_bytes(text.replace(old, new, 1).encode())


def _pyproject(old: str, new: str) -> Callable[[Path], None]:
    return lambda project: _edit(project, "pyproject.toml", old, new)


def _appended(text: str) -> Callable[[Path], None]:
    def append(project: Path) -> None:
        path = project / "pyproject.toml"
        path.write_text(f"{path.read_text('utf-8')}\n{text}\n", "utf-8")

    return append


def _container(**members: object) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / CONTAINER
        path.write_text(json.dumps({**read_jsonc(path), **members}), "utf-8")

    return change


def _file(name: str, content: str) -> Callable[[Path], None]:
    def write(project: Path) -> None:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes(content.encode("utf-8", "surrogatepass"))

    return write


T = _toml(EVIL)
WAYS: Mapping[str, Callable[[Path], None]] = {
    "project name": _pyproject('name = "', f'name = {T}#"'),
    "python range": _pyproject('requires-python = "', f'requires-python = {T}#"'),
    "requirement": _pyproject("dependencies = [", f"dependencies = [{T},"),
    "requirement of tensorflow": _pyproject(
        "dependencies = [", f"dependencies = [{_toml('tensorflow-cpu ; ' + EVIL)},"
    ),
    "url": _pyproject(
        "dependencies = [", f"dependencies = [{_toml('x @ https://127.0.0.1/' + EVIL)},"
    ),
    "distribution": _appended(f'[tool.poetry.dependencies]\n{T} = "*"'),
    "constraint": _appended(f"[tool.poetry.dependencies]\ntensorflow-cpu = {T}"),
    "marker": _appended(
        f'[tool.poetry.dependencies]\ntensorflow-cpu = {{version = "*", markers = {T}}}'
    ),
    "path": _appended(f"[tool.poetry.dependencies]\nx = {{path = {T}}}"),
    "group": _appended(f'[tool.poetry.group.{T}.dependencies]\ntensorflow-cpu = "*"'),
    "extra": _appended(f'[project.optional-dependencies]\n{T} = ["tensorflow-cpu"]'),
    "legacy extra": _appended(f'[tool.poetry.extras]\n{T} = ["tensorflow"]'),
    "source": _appended(f'[[tool.poetry.source]]\nname = {T}\nurl = "https://127.0.0.1/simple"'),
    "source url": _appended(f'[[tool.poetry.source]]\nname = "x"\nurl = {T}'),
    "setting's name": _pyproject("[tool.poetry-tf]", f"[tool.poetry-tf]\n{T} = 1"),
    "setting's value": _pyproject("[tool.poetry-tf]", f"[tool.poetry-tf]\nkeras = {T}"),
    "ignored name": _pyproject(
        "[tool.poetry-tf]",
        f'[tool.poetry-tf]\nignore = [{{code = "TF503", name = {T}, reason = {T}}}]',
    ),
    "no TOML": _appended("x = \x1b[31m \u202e ::error::forged"),
    "no TOML key": _appended(f"[tool.x.{T}\n::error::forged"),
    "comment in TOML": _file("poetry.toml", f"# {EVIL!r}\n[tf]\nmirror = {T}\n"),
    "mirror": _file("poetry.toml", f"[tf]\nmirror = {T}\n"),
    "mirror's address": _file(
        "poetry.toml", f"[tf]\nmirror = {_toml('https://127.0.0.1/' + EVIL)}\n"
    ),
    "mirrors": _file("poetry.toml", f"[tf]\nmirror = [{T}, {T}]\n"),
    "container's name": _container(name=JSON_EVIL),
    "image": _container(image=JSON_EVIL),
    "python image": _container(image=f"mcr.microsoft.com/devcontainers/python:{JSON_EVIL}"),
    "feature": _container(features={JSON_EVIL: {}}),
    "feature's option": _container(
        features={
            "ghcr.io/devcontainers/features/nvidia-cuda:2": {
                JSON_EVIL: JSON_EVIL,
                "cudaVersion": JSON_EVIL,
            }
        }
    ),
    "poetry's version": _container(
        onCreateCommand=["pipx", "install", f"poetry=={JSON_EVIL}"],
    ),
    "hook": _container(postCreateCommand=JSON_EVIL, postStartCommand={JSON_EVIL: JSON_EVIL}),
    "arguments": _container(runArgs=[f"--gpus={JSON_EVIL}", "--runtime=nvidia", JSON_EVIL]),
    "variables": _container(
        containerEnv={JSON_EVIL: JSON_EVIL, "NVIDIA_DRIVER_CAPABILITIES": JSON_EVIL}
    ),
    "key": _container(**{JSON_EVIL: JSON_EVIL}),
    "no JSON": _file(CONTAINER, '{"a": \x1b[31m\u202e\n::error::forged'),
    "container's folder": _file(
        ".devcontainer/a\x1b]0;b\x07\n::error::forged \u202e##[error]'$(x)/devcontainer.json",
        '{"features": {"ghcr.io/devcontainers/features/nvidia-cuda:1": {}}, "image": "x"}',
    ),
    "locked name": lambda project: _edit(
        project, "poetry.lock", "[[package]]\nname = ", f"[[package]]\nname = {T} #"
    ),
    "locked version": lambda project: _edit(
        project, "poetry.lock", "\nversion = ", f"\nversion = {T} #"
    ),
    "locked file": lambda project: _edit(
        project, "poetry.lock", "{file = ", f'{{file = {T}, hash = "sha256:00"}}, {{file = '
    ),
    "lock's Poetry": _file(
        "poetry.lock",
        f"# This file is automatically @generated by Poetry {EVIL!r}\n::error::forged\n",
    ),
}


@pytest.mark.parametrize(
    ("number", "way"),
    # Poetry waits for a source that does not answer.
    [
        pytest.param(number, way, marks=[pytest.mark.slow] if way == "source" else [], id=way)
        for number, way in enumerate(WAYS)
    ],
)
@pytest.mark.sample(every=40)
def test_text_of_a_project_is_shown_and_not_obeyed(
    right: PoetryRunner, project: Path, number: int, way: str
) -> None:
    """A third of the commands for each, so that each command gets every third of the texts."""
    WAYS[way](project)
    for command in (*ALWAYS, *COMMANDS[number % 3 :: 3]):
        assert_harmless(right.call(*command), command)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_text_of_a_project_is_not_obeyed_after_any_command(
    right: PoetryRunner, project: Path, way: str
) -> None:
    WAYS[way](project)
    for command in COMMANDS:
        assert_harmless(right.call(*command), command)


LISTS: Mapping[str, str] = {
    "requirements.txt": "\n".join(
        [
            "tensorflow==2.18.1",
            "-e ./a\x1b[31m;touch\u202epwned",
            "./a\x1b]0;b\x07.whl",
            "https://127.0.0.1/\x9b31m\u2028##[error]x.whl",
            "x @ https://127.0.0.1/\x9b31m\u202e",
            "--find-links \x1b[31m\u202e",
            "--hash\x1b=\u202e",
        ]
    ),
    "broken.txt": "tensorflow==2.18.1\n\u2028::error::forged\x1b \u202e <error>",
    "missing.txt": "-r \x1b[31m\u202e##[error]x.txt",
    "a\x1b[31m\n::error::forged $(touch pwned)'.txt": "tensorflow==2.4.0\npython==3.9",
    "environment.yml": "name: x\ndependencies:\n"
    '  - tensorflow=2.18\n  - "a\\e[31m\\u202e\\n::error::forged"\n'
    '  - pip:\n    - "b\\e[31m\\u202e##[error]"\n',
    "broken.yml": 'dependencies:\n  - "tensorflow\\e[31m=\\u202e=2"\n  - {"a\\e": "b\\u202e"}\n',
    "export.txt": "# packages in environment\n"
    "@EXPLICIT\nhttps://127.0.0.1/linux-64/\x1b[31m\u202e##[error]-1-0.conda\n",
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("ansi", [(), ("--ansi",)])
def test_text_of_a_list_is_shown_and_not_obeyed(
    warm_poetry: PoetryRunner, project: Path, name: str, ansi: tuple[str, ...]
) -> None:
    (project / name).write_text(LISTS[name], "utf-8")
    for more in ((), ("-v",), ("--tensorflow", "2.18")):
        options = ("-n", "--no-lock", "--dry-run", "--from", name, *more)
        assert_harmless(warm_poetry.call(*ansi, "tf", "init", *options), ansi)


@pytest.mark.sample(every=4)
@pytest.mark.parametrize(
    "command",
    [
        ("tf", "check", "--format", EVIL),
        ("tf", "check", "--select", EVIL),
        ("tf", "check", "--explain", EVIL),
        ("tf", "devcontainer", "--config", EVIL),
        ("tf", "devcontainer", "--engine", EVIL),
        ("tf", "devcontainer", "--registry", EVIL),
        ("tf", "mirror", "use", EVIL),
        ("tf", "mirror", "test", EVIL),
        ("tf", "mirror", "test", f"http://127.0.0.1:9/{EVIL}/simple"),
        ("tf", "releases", EVIL),
        ("tf", "releases", "--distribution", EVIL),
        ("tf", "upgrade", EVIL),
        ("tf", "upgrade", "--mirror", EVIL),
        ("tf", "init", "-n", "--from", EVIL),
        ("tf", "init", "-n", "--gpu", EVIL),
        ("tf", "init", "-n", "--python", EVIL),
        ("tf", "init", "-n", "--environments", EVIL),
        ("tf", "init", "-n", "--mirror", EVIL),
        ("tf", "doctor", "--record", f"{EVIL}/x/y"),
    ],
    ids=lambda command: " ".join(command[1:-1]),
)
def test_arguments_are_shown_and_not_obeyed(right: PoetryRunner, command: tuple[str, ...]) -> None:
    result = right.call(*command)
    assert not result.ok
    assert_harmless(result)


@pytest.mark.parametrize("value", [EVIL, f"https://127.0.0.1:9/{EVIL}", f"tuna,{EVIL}"])
def test_text_of_variables_is_shown_and_not_obeyed(right: PoetryRunner, value: str) -> None:
    value = value.replace("\ud800", "")
    for command in (("tf", "mirror"), ("tf", "mirror", "test"), ("tf", "check"), ("lock",)):
        assert_harmless(right.call(*command, environ={"POETRY_TF_MIRROR": value}), command)


@pytest.mark.usefixtures("engine")
def test_wrong_answers_are_shown_and_not_obeyed(warm_poetry: PoetryRunner) -> None:
    evil = EVIL.replace("\n", "").replace("\r", "")
    wrong = f"{evil}\n" * 3
    for right_ones in ("", "\n", "\n\n", "\n\n\n"):
        done = warm_poetry.call("tf", "init", "--no-lock", "--dry-run", stdin=right_ones + wrong)
        assert done.returncode == 1
        assert "The questions were not answered" in done.stderr
        assert "<error>" in done.stderr, "it is shown as it was given"
        assert r"\<" not in done.stderr.replace(r"\<href", "")
        assert_harmless(done)


@pytest.mark.slow
def test_a_server_is_quoted_and_not_obeyed(right: PoetryRunner, project: Path) -> None:
    for kind in ("text/\x1b[31m\x9b31m<error>##[error]x", "text/html"):
        with Server() as server:
            files = f'<a href="{EVIL!r}">a\x1b&#27;&#8238;</a><a href="%1b%0a::x.whl">x</a>'
            body = Answer(200, files.encode("utf-8"), {"Content-Type": kind})
            server.answers |= {f"/simple/{name}/": body for name in ("tensorflow", "six", "pip")}
            url = f"{server.url}/simple"
            for command in (
                ("tf", "mirror", "test", url),
                ("add", "--lock", "six"),
                ("tf", "upgrade", "-n", "--dry-run", "--mirror", url),
            ):
                result = right.call(*command, environ={"POETRY_TF_MIRROR": url})
                assert_harmless(result, command)


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ('tensorflow-cpu = ">=2.16\\n,<3"', "admits more than one"),
        ("tensorfl0w = '*'", "misspelling"),
        ('"tensor\\u001bflow" = "*"', "misspelling"),
        ('"tensor<b>flow" = "*"', ""),
    ],
)
def test_poetrys_own_commands_show_text_and_do_not_obey_it(
    warm_poetry: PoetryRunner, project: Path, requirement: str, said: str
) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "x"\nversion = "1"\npackage-mode = false\n'
        f'[tool.poetry.dependencies]\npython = ">=3.10,<3.13"\n{requirement}\n'
        f"[tool.poetry-tf]\nkeras = {T}\n",
        "utf-8",
    )
    for command in (("lock",), ("update", "--dry-run")):
        result = warm_poetry.call(*command)
        assert said in result.stderr
        assert_harmless(result, command)


@pytest.mark.slow
def test_what_follows_a_lock_is_shown_and_not_obeyed(set_up: SetUp, project: Path) -> None:
    poetry = set_up("--tensorflow", "2.15", "--python", "3.11", "--mirror", "off")
    WAYS["container's folder"](project)
    folder = next(path for path in (project / ".devcontainer").iterdir() if path.is_dir())
    (folder / "devcontainer.json").write_bytes((project / CONTAINER).read_bytes())
    path = project / "pyproject.toml"
    lines = [line for line in path.read_text("utf-8").splitlines() if "cpu-aws" not in line]
    path.write_text("\n".join(lines).replace(">=2.15.1,<2.16.0", ">=2.18.0,<2.19.0"), "utf-8")
    result = poetry.call("lock")
    assert r"]0;b\x07\n::error::forged \u202e##\[error]" in result.stderr
    assert "was updated" in result.stderr
    assert_harmless(result)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252", "utf-8"])
@pytest.mark.sample("ascii")
def test_a_terminal_without_the_characters_shows_escapes(
    right: PoetryRunner, project: Path, encoding: str
) -> None:
    WAYS["container's folder"](project)
    _appended('[tool.poetry.group."grüße-学习"]\noptional = true')(project)
    folder = project / ".devcontainer" / "grüße 学习 👍"
    folder.mkdir()
    (folder / "devcontainer.json").write_bytes((project / CONTAINER).read_bytes())
    environ = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    for command in (
        ("check",),
        ("devcontainer", "--diff", "--config", folder.name),
        ("devcontainer", "--explain", "--config", folder.name),
        ("doctor", "--brief"),
        ("releases", "--json"),
    ):
        done = subprocess.run(
            [right.interpreter, "-m", "poetry", "tf", *command],
            cwd=project,
            env=right._environment(environ),
            capture_output=True,
            timeout=60,
            check=False,
        )
        text = (done.stdout + done.stderr).decode(encoding)
        assert "UnicodeEncodeError" not in text
        assert_harmless(Result(done.returncode, text, ""), command)
        if "--explain" in command:
            assert ("学习" in text) is (encoding in {"gbk", "utf-8"})
            assert (r"\u5b66\u4e60" in text) is (encoding in {"ascii", "cp1252"})


# -- commands -------------------------------------------------------------------------------

NAMES: Mapping[str, tuple[str, ...]] = {
    "gpu": ("install", "--with", "gpu"),
    "x; touch pwned #": ("install", "--with", "x; touch pwned #"),
    "$(touch pwned)`touch pwned`": ("install", "--with", "$(touch pwned)`touch pwned`"),
    "a b": ("install", "--with", "a b"),
    "学习": ("install", "--with", "学习"),
    "x' ; touch pwned ; '": ("install", "--all-groups"),
    'x" & touch pwned & "': ("install", "--all-groups"),
    "x\ntouch pwned\n": ("install", "--all-groups"),
    "a,b": ("install", "--all-groups"),
    "--help": ("install", "--all-groups"),
    "${localEnv:HOME}": ("install", "--all-groups"),
}


@pytest.mark.sample(every=4)
@pytest.mark.skipif(sys.platform == "win32", reason="containers have a POSIX shell")
@pytest.mark.parametrize("group", NAMES)
def test_a_group_is_one_word_of_the_containers_command(
    warm_poetry: PoetryRunner, project: Path, tmp_path: Path, group: str
) -> None:
    table = f"tool.poetry.group.{json.dumps(group, ensure_ascii=False)}"
    write_pyproject(
        project,
        requires_python=">=3.10,<3.13",
        more=f'[{table}]\noptional = true\n[{table}.dependencies]\ntensorflow = "~2.18.1"\n',
    )
    done = warm_poetry.call("tf", "devcontainer")
    assert done.ok, done.output
    made = read_jsonc(project / CONTAINER)
    assert "${localEnv:HOME}" not in (project / CONTAINER).read_text("utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "poetry").write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n', "utf-8")
    (programs / "poetry").chmod(0o755)
    ran = subprocess.run(
        ["sh", "-c", made["postCreateCommand"]],
        cwd=tmp_path,
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    words = ran.stdout.decode().split("\0")[:-1]
    assert tuple(words[words.index("install") :]) == NAMES[group]
    assert not [*tmp_path.rglob("pwned"), *project.rglob("pwned")]
    assert warm_poetry.call("tf", "devcontainer", "--check").ok
    brief = warm_poetry.call("tf", "doctor", "--brief").stdout.strip()
    advice = brief.partition("TensorFlow is not installed. Run: ")[2]
    assert not advice or shlex.split(advice)[1:] == list(NAMES[group])


def test_a_projects_name_is_no_variable_of_its_container(
    warm_poetry: PoetryRunner, project: Path
) -> None:
    write_pyproject(project, ["tensorflow (>=2.18.1,<2.19)"], requires_python=">=3.10,<3.13")
    _edit(project, "pyproject.toml", '"example"', T.replace("a", "${localEnv:SECRET}", 1))
    assert_harmless(warm_poetry.call("tf", "devcontainer"))
    name = read_jsonc(project / CONTAINER)["name"]
    assert name.startswith(r"{localEnv:SECRET}\x1b]0;title\x07\n")
    assert warm_poetry.call("tf", "devcontainer", "--check").ok


@pytest.mark.skipif(sys.platform == "win32", reason="the shell is another")
@pytest.mark.parametrize(
    ("file", "proposed"),
    [
        ("my list.yml", ["my list.yml"]),
        ("it's; touch pwned.yml", ["it's; touch pwned.yml"]),
        ("$(touch pwned).yml", ["$(touch pwned).yml"]),
        ("a\n`touch pwned`.yml", ["FILE"]),
    ],
)
def test_a_file_is_one_word_of_a_proposed_command(
    warm_poetry: PoetryRunner, project: Path, file: str, proposed: list[str]
) -> None:
    (project / file).write_text("dependencies:\n  - python=3.9\n  - tensorflow=2.4.0\n", "utf-8")
    done = warm_poetry.call("tf", "init", "-n", "--no-lock", f"--from={file}")
    commands = re.findall(r"(?:--from )(.*?) --tensorflow", done.stderr)
    assert commands, done.output
    for command in commands:
        assert shlex.split(command) == proposed
