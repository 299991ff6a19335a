"""How commands describe a dev container: a summary, notes and warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from poetry_tf.commands.base import plain
from poetry_tf.devcontainer.gpu import brings_cuda
from poetry_tf.devcontainer.image import container_python, has_own_base
from poetry_tf.devcontainer.origin import NAME, running_origin
from poetry_tf.devcontainer.plugin import missing_plugin, names_no_address, plugin_requirement
from poetry_tf.devcontainer.poetry import ENVIRONMENT, ENVIRONMENT_VOLUME
from poetry_tf.devcontainer.spec import container_spec
from poetry_tf.devcontainer.view import View
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.files.project import Devcontainer, Project, readable_configurations
from poetry_tf.plan.environments import DEFAULT_ENVIRONMENTS
from poetry_tf.plan.model import Plan
from poetry_tf.plan.requirement import requires_cuda_wheels
from poetry_tf.plan.settings import read_settings
from poetry_tf.releases import load
from poetry_tf.releases.images import load_images
from poetry_tf.releases.model import LINUX_AARCH64
from poetry_tf.releases.summary import origin_note
from poetry_tf.text import format_list, shell_word

# The variable of a machine in an image's name, with the value where there is none.
_DEFAULT = re.compile(r"\$\{localEnv:[^}:]*:?([^}]*)\}")


def up_command(project: Project, *options: str) -> str:
    """The command that starts the project's container, with --config if it is not the default."""
    words = ["devcontainer up --workspace-folder .", *options]
    if project.devcontainer is None and (others := readable_configurations(project)):
        path = others[0].path.relative_to(project.root).as_posix()
        words.append(f"--config {shell_word(path) or '<its path>'}")
    return " ".join(words)


def rebuild_step(project: Project) -> str:
    """The next step after a change of a container that there is, as a line of the console."""
    return (
        "Next: rebuild the container (<c1>Dev Containers: Rebuild Container</> in VS Code, "
        f"or <c1>{plain(up_command(project, '--remove-existing-container'))}</>)"
    )


def plan_summary(plan: Plan, document: JsoncDocument | None = None) -> str:
    """The planned TensorFlow and Python in one line, and what CUDA the container has, or the CPU.

    Without a document nothing is said of a container; for a base of the user's own, what it has to
    contain. Of a release that is newer than the data, it says where its facts come from.
    """
    origin = origin_note(plan.release, load().data_version)
    more = f"; this TensorFlow is {origin}" if origin else ""
    if document is None:
        where = ", on the CPU" if plan.gpu.mode == "none" else ""
        return f"TensorFlow {plan.release.version} on Python {plan.python}{where}{more}"
    if has_own_base(document):
        return f"TensorFlow {plan.release.version}{_own_base_text(plan, document)}{more}"
    python = container_python(document) or plan.python
    return f"TensorFlow {plan.release.version} on Python {python}{_cuda_text(plan)}{more}"


def missing_plugin_notes(project: Project, plan: Plan) -> Iterator[str]:
    """Why the container does not install poetry-tf, if it does not."""
    found = project.devcontainer
    spec = container_spec(project, plan, load_images(), whole=True)
    if isinstance(found, Devcontainer) and (
        why := missing_plugin(found.path, found.document, spec)
    ):
        yield why


def container_notes(project: Project, plan: Plan, *, whole: bool = False) -> Iterator[str]:
    """What the user has to know of the machines that run the container.

    With `whole`, also what concerns environments that the project has not declared.
    """
    if _shares_environment(project, whole=whole):
        yield (
            "Poetry on the host takes an empty .venv for a broken environment and creates it "
            "again; a running container then loses its own until the next start. To keep them "
            "apart: poetry config --local virtualenvs.in-project false"
        )
    settings = read_settings(project)[0]
    environments = settings.environments or (DEFAULT_ENVIRONMENTS if whole else ())
    if plan.gpu.mode == "none":
        return
    if settings.engine == "podman":
        yield "Podman starts it only if the GPU has a CDI file: sudo nvidia-ctk cdi generate"
    if plan.gpu.mode == "system" and LINUX_AARCH64 in environments:
        yield (
            "On linux-aarch64 (Apple silicon) CUDA has no use, and its feature is not known to "
            'install there. With gpu = "pip" the container starts there as well.'
        )


