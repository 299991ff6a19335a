"""The examples in the help of the commands: each is accepted as it stands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import pytest
from cleo.io.inputs.argv_input import ArgvInput

from poetry_tf.actions.options import parse_environments, parse_gpu, parse_python
from poetry_tf.commands.base import TensorFlowCommand
from poetry_tf.index.mirrors import parse_mirror
from poetry_tf.plugin import COMMANDS
from poetry_tf.releases import load

CLASSES: Mapping[str, type[TensorFlowCommand]] = {
    name: getattr(import_module(f"poetry_tf.commands.{module}"), cls)
    for name, (module, cls) in COMMANDS.items()
}
EXAMPLES = [(name, line) for name, command in CLASSES.items() for line in command.examples]
VALUES: Mapping[str, Callable[[str], object]] = {
    "environments": lambda text: parse_environments([text]),
    "gpu": parse_gpu,
    "mirror": parse_mirror,
    "python": parse_python,
    "tensorflow": lambda text: {release.series for release in load().releases} & {text},
}
"""What reads the values of options; the others take any text."""


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_an_example_is_accepted(name: str, line: str) -> None:
    command = CLASSES[name]()
    program, *words = shlex.split(line)
    own = name.split()
    assert program == "poetry" and words[: len(own)] == own
    values = [word for word in words[len(own) :] if word != "-n"]  # Poetry's own option
    given = ArgvInput([program, *values])
    given.bind(command.definition)
    given.validate()
    for option, value in given.options.items():
        texts: list[Any] = value if isinstance(value, list) else [value]
        for text in texts:
            if isinstance(text, str) and option in VALUES:
                assert VALUES[option](text)
    if name.startswith("tf mirror") and "mirror" in given.arguments:
        for word in given.argument("mirror") or ():
            assert parse_mirror(word)
