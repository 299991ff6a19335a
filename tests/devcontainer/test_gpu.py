"""CUDA, the GPU and the driver in a container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from poetry_tf.devcontainer.changes import find_changes, synchronize
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.model import Plan
from poetry_tf.plan.settings import GpuChoice, Settings
from tests.devcontainer.containers import (
    CUDA,
    IMAGES,
    LFS,
    OLD_CUDA,
    OPTIONS,
    PATH,
    codes,
    container,
    data,
    fixed,
    having,
    make_spec,
    plan_for,
    plan_of,
    written,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        None,
        True,
        "11.8",
        3,
        [],
        {"cudaVersion": "11.8.0"},
        {"cudaVersion": 11.8},
        {**OPTIONS, "cudnnVersion": "automatic"},
        {**OPTIONS, "cudnnVersion": "8.6.0"},
        {**OPTIONS, "installCudnn": False},
        {**OPTIONS, "installToolkit": "true"},
    ],
    ids=repr,
)
def test_options_of_cuda_that_do_not_fit_are_written_right(options: Any):
    text = container(features={CUDA: options})
    assert codes(text) == ["TF503"]
    made = data(fixed(text))["features"]
    assert made[CUDA].items() >= OPTIONS.items()
    assert codes(fixed(text)) == []


@pytest.mark.parametrize("whole", [True, False])
def test_a_misspelt_option_is_replaced_in_its_place(whole: bool):
    options = (
        '"installToolkit": true,\n'
        '            "installCudann": true, // cuDNN\n'
        '            "cudannVersion": "8.9.4.25",\n'
        '            "cudaVersion": "11.8"'
    )
    lines = json.dumps(OPTIONS, indent=12)[1:-1].strip()
    text = fixed("{}").replace(lines, options)
    assert options in text
    spec = make_spec(whole=whole)
    assert codes(text, spec) == ["TF505", "TF505", "TF503"]
    right = options.replace("Cudann", "Cudnn").replace("cudann", "cudnn")
    assert right.replace("8.9.4.25", "8.6.0.163") in fixed(text, spec)
    assert codes(fixed(text, spec), spec) == []


def test_a_misspelt_option_beside_the_right_one_goes():
    text = container(features={CUDA: {**OPTIONS, "installCuDNN": True, "cudnnversion": "8"}})
    assert codes(text) == ["TF505", "TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


def test_an_option_of_which_nobody_knows_what_it_means_is_reported_and_stays():
    features = {CUDA: {**OPTIONS, "driver": "550"}, LFS: {"autopul": False, "lfs": 1}}
    text = container(features=features)
    spec = make_spec(git_lfs=True)
    assert codes(text, spec) == ["TF505", "TF505", "TF505"]
    made = data(fixed(text, spec))["features"]
    assert made == {CUDA: {**OPTIONS, "driver": "550"}, LFS: {"autoPull": False, "lfs": 1}}
    assert codes(fixed(text, spec), spec) == ["TF505", "TF505"]


@pytest.mark.parametrize("key", ["containerEnv", "remoteEnv"])
def test_a_path_of_the_users_own_stays(key: str):
    right = data(container())
    right["remoteEnv"].pop("PATH")
    right[key]["PATH"] = "/mine"
    assert data(fixed(written(right))) == right


def test_cuda_goes_from_path_where_it_goes_from_the_container():
    text = fixed("{}", make_spec(plan_for("2.18", "system")))
    made = data(fixed(text, make_spec(plan_for("2.18", "none"))))
    assert "PATH" not in made["remoteEnv"]


def test_options_that_poetry_tf_does_not_judge_stay():
    text = container(features={CUDA: {**OPTIONS, "installNvtx": True}})
    assert codes(text) == []
    assert fixed(text) == text


@pytest.mark.parametrize("tag", [":1", ":2", ":1.2.1", ":2.0"])
def test_an_old_version_of_the_cuda_feature_is_retired(tag: str):
    text = container(features={f"{IMAGES.cuda.id}{tag}": OPTIONS})
    assert codes(text) == ["TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


PINS = [":3.0.0", ":3.0", ":4", ":latest", "", f"@sha256:{'0' * 64}"]


@pytest.mark.parametrize("tag", PINS)
def test_a_version_of_the_cuda_feature_that_works_stays(tag: str):
    pinned = f"{IMAGES.cuda.id}{tag}"
    text = container(features={pinned: OPTIONS})
    assert codes(text) == []
    assert fixed(text) == text
    beside = container(features={OLD_CUDA: {}, pinned: OPTIONS})
    assert codes(beside) == ["TF505"]
    assert data(fixed(beside))["features"] == {pinned: OPTIONS}


@pytest.mark.parametrize(
    "id_",
    [
        "ghcr.nju.edu.cn/devcontainers/features/nvidia-cuda",
        "harbor.example:8443/ghcr.io/devcontainers/features/nvidia-cuda",
        "localhost:5000/devcontainers/features/nvidia-cuda",
        "ghcr.io/DevContainers/features/nvidia-CUDA",
    ],
)
def test_cuda_is_known_by_whatever_registry_it_comes(id_: str):
    text = container(features={f"{id_}:3": OPTIONS})
    assert codes(text) == []
    assert fixed(text) == text
    old = container(features={f"{id_}:1": {**OPTIONS, "cudaVersion": "12.0"}})
    assert codes(old) == ["TF503", "TF505"]
    (key,) = data(fixed(old))["features"]
    assert key == f"{id_.partition('/dev')[0].partition('/Dev')[0]}/{CUDA.partition('/')[2]}"


@pytest.mark.parametrize(
    "key",
    [
        "./devcontainers/features/nvidia-cuda",
        "../x/devcontainers/features/nvidia-cuda",
        "devcontainers/features/nvidia-cuda@v1",
        "ghcr.io/me/nvidia-cuda:3",
        "https://a.example/devcontainers/features/nvidia-cuda",
    ],
)
def test_another_feature_of_that_name_is_not_cuda(key: str):
    text = container(features={key: {}})
    assert codes(text) == ["TF503"]
    assert data(fixed(text))["features"] == {key: {}, CUDA: OPTIONS}


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_versions_of_the_cuda_feature_one_is_left(order: int):
    features = {OLD_CUDA: OPTIONS, CUDA: OPTIONS}
    text = container(features=dict(list(features.items())[::order]))
    assert codes(text) == ["TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


def test_of_two_retired_versions_of_the_cuda_feature_the_first_is_fixed():
    features = {OLD_CUDA: {"cudaVersion": "11.8"}, f"{IMAGES.cuda.id}:2": OPTIONS}
    text = container(features=features)
    assert codes(text) == ["TF503", "TF505", "TF505"]
    assert data(fixed(text))["features"] == {CUDA: OPTIONS}


@pytest.mark.parametrize(("gpu", "why"), [("none", "no GPU"), ("pip", "wheels bring CUDA")])
def test_cuda_is_taken_out_where_it_is_not_to_be_in_the_container(gpu: GpuChoice, why: str):
    plan = plan_for("2.18", gpu)
    text = fixed("{}", make_spec(plan_for("2.18", "system")))
    (change,) = (
        item for item in find_changes(PATH, JsoncDocument.parse(text), make_spec(plan)) if item.code
    )
    assert change.code == "TF503"
    assert why in change.message
    # What is left empty by that goes as well, and a comment in it stays.
    assert "features" not in data(fixed(text, make_spec(plan)))
    commented = text.replace('"features": {', '"features": { // mine')
    assert data(fixed(commented, make_spec(plan)))["features"] == {}
    beside = written({**data(text), "features": {CUDA: OPTIONS, OLD_CUDA: {}, LFS: {}}})
    assert data(fixed(beside, make_spec(plan)))["features"] == {LFS: {}}
    # Where only what is there is judged, a feature that is too many is the user's.
    assert find_changes(PATH, JsoncDocument.parse(text), make_spec(plan, whole=False)) == ()


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--runtime=nvidia", "--gpus=all"], None),
        (["--runtime", "nvidia", "--gpus", "all"], None),
        (["--gpus=all"], None),
        (["--runtime=nvidia"], None),
        (["--ipc=host", "--gpus=all"], ["--ipc=host"]),
        (["--gpus", "all", "--ipc=host"], ["--ipc=host"]),
        (
            ["--shm-size", "8g", "--runtime", "nvidia", "-e", "A=1"],
            ["--shm-size", "8g", "-e", "A=1"],
        ),
    ],
)
def test_arguments_that_fail_without_a_gpu_give_way_to_a_request(
    arguments: list[str], left: list[str] | None
):
    text = container(runArgs=arguments, hostRequirements=...)
    # One that asks for the GPU is no lack of a request.
    asks = any(item.startswith("--gpus") for item in arguments)
    assert codes(text) == ["TF505"] if asks else ["TF504", "TF505"]
    made = data(fixed(text))
    assert made.get("runArgs") == left
    assert made["hostRequirements"] == {"gpu": "optional"}
    assert codes(fixed(text)) == []


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (
            '[\n\t\t"--gpus", "all", // every GPU\n\t\t"--ipc=host" // for workers\n\t]',
            '[\n\t\t"--ipc=host" // for workers\n\t]',
        ),
        ('["--ipc=host", "--gpus=all" /* every GPU */]', '["--ipc=host" /* every GPU */]'),
    ],
)
def test_a_comment_goes_with_the_line_of_a_retired_argument_only(arguments: str, left: str):
    for newline in ("\n", "\r\n"):
        text = container(runArgs="here", hostRequirements=...).replace('"here"', arguments)
        made = fixed(text.replace("\n", newline))
        assert left.replace("\n", newline) in made
        assert codes(made) == []


def test_comments_on_lines_of_their_own_stay_where_what_they_are_about_goes():
    text = container(runArgs="here", hostRequirements=...).replace(
        '"here"', '[ // for the GPU\n\t\t// Mind the driver.\n\t\t"--gpus=all" // all of them\n\t]'
    )
    made = fixed(text)
    assert "runArgs" not in data(made)
    assert [line.strip() for line in made.splitlines() if "//" in line and "ghcr" not in line] == [
        "// Mind the driver."
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--gpus=1"],
        ["--gpus", "device=0"],
        ["--device", "nvidia.com/gpu=all"],
        ["--device=nvidia.com/gpu=all"],
    ],
)
def test_a_request_of_the_users_own_kind_stays(arguments: list[str]):
    text = container(runArgs=arguments, hostRequirements=...)
    assert codes(text) == []
    assert fixed(text) == text


@pytest.mark.parametrize("gpu", ["optional", True, {"cores": 2}])
def test_a_gpu_that_is_requested_is_not_requested_again(gpu: Any):
    assert codes(container(hostRequirements={"gpu": gpu})) == []


@pytest.mark.parametrize("requirements", [{}, {"gpu": False}, {"gpu": None}, {"cpus": 4}])
def test_what_else_the_host_must_have_stays_beside_the_request(requirements: dict[str, Any]):
    text = container(hostRequirements=requirements)
    assert codes(text) == ["TF504"]
    assert data(fixed(text))["hostRequirements"] == {**requirements, "gpu": "optional"}


def test_no_gpu_is_requested_where_none_is_needed():
    assert "hostRequirements" not in data(fixed("{}", make_spec(plan_for(gpu="none"))))


@pytest.mark.parametrize(
    ("requirements", "left"),
    [
        ({"gpu": "optional"}, None),
        ({"gpu": "optional", "cpus": 4}, {"cpus": 4}),
        ({"gpu": True}, {"gpu": True}),
        ({"gpu": {"cores": 2}}, {"gpu": {"cores": 2}}),
        ({}, {}),
    ],
)
def test_the_request_that_poetry_tf_made_is_taken_back(requirements: Any, left: Any):
    text = written({"image": IMAGES.image("3.11"), "hostRequirements": requirements})
    made = data(fixed(text, make_spec(plan_for(gpu="none"))))
    assert made.get("hostRequirements") == left
    same = data(fixed(text, make_spec(plan_for(gpu="none"), whole=False)))
    assert same["hostRequirements"] == requirements


@pytest.mark.parametrize(
    ("arguments", "asks"),
    [
        (["--gpus=all", "--runtime=nvidia"], "--gpus=all"),
        (["--runtime=nvidia", "--gpus", "all"], "--gpus"),
        (["--runtime=nvidia"], "hostRequirements"),
    ],
)
def test_what_asks_for_the_gpu_besides_is_named(arguments: list[str], asks: str):
    text = written({"image": "mine", "runArgs": arguments})
    found = find_changes(PATH, JsoncDocument.parse(text), make_spec(whole=False))
    (remedy,) = [item.remedy for item in found if "runtime=nvidia" in item.message]
    assert remedy.startswith(f'Remove it: "{asks}" asks for a GPU')


@pytest.mark.parametrize("plan", [None, plan_for()], ids=["no plan", "plan"])
def test_a_runtime_that_was_the_only_way_to_a_gpu_is_replaced(plan: Plan | None):
    text = written({"image": "mine", "runArgs": ["--runtime=nvidia", "--ipc=host"]})
    made = data(fixed(text, replace(make_spec(whole=False), plan=plan)))
    assert made["runArgs"] == ["--ipc=host"]
    assert made["hostRequirements"] == {"gpu": "optional"}
    none = data(fixed(text, make_spec(plan_for(gpu="none"), whole=False)))
    assert "hostRequirements" not in none


PODMAN, REQUIRED = "--device=nvidia.com/gpu=all", "--gpus=all"


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"engine": "podman"}, PODMAN),
        ({"gpu_required": True}, REQUIRED),
        ({"engine": "podman", "gpu_required": True}, PODMAN),
    ],
)
@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({}, []),
        ({"hostRequirements": {"gpu": True}}, []),
        ({"runArgs": ["--ipc=host"]}, ["--ipc=host"]),
        ({"runArgs": ["--runtime=nvidia"], "hostRequirements": ...}, []),
        ({"runArgs": ["--runtime=nvidia", "--ipc=host"]}, ["--ipc=host"]),
    ],
)
def test_an_engine_and_a_gpu_that_must_be_there_are_requested_in_their_own_form(
    given: dict[str, Any], argument: str, keys: dict[str, Any], left: list[str]
):
    spec, text = having(**given), container(**keys)
    assert "TF504" in codes(text, spec)
    made = data(fixed(text, spec))
    assert made["runArgs"] == [*left, argument]
    assert "hostRequirements" not in made
    assert codes(fixed(text, spec), spec) == []
    assert fixed(fixed(text, spec), spec) == fixed(text, spec)


def test_podman_gets_no_request_for_docker():
    spec = having(engine="podman")
    text = container(runArgs=["--gpus", "all"], hostRequirements=...)
    assert data(fixed(text, spec))["runArgs"] == [PODMAN]
    own = container(runArgs=["--device", "nvidia.com/gpu=0"], hostRequirements=...)
    assert fixed(own, spec) == own
    none = replace(make_spec(plan_for(gpu="none")), settings=Settings(engine="podman"))
    made = data(fixed(container(runArgs=[PODMAN], hostRequirements=...), none))
    assert "runArgs" not in made and "hostRequirements" not in made
    made = data(fixed(container(runArgs=[PODMAN, "-q"], hostRequirements=...), none))
    assert made["runArgs"] == ["-q"]


@pytest.mark.parametrize("spelling", [[PODMAN], ["--device", "nvidia.com/gpu=all"]])
def test_going_back_to_docker_has_nothing_of_podmans_left(spelling: list[str]):
    text = container(runArgs=["--ipc=host", *spelling], hostRequirements=...)
    made = data(fixed(text, having(engine="docker")))
    assert made["runArgs"] == ["--ipc=host"]
    assert made["hostRequirements"] == {"gpu": "optional"}
    made = data(fixed(text, having(engine="docker", gpu_required=True)))
    assert made["runArgs"] == ["--ipc=host", REQUIRED]
    none = replace(make_spec(plan_for(gpu="none")), settings=Settings(engine="docker"))
    made = data(fixed(text, none))
    assert made["runArgs"] == ["--ipc=host"] and "hostRequirements" not in made
    # Where nobody has said which it is, it may be somebody's Podman.
    assert data(fixed(text, make_spec()))["runArgs"] == ["--ipc=host", *spelling]


def test_what_the_host_must_have_besides_the_gpu_stays():
    text = container(hostRequirements={"gpu": "optional", "cpus": 4})
    made = data(fixed(text, having(gpu_required=True)))
    assert made["hostRequirements"] == {"cpus": 4}


_DEVICES = "deploy: {resources: {reservations: {devices: [%s]}}}"


@pytest.mark.parametrize(
    ("service", "is_found"),
    [
        ("image: x", True),
        ("gpus: all", False),
        ("gpus: [{driver: nvidia}]", False),
        ("runtime: nvidia", False),
        ("runtime: runc", True),
        ("runtime: ${RUNTIME:-nvidia}", False),  # the machine decides
        (_DEVICES % "{driver: nvidia, count: 1}", False),
        (_DEVICES % "{capabilities: [gpu]}", False),
        (_DEVICES % "{driver: cdi, device_ids: ['nvidia.com/gpu=all']}", False),
        (_DEVICES % "{capabilities: [tpu]}", True),
        ("devices: ['nvidia.com/gpu=all']", False),
        ("devices: [/dev/fuse]", True),
        ("extends: base", False),
        ("extends: {file: other.yml, service: with}", False),
        ("extends: {file: other.yml, service: without}", True),
        ("extends: {file: gone.yml, service: with}", False),
        ("<<: *gpu", False),
        ("environment: !reset []", False),  # what can't be read is no finding
        ("extends: app", False),  # a circle
        ("<<: [*gpu, *gpu]", False),
        (f"runtime: 0x{'f' * 5_000}", True),
        ("x: !!timestamp never", True),
        ("x: &x [*x]", False),
    ],
)
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_compose_file_has_to_give_its_service_the_gpu(
    tmp_path: Path, service: str, is_found: bool, engine: str
):
    path = tmp_path / ".devcontainer" / "devcontainer.json"
    path.parent.mkdir()
    (tmp_path / "compose.yml").write_text(
        f"x-gpu: &gpu {{gpus: all}}\nservices:\n  base: {{gpus: all}}\n  app:\n    {service}\n"
    )
    (tmp_path / "other.yml").write_text("services: {with: {gpus: all}, without: {image: x}}")
    text = written(
        {"dockerComposeFile": ["../compose.yml"], "service": "app", "runArgs": ["--gpus=all"]}
    )
    spec = having(engine=engine)
    changes = find_changes(path, JsoncDocument.parse(text), spec)
    assert [item.code for item in changes] == ["TF504"] * is_found
    assert all("../compose.yml" in item.remedy for item in changes)
    assert synchronize(path, JsoncDocument.parse(text), spec).text == text


def test_a_compose_file_of_aliases_is_read_in_proportion_to_its_size(tmp_path: Path):
    path = tmp_path / ".devcontainer" / "devcontainer.json"
    path.parent.mkdir()
    text = written({"dockerComposeFile": ["c.yml"] * 2, "service": "app"})
    for item in ("{<<: [%s]}", "[%s]"):
        lines = [f"a{i}: &a{i} {item % ','.join([f'*a{i - 1}'] * 9)}" for i in range(1, 30)]
        lines = ["a0: &a0 {p: 1}", *lines, "services: {app: {runtime: *a29}}"]
        (path.parent / "c.yml").write_text("\n".join(lines))
        assert find_changes(path, JsoncDocument.parse(text), make_spec()) == ()


def test_many_retired_arguments_are_removed_at_once():
    for number in (16, 2_000):
        arguments = [*["--gpus=all"] * number, "--ipc=host"]
        made = data(fixed(container(runArgs=arguments, hostRequirements=...)))
        assert made["runArgs"] == ["--ipc=host"]


@pytest.mark.parametrize("name", ["gone.yml", "../../outside.yml", "..", "broken.yml"])
def test_a_compose_file_that_cannot_be_read_is_no_finding(tmp_path: Path, name: str):
    path = tmp_path / "project" / ".devcontainer" / "devcontainer.json"
    path.parent.mkdir(parents=True)
    (tmp_path / "outside.yml").write_text("services: {app: {image: x}}")
    (path.parent / "broken.yml").write_text("services: [")
    text = written({"dockerComposeFile": name, "service": "app"})
    assert find_changes(path, JsoncDocument.parse(text), make_spec()) == ()


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("compute", "compute,utility"),
        ("video", "video,compute,utility"),
        ("graphics, compute", "graphics, compute,utility"),
        ("utility,compute", None),
        ("all", None),
        ("", None),
        ("${localEnv:CAPABILITIES}", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("where", ["containerEnv", "-e", "--env"])
@pytest.mark.sample(every=4)
def test_a_driver_of_which_parts_are_withheld(value: Any, right: str | None, where: str):
    name = "NVIDIA_DRIVER_CAPABILITIES"

    def text(value: Any) -> str:
        if where == "containerEnv":
            return container(containerEnv={**data(container())["containerEnv"], name: value})
        argument = f"{name}={value}"
        return container(runArgs=["-e", argument] if where == "-e" else [f"{where}={argument}"])

    spec = make_spec(plan_of("2.21.0", "system"))
    for_older = make_spec(plan_of("2.20.0", "none"))
    made = fixed(text(value), spec)
    if value is not None or where == "containerEnv":
        assert ("TF504" in codes(text(value), spec)) == (right is not None)
        assert made == fixed(text(right or value), spec)
    assert fixed(made, spec) == made
    assert "TF504" not in codes(text(value), for_older)


def test_an_older_tensorflow_needs_no_nvml():
    text = container(runArgs=["-e", "NVIDIA_DRIVER_CAPABILITIES=compute"])
    assert codes(text, make_spec(plan_of("2.20.0", "system"))) == ["TF503"]
    text = container(runArgs=["-e", "NVIDIA_DRIVER_CAPABILITIES=utility"])
    assert "TF504" in codes(text, make_spec(plan_of("2.20.0", "system")))
