"""Four times the input takes at most six times as long, whatever it is made of.

Each input is hostile where it grows: it takes the square of its size, or worse, from a reader that
was not made for it. Both sizes are measured side by side, by the processor's time, so that neither
the machine nor its load matters, and without what earlier tests left to the garbage collector.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from cleo.testers.command_tester import CommandTester

from poetry_tf.commands.check import CheckCommand
from poetry_tf.files.errors import ProjectError
from poetry_tf.migration import read_list
from tests.robustness.seeds import SEEDS
from tests.robustness.test_mutations import limited

GOOD = SEEDS[0]
CONTAINER = ".devcontainer/devcontainer.json"
IMAGE = "mcr.microsoft.com/devcontainers/python:3.11"
LIMIT = 60
"""Seconds after which the larger one is given up: some would take years."""


def container(**members: object) -> dict[str, str]:
    return {CONTAINER: json.dumps({"image": IMAGE, **members})}


def required(*requirements: str) -> dict[str, str]:
    lines = json.dumps(["tensorflow==2.15.1", *requirements])
    text = '[project]\nname = "study"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
    return {"pyproject.toml": f"{text}dependencies = {lines}\n[tool.poetry-tf]\n"}


def locked(*packages: str) -> dict[str, str]:
    return {"poetry.lock": GOOD["poetry.lock"].replace("[extras]", "".join(packages) + "[extras]")}


def package(name: str, version: str = "1.0", files: str = "", more: str = "") -> str:
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
        f'python-versions = ">=3.9"\ngroups = ["main"]\nfiles = [{files}]\n{more}\n'
    )


def both(number: int) -> str:
    """A marker whose normal form doubles with each part."""
    parts = (f'(os_name == "{i}" and sys_platform == "{i}")' for i in range(number))
    return " or ".join(parts)


def wheel(number: int) -> str:
    parts = (".".join(f"{letter}{i}" for i in range(number)) for letter in "abc")
    return f"a-1.0-{'-'.join(parts)}.whl"


def laughs(number: int, item: str) -> str:
    """A compose file of values that each hold the one before many times."""
    lines = "".join(f"a{i}: &a{i} {item.format(*[f'*a{i - 1}'] * 4)}\n" for i in range(1, number))
    return f"a0: &a0 {{p: 1}}\n{lines}services: {{app: {{runtime: *a{number - 1}}}}}\n"


def composed(text: str, *names: str) -> dict[str, str]:
    """A container that is a service of compose files, all with one text."""
    files = dict.fromkeys((f".devcontainer/{name}" for name in names), text)
    return {**files, **container(dockerComposeFile=names, service="app")}


POETRY_SOURCE = (
    '\n[[tool.poetry.source]]\nname = "x{}"\nurl = "https://pypi.tuna.tsinghua.edu.cn/simple/"\n'
)
PROJECTS: Mapping[str, tuple[int, Callable[[int], dict[str, str]]]] = {
    "words": (300, lambda n: container(postCreateCommand="poetry " * n)),
    "words of pip": (1_200, lambda n: container(postCreateCommand="pip " * n)),
    "options": (1_200, lambda n: container(postCreateCommand="poetry -C " * n)),
    "arguments": (
        1_000,
        lambda n: container(postCreateCommand=["pip", "install", *["poetry"] * n]),
    ),
    "installations": (400, lambda n: container(postCreateCommand="pip install" + " poetry==1" * n)),
    "calls": (400, lambda n: container(postCreateCommand="pipx install poetry;" * n)),
    "commands": (
        200,
        lambda n: container(postCreateCommand={str(i): "pip install poetry==1" for i in range(n)}),
    ),
    "blanks in a command": (
        2_000,
        lambda n: container(postCreateCommand=f"pip install poetry 'poetry-tf{' ' * n}x'"),
    ),
    "colons": (10_000, lambda n: container(remoteEnv={"LD_LIBRARY_PATH": ":" * n})),
    "features": (
        100,
        lambda n: container(
            features={f"ghcr.io/devcontainers-contrib/features/poetry:{i}": {} for i in range(n)}
        ),
    ),
    "image": (20_000, lambda n: container(image=f"a.example/{'mcr' * n}!")),
    "arguments of docker": (
        500,
        lambda n: container(runArgs=[*["--gpus=all"] * n, "--ipc=host"]),
    ),
    "merged keys": (8, lambda n: composed(laughs(n, "{{<<: [{}, {}, {}, {}]}}"), "c.yml")),
    "lists of aliases": (8, lambda n: composed(laughs(n, "[{}, {}, {}, {}]"), "c.yml")),
    "compose files": (
        4,
        lambda n: composed("services:\n" + "  app: {image: x}\n" * 500, *["c.yml"] * n),
    ),
    "keys": (5_000, lambda n: container(**{f"k{i}": 1 for i in range(n)})),
    "JSON comments": (20_000, lambda n: {CONTAINER: "/**/" * n + GOOD[CONTAINER]}),
    "blanks in a requirement": (10_000, lambda n: required(f"numpy >{' ' * n}")),
    "bounds": (300, lambda n: required("numpy " + ",".join(["!=1"] * n))),
    "marker": (5, lambda n: required(f"numpy; {both(n)}")),
    "parentheses": (1_000, lambda n: required(f"numpy; {'(' * n}os_name == 'a'{')' * n}")),
    "requirements": (200, lambda n: required(*(f"p{i}>=1" for i in range(n)))),
    "requirements on one": (90, lambda n: required(*(f"tensorflow>=2.{i}" for i in range(n)))),
    "sources": (
        8,
        lambda n: {
            "pyproject.toml": GOOD["pyproject.toml"] + "".join(map(POETRY_SOURCE.format, range(n)))
        },
    ),
    "TOML keys": (
        5_000,
        lambda n: {
            "pyproject.toml": GOOD["pyproject.toml"] + "".join(f"k{i} = 1\n" for i in range(n))
        },
    ),
    "TOML tables": (
        2_000,
        lambda n: {
            "pyproject.toml": GOOD["pyproject.toml"] + "".join(f"[x{i}]\n" for i in range(n))
        },
    ),
    "packages": (500, lambda n: locked(*(package(f"p{i}") for i in range(n)))),
    "packages of a name": (500, lambda n: locked(*(package("p", f"1.{i}") for i in range(n)))),
    "wrong packages": (
        100,
        lambda n: locked(
            *(
                package(f"p{i}", "1.0", '{file = "p-1.0-cp27-cp27-win32.whl", hash = "sha256:0"}')
                for i in range(n)
            )
        ),
    ),
    "wheel": (
        30,
        lambda n: locked(package("p", "1.0", f'{{file = "{wheel(n)}", hash = "sha256:0"}}')),
    ),
    "locked marker": (5, lambda n: locked(package("p", more=f"markers = '{both(n)}'"))),
    "extras": (
        300,
        lambda n: locked(
            package(
                "p",
                more="[package.dependencies]\n"
                + "".join(f'b{i} = {{version = "*", optional = true}}\n' for i in range(n))
                + "[package.extras]\n"
                + "".join(f'e{i} = ["b{i}"]\n' for i in range(n)),
            )
        ),
    ),
}


FACTOR = 10
"""Of four times the input: 4 in proportion, 16 by its square; other processes add to it."""

NOISE = 0.01
"""Seconds below which a time is mostly that of other processes."""


@contextmanager
def own_objects() -> Iterator[None]:
    """Objects that are there already are not looked through by the garbage collector.

    It looks at all that there is once enough is new: after some hundred tests that can take longer
    than the input, and comes with nearly every large one but with few of the small ones.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
    try:
        yield
    finally:
        gc.unfreeze()


