"""The line that a container prints at each start: what TensorFlow will run on.

The command needs nothing but Poetry and TensorFlow, and succeeds whatever it finds. It stays the
same for every TensorFlow, because what it says is read from devcontainer.json when it runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from poetry_tf.container.view import Change, View
from poetry_tf.container.wanted import Wanted

STARTS = "postStartCommand"

# What the container was built for, noted at its first start: a new container has none of it.
_NOTE = ".poetry-tf-built"
_FACTS = r'"(image|cudaVersion|cudnnVersion)" *: *"[^"]*"'
_REBUILD = "rebuild the container, it was made for another Python, CUDA or cuDNN"
_BROKEN = "TensorFlow can't be imported: poetry install"
# It stands between double quotes of the shell's, so it has none itself; and in the file that it
# reads, so what it looks for is written in a way that doesn't find itself.
_PROGRAM = """\
import glob, re, sys, tensorflow as tf
text, config = open(sys.argv[1]).read(), tf.config
details = config.experimental.get_device_details
gpus = [details(d).get('device_name', d.name) for d in config.list_physical_devices('GPU')]
why = 'rebuild the container' if re.search('.cudaVersion. *:', text) else 'poetry install'
why = 'CUDA is not found: ' + why
if not glob.glob('/dev/nvidia[0-9]*') + glob.glob('/dev/dxg'):
    podman = re.search('nvidia.com/gp[u]', text)
    docker = 'runtime configure && sudo systemctl restart docker'
    why = 'cdi generate --output=/etc/cdi/nvidia.yaml' if podman else docker
    why = 'the container has no GPU; if its host has one: sudo nvidia-ctk ' + why
if not re.search('.gpu. *:|--gpu[s]|nvidia.com/gp[u]', text):
    why = 'no GPU is asked for: poetry tf init --gpu auto'
print('TensorFlow', tf.__version__, 'uses', ', '.join(gpus) or 'the CPU: ' + why)
"""


def status(view: View, wanted: Wanted) -> Iterator[Change]:
    """Whether a container that poetry-tf has prepared says at each start what it runs on."""
    if wanted.plan is None or view.own_base or not wanted.whole:
        return
    prepared = any("poetry-tf==" in word.text for task in view.tasks for word in task.words)
    if prepared and not any(_NOTE in word.text for task in view.tasks for word in task.words):
        edits = tuple(view.add_command(STARTS, command(view.path)))
        yield Change(None, "nothing is said of the GPU", "", (STARTS,), edits)


def command(path: Path) -> str:
    """The command for the container of a devcontainer.json."""
    return (
        f"f={shlex.quote(_within_project(path))}; b=$HOME/{_NOTE}; "
        f"facts() {{ grep -oE '{_FACTS}' $f; }}; [ -e $b ] || facts > $b; "
        f'if [ "$(facts)" != "$(cat $b)" ]; then echo "{_REBUILD}"; '
        f'else TF_CPP_MIN_LOG_LEVEL=3 poetry run python -c "{_PROGRAM}" "$f" 2>/dev/null '
        f'|| echo "{_BROKEN}"; fi; true'
    )


def _within_project(path: Path) -> str:
    """Where a devcontainer.json lies in its project, as its container sees it."""
    parts = path.parts
    if ".devcontainer" in parts:
        last = len(parts) - 1 - parts[::-1].index(".devcontainer")
        return "/".join(parts[last:])
    return path.name
