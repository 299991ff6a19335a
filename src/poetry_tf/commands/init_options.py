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
        "Take over the packages of an environment.yml of Conda's, of what <info>conda list</> "
        "prints or exports, or of a requirements.txt; <info>-</> reads it from standard input.",
        flag=False,
    ),
    option(
        "tensorflow",
        None,
        "The series of TensorFlow (2.18), or the release to begin it at (2.18.1). "
        "Default: the newest.",
        flag=False,
    ),
    option(
        "python",
        None,
        "The Python minor version (3.11). Default: the newest that TensorFlow has wheels for; "
        "without a container, of those that Poetry finds here.",
        flag=False,
    ),
    option(
        "gpu",
        None,
        "auto, system (CUDA and cuDNN installed in the container, or on this machine), pip "
        "(TensorFlow's and-cuda wheels) or none.",
        flag=False,
    ),
    option(
        "environments",
        None,
        f"Where the lock has to be installable: some of {', '.join(ENVIRONMENTS)}, between "
        f"commas or repeated. Default: {' and '.join(DEFAULT_ENVIRONMENTS)}, the container's.",
        flag=False,
        multiple=True,
    ),
    option(
        "mirror",
        None,
        f"auto, off, a URL, one of {', '.join(MIRRORS)}, or several of these with commas "
        "between them, the preferred first. Default: auto, which is TUNA unless it fails or "
        "PyPI is clearly faster from here.",
        flag=False,
    ),
    option(
        "write-source",
        None,
        "Write the mirror into pyproject.toml as a source, which binds the lock to it.",
    ),
    option("no-lock", None, "Don't lock the project."),
    option(
        "no-devcontainer",
        None,
        "Set the project up for this machine: write no devcontainer.json, and say so in "
        "<comment>[tool.poetry-tf]</>.",
    ),
    option("dry-run", None, "Show the changes as unified diffs and write nothing."),
]