def times_of(run: Callable[[int], None], size: int) -> tuple[float, float]:
    """The least time that the input takes, and one that is four times as large."""
    best = [float("inf"), float("inf")]
    for _ in range(3):
        for place, number in enumerate((size, 4 * size)):
            with limited(LIMIT), own_objects():
                start = time.process_time()
                run(number)
                best[place] = min(best[place], time.process_time() - start)
        if best[1] <= FACTOR * best[0]:
            break
    return best[0], best[1]


def check(files: Mapping[str, str]) -> None:
    for name, text in {**GOOD, **files}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, "utf-8")
    tester = CommandTester(CheckCommand())
    assert tester.execute() in {1, 2}
    assert tester.io.fetch_output() + tester.io.fetch_error()


@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_a_project_is_checked_in_proportion_to_its_size(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    size, make = PROJECTS[name]
    # What small inputs take is the check itself.
    floor = 2 * times_of(lambda _: check({}), 0)[1]
    small, large = times_of(lambda number: check(make(number)), size)
    assert large <= FACTOR * max(small, floor, NOISE)


LISTS: Mapping[str, tuple[int, Callable[[int], str]]] = {
    "blanks.txt": (4_000, lambda n: f"numpy{' ' * n}x\n"),
    "version.txt": (4_000, lambda n: f"numpy >{' ' * n}"),
    "brackets.txt": (4_000, lambda n: f"a\n-e {'[' * n}"),
    "lines.txt": (2_000, lambda n: "".join(f"a{i}==1\n" for i in range(n))),
    "one-name.txt": (1_000, lambda n: "a>=1\n" * n),
    "hashes.txt": (5_000, lambda n: "a==1 \\\n" + "--hash=sha256:00 \\\n" * n),
    "nested.txt": (1_000, lambda n: f"a; {'(' * n}os_name == 'a'{')' * n}"),
    "wheel.txt": (50, lambda n: f"https://example.org/{wheel(n)}"),
    "includes.txt": (1_000, lambda n: "-r other.txt\n" * n),
    "lines.yml": (1_000, lambda n: "dependencies:\n" + "".join(f"- a{i}=1\n" for i in range(n))),
    "aliases.yml": (
        300,
        lambda n: f"x: &p [{'a,' * n}b]\ny: &a {{pip: *p}}\ndependencies: [{'*a,' * n}*a]",
    ),
    "laughs.yml": (
        50,
        lambda n: (
            "a0: &a0 [x]\n"
            + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, n))
            + f"dependencies: *a{n - 1}\n"
        ),
    ),
    "deep.yml": (5_000, lambda n: "dependencies: " + "[" * n),
    "number.yml": (4_000, lambda n: f"dependencies:\n- {'1' * n}\n"),
    "selector.yml": (4_000, lambda n: f"name: x ] {'#[linux' * n}\ndependencies: [a]\n"),
    "brackets.yml": (4_000, lambda n: f'dependencies:\n- "a{"[" * n}]x"\n'),
    "export.txt": (2_000, lambda n: "".join(f"a{i}=1.0=0\n" for i in range(n))),
    "address.txt": (4_000, lambda n: f"@EXPLICIT\nhttps://example.org/{'a-' * n}\n"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.sample("export.txt", "selector.yml")
def test_a_list_is_read_in_proportion_to_its_size(name: str, tmp_path: Path):
    size, make = LISTS[name]
    (tmp_path / "other.txt").write_text("".join(f"b{i}\n" for i in range(100)), "utf-8")

    def read(text: str) -> None:
        try:
            assert read_list(text.encode(), tmp_path / name).entries
        except ProjectError as error:
            assert len(str(error)) < 1_000

    floor = times_of(lambda _: read("".join(f"a{i}==1\n" for i in range(500))), 0)[1]
    small, large = times_of(lambda number: read(make(number)), size)
    assert large <= FACTOR * max(small, floor, NOISE)