def offline_notes(project: Project) -> Iterator[str]:
    """What a first build needs besides the files of the lock, with the commands that carry it.

    The commands are for this file: its image, its features, and whether it installs poetry-tf.
    """
    found = project.devcontainer
    if not isinstance(found, Devcontainer):
        return
    engine = read_settings(project)[0].engine or "docker"
    image, features = found.document.get(("image",)), found.document.get(("features",))
    options = ""
    if isinstance(features, dict) and features:
        built = f"{canonicalize_name(project.pyproject.name or project.root.name)}-offline"
        yield (
            f"the features {format_list(features)} and what they download. Where there is a "
            "network, build an image with them, which has the settings of this file as well:"
        )
        yield f"  devcontainer build --workspace-folder . --image-name {built}"
        yield from _carry(engine, built)
        yield f'  there: echo \'{{"image": "{built}"}}\' > offline.json'
        options = " --override-config offline.json"
    elif isinstance(image, str) and (word := shell_word(_DEFAULT.sub(r"\1", image))):
        yield f"the image {word}:"
        yield f"  {engine} pull {word}"
        yield from _carry(engine, word)
    else:
        yield "the images and files that your Dockerfile or services are built from"
    yield (
        "an index for pip, which installs Poetry in the container: a web server (SERVER) that "
        "serves the folder of `poetry tf mirror save`:"
    )
    yield (
        f"  POETRY_TF_MIRROR={_SERVER} devcontainer up --workspace-folder .{options} "
        f"--remote-env PIP_INDEX_URL={_SERVER} --remote-env PIP_TRUSTED_HOST=SERVER"
    )
    if (why := _lacking_plugin(found)) is not None:
        yield f"poetry-tf, which reads POETRY_TF_MIRROR: {why}. In the running container:"
        yield (
            f"  POETRY_TF_MIRROR={_SERVER} devcontainer exec --workspace-folder . "
            "--remote-env PIP_TRUSTED_HOST=SERVER sh -c "
            f"'pipx inject poetry {NAME}=={running_origin().version} --index-url {_SERVER} && "
            "poetry install'"
        )


_SERVER = "http://SERVER:8000/simple/"


def _lacking_plugin(found: Devcontainer) -> str | None:
    """Why a container has no poetry-tf where there is no network; None if it has, or may have."""
    view = View(found.path, found.document, is_new=False)
    requirement = plugin_requirement(view)
    if requirement is None:
        return None if view.own_base else "this file does not install it"
    if names_no_address(requirement):
        return None
    return "this file installs it from an address on the network, which fails"


def _carry(engine: str, image: str) -> Iterator[str]:
    yield f"  {engine} save --output image.tar {image}"
    yield f"  there: {engine} load --input image.tar"


def _shares_environment(project: Project, *, whole: bool) -> bool:
    """Whether Poetry on the host would recreate the folder that the container mounts a volume on.

    The engine creates it on the host, empty. poetry.toml decides it for the host only: in the
    container an environment variable takes precedence.
    """
    found, folder = project.devcontainer, project.root / ENVIRONMENT
    if not isinstance(found, Devcontainer) or ENVIRONMENT_VOLUME not in found.document.text:
        return False
    table = project.poetry_toml.data.get("virtualenvs") if project.poetry_toml else None
    if isinstance(table, dict) and "in-project" in table:
        return False
    try:
        return whole or (folder.is_dir() and not any(folder.iterdir()))
    except OSError:
        return False


def _own_base_text(plan: Plan, document: JsoncDocument) -> str:
    """What is added to a base of the user's own, and what it has to contain itself."""
    brought, needed = "", f"Python {' or '.join(plan.pythons)}"
    if plan.gpu.mode == "system" and brings_cuda(document, load_images()):
        brought = _cuda_text(plan)
    elif plan.gpu.mode == "system":
        needed += f", CUDA {plan.gpu.cuda} and cuDNN {plan.gpu.cudnn}"
    return f"{brought}. The base image is yours and was not checked: it needs {needed}"


def _cuda_text(plan: Plan) -> str:
    gpu = plan.gpu
    if gpu.mode == "system":
        proof = " (proven for this TensorFlow)" if gpu.proven else ""
        return f"; the container brings CUDA {gpu.cuda} and cuDNN {gpu.cudnn}{proof}"
    if gpu.mode == "pip":
        return f"; TensorFlow's own wheels bring CUDA and cuDNN ({gpu.why})"
    return f", on the CPU ({gpu.why})"


def no_cuda_warning(project: Project, plan: Plan) -> str | None:
    """A warning if the wheels are to bring CUDA and the project does not require it; else None."""
    if plan.gpu.mode != "pip" or requires_cuda_wheels(project):
        return None
    name = plan.release.distribution
    return (
        f"{name} is required without and-cuda, so nothing installs CUDA and it uses the CPU. "
        f"Require {name}[and-cuda], or run `poetry tf init`, which does so where its wheels fit."
    )


def unproven_warning(plan: Plan) -> str | None:
    """A warning if CUDA and cuDNN are not proven to work, by choice or by a lock; else None."""
    gpu = plan.gpu
    if gpu.clashing:
        return (
            f"TensorFlow {plan.release.version} is not known to find the GPU with what is locked: "
            f"{format_list(gpu.clashing)}. To see why and what helps (TF108): poetry tf check"
        )
    if gpu.mode != "system" or gpu.proven:
        return None
    return (
        f"TensorFlow {plan.release.version} is not proven to find the GPU with CUDA {gpu.cuda} and "
        f'cuDNN {gpu.cudnn}; gpu = "auto" uses what is known to work.'
    )
