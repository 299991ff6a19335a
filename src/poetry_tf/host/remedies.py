"""How a host is set up, for each system. The commands are shown and never run.

Sources: NVIDIA's installation guide of the Container Toolkit, Docker's and WSL's manuals, the
distributions' own wikis (Arch, Debian, Ubuntu, RPM Fusion).
"""

from __future__ import annotations

from poetry_tf.host.findings import Remedy, System

_KEYRING = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg"
_TOOLKIT = "https://nvidia.github.io/libnvidia-container"
_DRIVERS: dict[System, tuple[str, ...]] = {
    "arch": ("sudo pacman -S nvidia-open",),
    "debian": (
        "sudo ubuntu-drivers install  # Ubuntu",
        "sudo apt install nvidia-driver  # Debian, with non-free among its sources",
    ),
    "fedora": ("sudo dnf install akmod-nvidia  # with RPM Fusion's nonfree repository",),
    "windows": ("start https://www.nvidia.com/drivers",),
}
_REGISTER = (
    "sudo nvidia-ctk runtime configure --runtime=docker",
    "sudo systemctl restart docker",
)

WITHOUT_GPU = Remedy(
    "Without one the container works on the CPU. To ask for none:",
    everywhere=("poetry tf init --gpu none",),
)
RESTART = Remedy("Restart the machine")
DRIVER = Remedy("Install NVIDIA's driver, and restart the machine:", _DRIVERS)
NEWER_DRIVER = Remedy("Install a newer driver, and restart the machine:", _DRIVERS)
WINDOWS_DRIVER = Remedy(
    "Install NVIDIA's driver on Windows, which brings the one for WSL (none is installed inside):",
    {"windows": _DRIVERS["windows"]},
)
WSL_UPDATE = Remedy("In PowerShell:", everywhere=("wsl --update", "wsl --shutdown"))
MODULE = Remedy(
    "Restart the machine, as after each update of the kernel. If that doesn't help, load the "
    "module and see what is said; with Secure Boot it has to be signed:",
    everywhere=("sudo modprobe nvidia", "mokutil --sb-state"),
)
DOCKER = Remedy(
    "Install Docker, start it, and log in anew:",
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
    "Start Docker Desktop on Windows, and switch this distribution on under Settings > Resources > "
    "WSL integration"
)
DOCKER_DESKTOP = Remedy("Start Docker Desktop, and wait until it runs")
START_DOCKER = Remedy("Start it:", everywhere=("sudo systemctl enable --now docker",))
RESTART_DOCKER = Remedy("Restart it:", everywhere=("sudo systemctl restart docker",))
DOCKER_GROUP = Remedy(
    "Become a member of its group, which is as good as being root, and log in anew:",
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
REGISTER = Remedy("Register it with Docker:", everywhere=_REGISTER)
DESKTOP_WSL2 = Remedy('In Docker Desktop: Settings > General > "Use the WSL 2 based engine"')
DESKTOP_ON_LINUX = Remedy(
    "Use Docker's engine, which can stand beside it:",
    DOCKER.commands,
    everywhere=("docker context use default",),
)


def cdi(*, install: bool) -> Remedy:
    """How Podman learns of the GPUs."""
    generate = ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",)
    if not install:
        return Remedy("Describe the GPUs to Podman (anew after each update):", everywhere=generate)
    return Remedy(
        "Install the NVIDIA Container Toolkit, and describe the GPUs:", _toolkit(), generate
    )


def toolkit() -> Remedy:
    """How Docker learns of the GPUs."""
    return Remedy("Install the NVIDIA Container Toolkit, and register it:", _toolkit(), _REGISTER)


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
        "fedora": (
            f"curl -fsSL {_TOOLKIT}/stable/rpm/nvidia-container-toolkit.repo"
            " | sudo tee /etc/yum.repos.d/nvidia-container-toolkit.repo",
            "sudo dnf install nvidia-container-toolkit",
        ),
        "windows": (),
    }
