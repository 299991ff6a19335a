"""How to set up a host, by system. The commands are shown, never run.

Sources: NVIDIA's installation guide of the Container Toolkit, Docker's and WSL's manuals, the
distributions' own wikis (Arch, Debian, Ubuntu, RPM Fusion); for Docker's snap its README
(https://github.com/canonical/docker-snap); for Podman's virtual machine Podman Desktop's page on
GPUs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from poetry_tf.doctor.host.model import Remedy, System
from poetry_tf.doctor.host.system import ContainerKind

_KEYRING = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg"
_TOOLKIT = "https://nvidia.github.io/libnvidia-container"
_WINDOWS = ("start https://www.nvidia.com/drivers",)
_FEDORA = (
    "sudo dnf install akmod-nvidia{0} xorg-x11-drv-nvidia{0}-cuda  # from RPM Fusion (nonfree)"
)
REGISTER = (
    "sudo nvidia-ctk runtime configure --runtime=docker",
    "sudo systemctl restart docker",
)
_NO_CGROUPS = "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place"
_REGISTER_ROOTLESS = (
    "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json",
    _NO_CGROUPS,
    "systemctl --user restart docker",
)
_FEDORAS_TOOLKIT = (
    f"curl -fsSL {_TOOLKIT}/stable/rpm/nvidia-container-toolkit.repo"
    " | sudo tee /etc/yum.repos.d/nvidia-container-toolkit.repo",
    "sudo dnf install nvidia-container-toolkit",
)

_GENERATE = "sudo nvidia-ctk cdi generate --output="

WITHOUT_GPU = Remedy(
    "Without a GPU, TensorFlow uses the CPU. To set the project up for the CPU:",
    everywhere=("poetry tf init --gpu none",),
)
RESTART = Remedy("Restart the machine")
WINDOWS_DRIVER = Remedy(
    "Install the NVIDIA driver on Windows; it includes the one for WSL (install none inside WSL):",
    {"windows": _WINDOWS},
)
WSL_UPDATE = Remedy("In PowerShell:", everywhere=("wsl --update", "wsl --shutdown"))
MODULE = Remedy(
    "Restart the machine, as after each kernel update. If that doesn't help, load the module and "
    "read the message; with Secure Boot the module must be signed:",
    everywhere=("sudo modprobe nvidia", "mokutil --sb-state"),
)
DOCKER = Remedy(
    "Install Docker, start it, and log in again:",
    {
        "arch": (
            "sudo pacman -S docker docker-buildx",
            "sudo systemctl enable --now docker",
            "sudo usermod -aG docker $USER",
        ),
        "debian": ("sudo apt install docker.io", "sudo usermod -aG docker $USER"),
        "fedora": (
            "sudo dnf install moby-engine",
            "sudo systemctl enable --now docker",
            "sudo usermod -aG docker $USER",
        ),
        "windows": ("winget install Docker.DockerDesktop",),
    },
)
DOCKER_ON_MAC = Remedy(
    "Install Docker Desktop, and start it:", everywhere=("brew install --cask docker",)
)
DOCKER_IN_WSL = Remedy(
    "Start Docker Desktop on Windows, and turn this distribution on under Settings > Resources > "
    "WSL integration"
)
DOCKER_DESKTOP = Remedy("Start Docker Desktop, and wait until it is running")
START_DOCKER = Remedy("Start it:", everywhere=("sudo systemctl enable --now docker",))
RESTART_DOCKER = Remedy("Restart it:", everywhere=("sudo systemctl restart docker",))
DOCKER_GROUP = Remedy(
    "Add your user to the docker group (its members can do anything root can), and log in again:",
    everywhere=("sudo usermod -aG docker $USER",),
)
PODMAN = Remedy(
    "Install Podman:",
    {
        "arch": ("sudo pacman -S podman",),
        "debian": ("sudo apt install podman",),
        "fedora": ("sudo dnf install podman",),
        "windows": ("winget install RedHat.Podman",),
    },
)
PODMAN_SAYS = Remedy(
    "Read Podman's full output. After changing its settings or /etc/subuid, apply the change:",
    everywhere=("podman info", "podman system migrate"),
)
PODMAN_MACHINE = Remedy(
    "Restart its virtual machine (if there is none yet, create it with podman machine init):",
    everywhere=("podman machine stop", "podman machine start"),
)
PODMAN_CDI_IN_MACHINE = Remedy(
    "Log in to the virtual machine, install the NVIDIA Container Toolkit there, and create the CDI "
    "file for the GPUs:",
    everywhere=("podman machine ssh", *_FEDORAS_TOOLKIT, f"{_GENERATE}/etc/cdi/nvidia.yaml"),
)
TO_PODMAN = Remedy(
    "Set the engine to Podman:", everywhere=("poetry tf devcontainer --engine podman",)
)
NEWER_DOCKER = Remedy(
    "Install a newer Docker, and restart it:",
    {
        "arch": ("sudo pacman -Syu docker", "sudo systemctl restart docker"),
        "debian": ("sudo apt update", "sudo apt install docker.io"),
        "fedora": ("sudo dnf install moby-engine", "sudo systemctl restart docker"),
        "windows": ("winget upgrade Docker.DockerDesktop",),
    },
)
START_ROOTLESS = Remedy(
    "Start your own Docker:", everywhere=("systemctl --user enable --now docker",)
)
RESTART_ROOTLESS = Remedy(
    "Restart your own Docker:", everywhere=("systemctl --user restart docker",)
)
NO_CGROUPS = Remedy("Turn cgroups off in the toolkit:", everywhere=(_NO_CGROUPS,))
START_SNAP = Remedy("Start Docker's snap:", everywhere=("sudo snap start docker",))
RESTART_SNAP = Remedy("Restart Docker's snap:", everywhere=("sudo snap restart docker",))
SNAP_GROUP = Remedy(
    "Add your user to the docker group (its members can do anything root can), and log in again:",
    everywhere=(
        "sudo addgroup --system docker",
        "sudo adduser $USER docker",
        "sudo snap disable docker",
        "sudo snap enable docker",
    ),
)
SNAP_RUNTIME = Remedy(
    "This Docker is a snap. It has its own toolkit, registers it at its start if it finds the "
    "NVIDIA driver, and ignores what nvidia-ctk writes. Restart it, or replace it with Docker "
    "Engine:",
    everywhere=(
        "sudo snap restart docker",
        "sudo snap remove docker && sudo apt install docker.io  # instead",
    ),
)
GPU_NOT_AVAILABLE = Remedy(
    "Tell the dev container tools that there is no GPU: in VS Code with the setting "
    '"dev.containers.gpuAvailability": "none", on the command line with:',
    everywhere=("devcontainer up --workspace-folder . --gpu-availability none",),
)
GPU_AVAILABLE = Remedy(
    "Tell the dev container tools that there is a GPU: in VS Code with the setting "
    '"dev.containers.gpuAvailability": "all", on the command line with:',
    everywhere=("devcontainer up --workspace-folder . --gpu-availability all",),
)
NOT_WSLC = Remedy(
    'Install Docker Desktop, and in VS Code set "dev.containers.dockerPath" to "docker":',
    everywhere=("winget install Docker.DockerDesktop",),
)
SNAP_ALONE = Remedy(
    "Remove the toolkit and restart the machine (or remove the snap and install docker.io):",
    everywhere=(
        "sudo apt remove nvidia-container-toolkit nvidia-container-toolkit-base "
        "libnvidia-container-tools libnvidia-container1",
    ),
)
SELINUX = Remedy(
    "Let containers use devices:", everywhere=("sudo setsebool -P container_use_devices on",)
)
DOCKER_THERE = Remedy(
    "Check whether it is running:", everywhere=("systemctl status docker",), where="there"
)
PODMAN_THERE = Remedy(
    "Check whether it is running:",
    everywhere=("systemctl --user status podman.socket",),
    where="there",
)
DESKTOP_WSL2 = Remedy('In Docker Desktop: Settings > General > "Use the WSL 2 based engine"')
DESKTOP_ON_LINUX = Remedy(
    "Use Docker Engine, which can be installed beside it:",
    DOCKER.commands,
    everywhere=("docker context use default",),
)


# https://docs.docker.com/engine/containers/gpu/, podman-run(1), apptainer's page "GPU Support", and
# Kubernetes' "Schedule GPUs", whose limit is a line of the pod's manifest.
_WITH_GPU: Mapping[ContainerKind, tuple[str, tuple[str, ...]]] = {
    "apptainer": ("Start it with the NVIDIA driver:", ("apptainer exec --nv IMAGE COMMAND",)),
    "docker": ("Start it with the GPU:", ("docker run --gpus all IMAGE",)),
    "podman": ("Start it with the GPU:", ("podman run --device nvidia.com/gpu=all IMAGE",)),
    "kubernetes": ("Set the limit nvidia.com/gpu: 1 for the container in the pod's manifest", ()),
}


def start_with_gpu(kind: ContainerKind | None) -> Remedy:
    """Starts a container that was not made from a devcontainer.json with the GPU."""
    what, commands = _WITH_GPU.get(kind or "other", ("Start the container with the GPU", ()))
    return Remedy(what, everywhere=commands, where="host")


def driver(branch: int | None) -> Remedy:
    """Installs the NVIDIA driver; for an older GPU the last branch that supports it."""
    return Remedy("Install the NVIDIA driver, and restart the machine:", _drivers(branch))


def newer_driver(branch: int | None) -> Remedy:
    """Installs a newer driver."""
    return Remedy("Install a newer driver, and restart the machine:", _drivers(branch))


def last_driver(branch: int) -> Remedy:
    """Replaces a driver that is too new with the last one for an older GPU."""
    what = (
        "Restart the machine, as after each kernel update. If that doesn't help and the installed "
        "driver is newer, install the last one that supports this GPU, and restart again:"
    )
    return Remedy(what, _drivers(branch))


def _drivers(branch: int | None) -> dict[System, tuple[str, ...]]:
    """The packages of the NVIDIA driver.

    Arch has only the newest, for Turing and later, and older ones in the AUR; RPM Fusion has both
    (https://archlinux.org/news/, "NVIDIA 590 driver drops Pascal and lower support"). Ubuntu's tool
    takes a branch (https://documentation.ubuntu.com/server/how-to/graphics/install-nvidia-drivers).
    """
    arch = "sudo pacman -S nvidia-open  # for Turing (GTX 16, RTX 20) and later"
    fedora = ubuntu = ""
    debian = "nvidia-driver nvidia-smi libcuda1"
    if branch is not None:
        arch = f"yay -S nvidia-{branch}xx-dkms  # from the AUR; needs your kernel's headers too"
        fedora, ubuntu = f"-{branch}xx", f" nvidia:{branch}"
    if branch == 470:
        debian = "nvidia-tesla-470-driver nvidia-tesla-470-smi libnvidia-tesla-470-cuda1"
    return {
        "arch": (arch,),
        "debian": (f"sudo apt install {debian}  # from non-free",),
        "ubuntu": (f"sudo ubuntu-drivers install{ubuntu}",),
        "fedora": (_FEDORA.format(fedora),),
        "windows": _WINDOWS,
    }


def on_remote_host(remedy: Remedy) -> Remedy:
    """The remedy, to be applied on the remote machine that runs the container."""
    return replace(remedy, where="there")


def check_remote_host(driver: str | None) -> Remedy:
    """How to check the GPU and driver of a remote machine."""
    least = f" (the driver must be {driver} or later)" if driver else ""
    return Remedy(f"Check its GPU and driver{least}:", everywhere=("nvidia-smi",), where="there")


def cdi(*, install: bool, path: str = "/etc/cdi/nvidia.yaml") -> Remedy:
    """Writes the CDI file that describes the GPUs to Podman."""
    generate = (f"{_GENERATE}{shlex.quote(path)}",)
    if not install:
        what = "Create the CDI file for the GPUs (again after each driver update):"
        return Remedy(what, everywhere=generate)
    what = "Install the NVIDIA Container Toolkit, and create the CDI file for the GPUs:"
    return Remedy(what, _toolkit(), generate)


def older_cdi() -> Remedy:
    """Writes a CDI file that Podman before 5 can read.

    The flag is in the known issues of the toolkit's release notes (1.19.1).
    """
    return Remedy(
        "Create the CDI file without the field that Podman before 5 doesn't know, or install "
        "Podman 5:",
        everywhere=(
            f"{_GENERATE}/etc/cdi/nvidia.yaml --feature-flag=no-additional-gids-for-device-nodes",
        ),
    )


def toolkit(*, installed: bool, rootless: bool) -> Remedy:
    """Registers the NVIDIA Container Toolkit with Docker, rootless or not."""
    register = _REGISTER_ROOTLESS if rootless else REGISTER
    if installed:
        return Remedy("Register the toolkit with Docker:", everywhere=register)
    what = "Install the NVIDIA Container Toolkit, and register it with Docker:"
    return Remedy(what, _toolkit(), register)


def _toolkit() -> dict[System, tuple[str, ...]]:
    return {
        "arch": ("sudo pacman -S nvidia-container-toolkit",),
        "debian": (
            f"curl -fsSL {_TOOLKIT}/gpgkey | sudo gpg --dearmor -o {_KEYRING}",
            f"curl -fsSL {_TOOLKIT}/stable/deb/nvidia-container-toolkit.list"
            f" | sed 's#deb https://#deb [signed-by={_KEYRING}] https://#g'"
            " | sudo tee /etc/apt/sources.list.d/nvidia-container-toolkit.list",
            "sudo apt update && sudo apt install nvidia-container-toolkit",
        ),
        "fedora": _FEDORAS_TOOLKIT,
        "windows": (),
    }
