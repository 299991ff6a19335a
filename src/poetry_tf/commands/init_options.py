"""The options of ``poetry tf init``."""

from __future__ import annotations

from cleo.helpers import option
from cleo.io.inputs.option import Option

from poetry_tf.index.mirrors import MIRRORS
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS, ENVIRONMENTS

OPTIONS: list[Option] = [
    option(
        "from",
        None,
        "Add the packages of a Conda environment.yml, of the output of <info>conda list</>, or of "
        "a requirements.txt; <info>-</> reads it from standard input.",
        flag=False,
    ),
    option(
        "tensorflow",
        None,
        "The TensorFlow series (2.18), or the lowest release of it (2.18.1). Default: the newest.",
        flag=False,
    ),
    option(
        "python",
        None,
        "The Python minor version (3.11). Default: the newest with TensorFlow wheels; without a "
        "container, the newest of those that Poetry finds on this machine.",
        flag=False,
    ),
    option(
        "gpu",
        None,
        "system (CUDA and cuDNN installed in the container, or on this machine), pip (TensorFlow's "
        "and-cuda wheels), none, or auto, the default: what is known to work in a container; "
        "without one, what this machine has, else the CPU.",
        flag=False,
    ),
    option(
        "environments",
        None,
        f"The environments that the lock file has to work in: some of {', '.join(ENVIRONMENTS)}, "
        f"separated by commas or repeated. Default: {' and '.join(DEFAULT_ENVIRONMENTS)}, for "
        "containers.",
        flag=False,
        multiple=True,
    ),
    option(
        "mirror",
        None,
        f"auto, off, a URL, one of {', '.join(MIRRORS)}, or several of these, "
        "separated by commas, the preferred first. Default: auto, which is TUNA unless it fails or "
        "PyPI is clearly faster from here.",
        flag=False,
    ),
    option(
        "write-source",
        None,
        "Write the mirror into pyproject.toml as a source, which ties the lock file to it.",
    ),
    option("no-lock", None, "Don't lock the project."),
    option(
        "no-devcontainer",
        None,
        "Set the project up for this machine: write no devcontainer.json, and set "
        "<comment>devcontainer</> to off in <comment>[tool.poetry-tf]</>.",
    ),
    option("dry-run", None, "Show the changes as unified diffs and write nothing."),
]
