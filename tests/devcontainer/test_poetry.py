"""Poetry, and the project that it installs, in a container."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.devcontainer.poetry import CACHE_FOLDER, ENVIRONMENT_VOLUME
from poetry_tf.files.jsonc import JsoncDocument
from tests.devcontainer.containers import (
    CUDA,
    DOCTOR,
    IMAGES,
    INDEX,
    INSTALL,
    LIVING_POETRY,
    LOCAL,
    OPTIONS,
    PATH,
    POETRY,
    RETIRED_POETRY,
    VENV,
    codes,
    container,
    data,
    fixed,
    make_spec,
    written,
)


@pytest.mark.parametrize(
    ("command", "pinned"),
    [
        ("pipx install poetry==1.8.2", f"pipx install poetry=={POETRY}"),
        ("pip install poetry", f"pip install poetry=={POETRY}"),
        ("pip3 install 'poetry==1.8.2'", f"pip3 install poetry=={POETRY}"),
        ('pip install "poetry"', f"pip install poetry=={POETRY}"),
        (
            "pipx install poetry && poetry install",
            f"pipx install poetry=={POETRY} && poetry install",
        ),
        ("cd x; pipx install poetry; ls", f"cd x; pipx install poetry=={POETRY}; ls"),
        ("pipx install --force poetry", f"pipx install --force poetry=={POETRY}"),
        ("pipx install poetry==1.8.2", f"pipx install poetry=={POETRY}"),
        ("python3 -m pip install poetry", f"python3 -m pip install poetry=={POETRY}"),
        ("sudo -H pip3.11 install Poetry", f"sudo -H pip3.11 install poetry=={POETRY}"),
        ("/usr/bin/pip install poetry", f"/usr/bin/pip install poetry=={POETRY}"),
        ("uv tool install poetry@1.8.2", f"uv tool install poetry=={POETRY}"),
        (
            "uv tool install --with poetry-x poetry",
            f"uv tool install --with poetry-x poetry=={POETRY}",
        ),
        ("pip install poetry>=1.8", f"pip install poetry=={POETRY}"),
        ("pip install poetry>log", f"pip install poetry=={POETRY}>log"),
        ("pip install poetry==$V # ours", f"pip install poetry=={POETRY} # ours"),
        ("pip install poetry==1.8.*", f"pip install poetry=={POETRY}"),
        ("pip install \\\n  poetry numpy", f"pip install \\\n  poetry=={POETRY} numpy"),
        ('bash -lc "make; pipx install poetry"', f'bash -lc "make; pipx install poetry=={POETRY}"'),
        ("su me -c 'pip install poetry'", f"su me -c 'pip install poetry=={POETRY}'"),
        (
            "curl -sSL https://install.python-poetry.org | python3 -",
            f"curl -sSL https://install.python-poetry.org | python3 - --version {POETRY}",
        ),
        (
            "curl -sSL https://install.python-poetry.org | sudo python3",
            f"curl -sSL https://install.python-poetry.org | sudo python3 - --version {POETRY}",
        ),
        (
            "curl -sSL 'https://install.python-poetry.org' | python3 - -y --version '1.8.2' && x",
            f"curl -sSL 'https://install.python-poetry.org' | python3 - -y --version {POETRY} && x",
        ),
        (
            "curl https://install.python-poetry.org | POETRY_VERSION=1.8.2 python3 -",
            f"curl https://install.python-poetry.org | POETRY_VERSION={POETRY} python3 -",
        ),
        (
            "curl https://install.python-poetry.org | python3 - --version=1.8.2",
            f"curl https://install.python-poetry.org | python3 - --version={POETRY}",
        ),
        *[
            (f"{before}{tail}", f"{before}=={POETRY}")
            for before in ("pip install --user poetry", "pip install -U pip poetry")
            for tail in ("", "==1.8.2")
        ],
        ("pipx install poetry~=1.8", f"pipx install poetry=={POETRY}"),
        ("pipx install 'poetry<2'", f"pipx install poetry=={POETRY}"),
        ("pipx install 'poetry>=1.8'", f"pipx install poetry=={POETRY}"),
        ("pipx install  poetry", f"pipx install  poetry=={POETRY}"),
        ("(pipx install poetry)", f"(pipx install poetry=={POETRY})"),
    ],
)
@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand"])
@pytest.mark.sample(every=4)
def test_poetry_that_is_installed_in_another_version_is_pinned_in_place(
    key: str, command: str, pinned: str
):
    text = container(**{"onCreateCommand": ..., key: command})
    assert codes(text) == ["TF506"]
    made = data(fixed(text))
    assert made[key] == pinned
    assert {"onCreateCommand", "updateContentCommand"} & set(made) == {key}
    assert codes(fixed(text)) == []


def test_a_hook_that_installs_poetry_last_installs_the_project_after_it():
    text = container(onCreateCommand=..., postCreateCommand="pipx install poetry==1.8.2")
    assert data(fixed(text))["postCreateCommand"] == (f"pipx install poetry=={POETRY} && {INSTALL}")


def test_poetry_is_pinned_at_once_wherever_it_is_installed():
    text = container(onCreateCommand=..., postCreateCommand="pipx install poetry==1.8.2")
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    "command",
    [
        "pipx install poetry-core",
        "pip install 'poetry_core>=1'",
        "pipx inject poetry poetry-plugin-up",
        "pip install -t poetry numpy",
        "pip download poetry",
        "pipx install poetry-plugin-export",
        "pipx install poetrylint",
        "pip install -r poetry.txt",
        "echo poetry",
        ["bash", "-c", "make"],
    ],
)
def test_another_command_stays_and_poetry_is_installed_beside_it(command: Any):
    text = container(onCreateCommand=command)
    made = data(fixed(text))["onCreateCommand"]
    assert made["project"] == command
    assert f"pipx install poetry=={POETRY}" in made["poetry-tf"]
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize("index", [0, 1])
def test_poetry_is_pinned_in_one_of_several_commands(index: int):
    commands = ["make", "make"]
    commands[index] = "pipx install poetry"
    text = container(onCreateCommand=dict(zip("ab", commands, strict=True)))
    assert data(fixed(text))["onCreateCommand"]["ab"[index]] == f"pipx install poetry=={POETRY}"
    assert codes(fixed(text)) == []


def test_a_new_command_goes_beside_several():
    text = container(onCreateCommand={"a": "make", "b": ["make", "all"]}, postCreateCommand={})
    made = data(fixed(text))
    assert {**made["onCreateCommand"], "poetry-tf": ""} == {
        "a": "make",
        "b": ["make", "all"],
        "poetry-tf": "",
    }
    assert made["postCreateCommand"] == {"poetry-tf": INSTALL}


@pytest.mark.parametrize(
    "command",
    [
        "poetry install",
        "poetry install --no-root && echo done",
        "cd app && poetry sync",
        {"deps": "poetry install", "hooks": "pre-commit install"},
        ["poetry", "install"],
        {"deps": ["poetry", "install"]},
    ],
)
@pytest.mark.parametrize("key", ["onCreateCommand", "updateContentCommand", "postCreateCommand"])
def test_the_project_is_installed_once(key: str, command: Any):
    keys = {"postCreateCommand": ..., key: command}
    if key == "onCreateCommand":
        keys["updateContentCommand"] = f"pipx install poetry=={POETRY}"
    text = container(**keys)
    assert fixed(text) == text


@pytest.mark.parametrize(
    ("command", "pinned"),
    [
        (["pipx", "install", "poetry==1.8.2"], ["pipx", "install", f"poetry=={POETRY}"]),
        (["pip", "install", "poetry"], ["pip", "install", f"poetry=={POETRY}"]),
        (["pip", "install", "poetry >=1, <2"], ["pip", "install", f"poetry=={POETRY}"]),
        (
            ["bash", "-lc", "make && pipx install poetry==1.8.2"],
            ["bash", "-lc", f"make && pipx install poetry=={POETRY}"],
        ),
        (
            ["sudo", "/bin/sh", "-ec", "curl https://install.python-poetry.org | python3 -"],
            [
                "sudo",
                "/bin/sh",
                "-ec",
                f"curl https://install.python-poetry.org | python3 - --version {POETRY}",
            ],
        ),
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_poetry_that_an_array_installs_is_pinned_in_its_element(
    command: list[str], pinned: list[str], inner: bool
):
    text = container(onCreateCommand={"a": command} if inner else command)
    assert codes(text) == ["TF506"]
    made = data(fixed(text))["onCreateCommand"]
    assert made == ({"a": pinned} if inner else pinned)


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("pipx install poetry; ", f"pipx install poetry=={POETRY} && {INSTALL}"),
        ("pipx install poetry &", f"pipx install poetry=={POETRY} & wait && {INSTALL}"),
        ("pipx install poetry # it", f"pipx install poetry=={POETRY} # it\n{INSTALL}"),
        (["pipx", "install", "poetry"], f"pipx install poetry=={POETRY} && {INSTALL}"),
        (
            ["bash", "-c", "pipx install poetry"],
            ["bash", "-c", f"pipx install poetry=={POETRY} && {INSTALL}"],
        ),
        (
            {"a": "make", "b": "pipx install poetry"},
            {"a": "make", "b": f"pipx install poetry=={POETRY} && {INSTALL}"},
        ),
        (
            {"a": ["make"], "b": ["pip", "install", "a b", "poetry"]},
            {"a": ["make"], "b": f"pip install 'a b' poetry=={POETRY} && {INSTALL}"},
        ),
    ],
)
@pytest.mark.parametrize("hook", ["postCreateCommand", "postStartCommand"])
def test_the_project_is_installed_where_poetry_is_installed_late(
    hook: str, command: Any, made: Any
):
    own = {"onCreateCommand": ..., "postCreateCommand": ..., "postStartCommand": DOCTOR}
    text = container(**{**own, hook: command})
    after = data(fixed(text))
    assert after[hook] == made
    assert {key for key in after if key.endswith("Command")} == {hook, "postStartCommand"}
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("poetry install", None),
        ("poetry config virtualenvs.in-project true; make", None),
        (["poetry", "install"], None),
        ({"a": "make", "b": "poetry install"}, "b"),
    ],
)
def test_poetry_is_installed_before_a_command_that_needs_it(command: Any, key: str | None):
    text = container(onCreateCommand=command, postCreateCommand="poetry install")
    made = data(fixed(text))["onCreateCommand"]
    made = made[key] if key else made
    assert f"pipx install poetry=={POETRY} " in made
    assert made.endswith(" && poetry install") or made.endswith("in-project true; make")
    assert fixed(fixed(text)) == fixed(text)


@pytest.mark.parametrize(
    ("command", "where"),
    [
        ("curl -o x.py https://install.python-poetry.org; sh x", ("onCreateCommand",)),
        ("sh <(curl https://install.python-poetry.org)", ("onCreateCommand",)),
    ],
)
def test_what_cannot_be_pinned_in_place_is_left_to_a_person(command: str, where: tuple[str]):
    text = container(onCreateCommand=command)
    (change,) = find_changes(PATH, JsoncDocument.parse(text), make_spec())
    assert (change.code, change.path, change.edits) == ("TF506", where, ())
    assert fixed(text) == text


@pytest.mark.parametrize("options", [{}, {"version": "latest"}, {"version": "1.8.2", "x": 1}])
def test_the_living_poetry_feature_is_told_the_version(options: dict[str, Any]):
    text = container(features={CUDA: OPTIONS, LIVING_POETRY: options}, onCreateCommand=...)
    assert codes(text) == ["TF506"]
    made = data(fixed(text))
    assert made["features"][LIVING_POETRY] == {**options, "version": POETRY}
    assert "onCreateCommand" not in made
    assert fixed(fixed(text)) == fixed(text)


def test_the_living_poetry_feature_may_have_its_version_for_a_value():
    text = container(features={CUDA: OPTIONS, LIVING_POETRY: "1.8.2"}, onCreateCommand=...)
    assert data(fixed(text))["features"][LIVING_POETRY] == {"version": POETRY}
    right = container(features={CUDA: OPTIONS, LIVING_POETRY: POETRY}, onCreateCommand=...)
    assert codes(right) == []


def test_a_retired_poetry_feature_gives_way_to_a_command():
    text = container(features={CUDA: OPTIONS, RETIRED_POETRY: {}}, onCreateCommand=...)
    assert codes(text) == ["TF505", "TF506"]
    made = data(fixed(text))
    assert made["features"] == {CUDA: OPTIONS}
    assert f"poetry=={POETRY}" in made["onCreateCommand"]


def test_the_plugin_is_not_needed_for_poetry_to_be_there():
    made = data(fixed("{}"))
    assert made["onCreateCommand"].endswith(f" && pipx install poetry=={POETRY}")
    assert made["updateContentCommand"] == "pipx inject poetry poetry-tf==0.1.0 || true"
    # A command that may use Poetry comes after both.
    made = data(fixed(container(onCreateCommand=..., updateContentCommand="make setup")))
    assert made["onCreateCommand"].endswith(
        f" && pipx install poetry=={POETRY} && (pipx inject poetry poetry-tf==0.1.0 || true)"
    )
    assert made["updateContentCommand"] == "make setup"
    made = data(fixed(container(onCreateCommand=..., updateContentCommand="npm ci")))
    assert made["updateContentCommand"] == {
        "project": "npm ci",
        "poetry-tf": "pipx inject poetry poetry-tf==0.1.0 || true",
    }


def test_a_poetry_in_the_container_that_did_not_write_the_lock_may_be_any_that_will_do():
    for version, says in (("2.1.4", []), ("2.5.0", []), ("1.8.5", ["TF506"]), ("3.0", ["TF506"])):
        text = container(onCreateCommand=f"pipx install poetry=={version}")
        assert codes(text, replace(make_spec(), wrote_lock=False)) == says
        assert codes(text) == ["TF506"]


def test_the_cache_keeps_a_mount_and_a_variable_of_the_users():
    mounts = [f"source=mine,target={CACHE_FOLDER},type=volume"]
    variables = {"POETRY_CACHE_DIR": CACHE_FOLDER, "POETRY_VIRTUALENVS_PATH": "/e"}
    text = container(mounts=mounts, containerEnv=variables, onCreateCommand=...)
    made = data(fixed(text))
    assert (made["mounts"], made["containerEnv"]) == (mounts, variables)
    text = container(mounts=["source=a,target=/b,type=bind"], containerEnv=..., onCreateCommand=...)
    made = data(fixed(text))
    assert [made["mounts"][0], *(mount["target"] for mount in made["mounts"][1:])] == [
        "source=a,target=/b,type=bind",
        CACHE_FOLDER,
        VENV,
    ]
    assert made["containerEnv"] == {
        "POETRY_CACHE_DIR": CACHE_FOLDER,
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    }


@pytest.mark.parametrize(
    "keys",
    [
        {"containerEnv": {"POETRY_VIRTUALENVS_CREATE": "false"}},
        {"remoteEnv": {"POETRY_VIRTUALENVS_PATH": "/e"}},
        {"mounts": ["source=mine,target=/workspaces/x/.venv,type=volume"]},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_an_environment_of_the_users_own_stays_where_it_is(keys: dict[str, Any]):
    text = written({"image": IMAGES.image("3.11"), **keys})
    made = data(fixed(text))
    (key,) = keys
    if key == "mounts":
        assert made["mounts"][:-1] == keys["mounts"]
    else:
        assert made[key].items() >= keys[key].items()
    assert ENVIRONMENT_VOLUME not in json.dumps(made)
    assert ".venv" not in made["onCreateCommand"]
    assert "settings" not in json.dumps(made.get("customizations", {}))


@pytest.mark.parametrize(
    ("command", "made"),
    [
        ("poetry config a b; exit 0", f"(poetry config a b; exit 0) && {INSTALL}"),
        ("make; exit # done", f"(make; exit # done\n) && {INSTALL}"),
        ("cd x && exec make all", f"(cd x && exec make all) && {INSTALL}"),
        ("cd x || exit 1; make", f"cd x || exit 1; make && {INSTALL}"),
        ("make exit", f"make exit && {INSTALL}"),
        (["bash", "-c", "make; exit"], ["bash", "-c", f"(make; exit) && {INSTALL}"]),
    ],
)
def test_the_project_is_installed_after_a_command_that_ends_its_shell(command: Any, made: Any):
    text = container(postCreateCommand=command)
    assert data(fixed(text))["postCreateCommand"] == made
    assert fixed(fixed(text)) == fixed(text)


def test_a_command_of_the_users_under_the_name_that_is_written_stays():
    own = {"poetry-tf": "echo 1", "poetry-tf-2": ["echo", "2"]}
    made = data(fixed(container(postCreateCommand=own)))
    assert made["postCreateCommand"] == {**own, "poetry-tf-3": INSTALL}
    made = data(fixed(container(postCreateCommand={"poetry-tf": ""})))
    assert made["postCreateCommand"] == {"poetry-tf": INSTALL}


OWNER = "sudo chown -R $(id -u):$(id -g)"


@pytest.mark.parametrize("command", [..., "make", "poetry install", ["pre-commit", "install"]])
@pytest.mark.parametrize("spelling", [dict, str])
def test_poetry_that_is_installed_again_owns_the_volumes_that_are_there(
    command: Any, spelling: type
):
    mounts = data(container())["mounts"]
    if spelling is str:
        mounts = [",".join(f"{key}={value}" for key, value in item.items()) for item in mounts]
    text = container(onCreateCommand=command, mounts=mounts)
    made = data(fixed(text))
    assert f"{OWNER} {CACHE_FOLDER} .venv && pipx install poetry=={POETRY}" in str(
        made["onCreateCommand"]
    )
    assert made["mounts"] == mounts
    assert fixed(fixed(text)) == fixed(text)


def test_a_volume_that_its_owner_is_set_of_is_mounted():
    right = data(container())
    for left in (right["mounts"][:0], right["mounts"][:1], right["mounts"][1:]):
        text = written({**right, "mounts": left})
        assert codes(text) == ["TF506"] * (2 - len(left))
        made = data(fixed(text))
        assert sorted(made["mounts"], key=str) == sorted(right["mounts"], key=str)
        assert {**made, "mounts": 0} == {**right, "mounts": 0}
    del right["mounts"]
    assert len(data(fixed(written(right)))["mounts"]) == 2


def test_no_owner_is_set_of_a_volume_that_nobody_wants():
    right = data(container())
    text = written({**right, "mounts": [], "containerEnv": {"POETRY_VIRTUALENVS_PATH": "/e"}})
    assert codes(text) == ["TF506", "TF506"]
    made = data(fixed(text))
    assert (made["mounts"], made["onCreateCommand"]) == ([], f"pipx install poetry=={POETRY}")
    assert fixed(fixed(text)) == fixed(text)
    mounted = ["-v", f"a:{CACHE_FOLDER}", "--mount=type=volume,source=b,target=/workspaces/x/.venv"]
    assert codes(written({**right, "mounts": [], "runArgs": mounted})) == []


def test_an_interpreter_of_the_users_own_stays():
    vscode = {"settings": {"python.defaultInterpreterPath": "/mine", "x": 1}}
    text = written({"image": IMAGES.image("3.11"), "customizations": {"vscode": vscode}})
    assert data(fixed(text))["customizations"]["vscode"] == vscode


@pytest.mark.parametrize("key", ["remoteUser", "containerUser"])
def test_root_needs_no_sudo(key: str):
    made = data(fixed(written({key: "root", "image": IMAGES.image("3.11")})))
    assert made["onCreateCommand"].startswith("pipx install poetry==")
    made = data(fixed(written({"containerUser": "root", "remoteUser": "vscode"})))
    assert made["onCreateCommand"].startswith("sudo chown -R $(id -u):$(id -g) ")


@pytest.mark.parametrize("git_lfs", [True, False])
@pytest.mark.parametrize("origin", [INDEX, LOCAL], ids=lambda item: item.source)
def test_every_command_is_short(origin: Origin, git_lfs: bool):
    made = data(fixed("{}", make_spec(origin=origin, git_lfs=git_lfs)))
    assert made["waitFor"] == "postCreateCommand"
    hooks = {key: value for key, value in made.items() if key.endswith("Command")}
    assert len(hooks) == 4 - (origin is LOCAL)
    assert [key for key, value in hooks.items() if len(value) > 100] == []
