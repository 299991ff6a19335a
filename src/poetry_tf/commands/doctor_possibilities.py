"""``poetry tf doctor`` without a project that requires TensorFlow: what this machine can run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from poetry_tf.doctor.host.possibilities import MachineFacts, Possibilities, Possibility
from poetry_tf.text import format_list


def format_possibilities(
    facts: MachineFacts, found: Possibilities, manager: str | None = None
) -> Iterator[str]:
    """The facts of the machine, what it can run, and the commands for that.

    `manager` is what manages the project, if another tool than Poetry does.
    """
    if manager is None:
        yield "No project with TensorFlow here. This machine:"
    else:
        yield (
            f"This project uses {manager}, not Poetry: poetry-tf doesn't check or install its "
            "TensorFlow. This machine:"
        )
    yield from (f"  {line}" for line in _facts(facts))
    yield "It can run:" if found.runnable else "It can't run TensorFlow:"
    for item in found.items:
        yield f"  {format_possibility(item, facts)}"
        yield from (f"    {command}" for command in item.commands)


def _facts(facts: MachineFacts) -> Iterator[str]:
    where = " in WSL 2" if facts.wsl == 2 else " in WSL 1" if facts.wsl else ""
    glibc = f", glibc {facts.glibc}" if facts.glibc else ""
    yield f"{facts.system} ({facts.architecture}){where}{glibc}"
    if facts.container is not None:
        kinds = {"devcontainer": "a dev container", "other": "a container"}
        yield kinds.get(facts.container, f"a container ({facts.container.capitalize()})")
    if facts.scheduler is not None:
        kind = "a login node" if facts.is_login_node else "a node"
        yield f"{kind} of a cluster ({facts.scheduler})"
    driver = f"driver {facts.driver}" if facts.driver else "no NVIDIA driver"
    gpus = format_list(facts.gpus) if facts.gpus else "NVIDIA GPU"
    yield f"{gpus}, {driver}" if facts.has_gpu else "no NVIDIA GPU"
    if facts.pythons:
        yield f"Python {format_list(facts.pythons)} (found by Poetry)"
    if facts.engine is not None:
        yield facts.engine.capitalize()


def format_possibility(item: Possibility, facts: MachineFacts) -> str:
    """What can run in one place, and why nothing newer or better can, in one line."""
    here = "without a container" if facts.container is None else "here"
    place = "in a container" if item.place == "container" else here
    why = f" ({item.cause.seen})" if item.cause is not None else ""
    if item.plan is None:
        return f"{place}: not possible{why}"
    python = f"Python {item.plan.python}{' (not installed yet)' * item.lacks_python}"
    what = f"{place}: TensorFlow {item.plan.release.series} with {python}"
    if item.plan.gpu.mode == "none":
        return f"{what}, on the CPU{why}"
    on = "on the GPU"
    if item.place == "here" and facts.scheduler is not None and not facts.gpus:
        on = "on the GPU of a node that has one"
    sources = {
        "pip": "CUDA and cuDNN from its wheels",
        "system": "CUDA and cuDNN from the container",
    }
    older = f" (a newer one doesn't work: {item.cause.seen})" if item.cause is not None else ""
    return f"{what}, {on}; {sources[item.plan.gpu.mode]}{older}"


def format_possibilities_briefly(
    facts: MachineFacts, found: Possibilities, manager: str | None = None
) -> str:
    """What the machine can run, and the command for it, in one line."""
    item = next(iter(found.runnable), None)
    if item is None:
        return f"This machine can't run TensorFlow; {format_possibility(found.items[-1], facts)}"
    if manager is not None:
        return f"This project uses {manager}, not Poetry; {format_possibility(item, facts)}"
    command = item.commands[0]
    return f"No project with TensorFlow; {format_possibility(item, facts)}. Run: {command}"


def possibilities_as_json(facts: MachineFacts, found: Possibilities) -> dict[str, Any]:
    """The keys of the document that only such a run has."""
    return {
        "machine": asdict(facts),
        "possibilities": [_as_json(item) for item in found.items],
    }


def _as_json(item: Possibility) -> dict[str, Any]:
    plan = item.plan
    return {
        "place": item.place,
        "tensorflow": plan and str(plan.release.version),
        "python": plan and plan.python,
        "has_python": None if plan is None or item.place == "container" else not item.lacks_python,
        "gpu": plan and plan.gpu.mode,
        "engine": item.engine,
        "why": item.cause and item.cause.seen,
        "commands": list(item.commands),
    }
