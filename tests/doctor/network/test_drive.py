"""A project on a Windows drive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.doctor.host.machine import RecordedMachine
from poetry_tf.doctor.network.drive import check_drive


def machine(system: str = "Linux", **answers: Any) -> RecordedMachine:
    return RecordedMachine({"system": system, "architecture": "x86_64", **answers})


MOUNTS = (
    "/dev/sdc / ext4 rw,relatime 0 0\n"
    "C:\\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\\;uid=1000,trans=fd 0 0\n"
    "drvfsaD1 /mnt/d virtiofs rw,noatime 0 0\n"
    "none /mnt/share 9p rw,trans=virtio 0 0\n"
    "D:\\134 /mnt/My\\040Disk drvfs rw 0 0\n"
)
WSL = "Linux version 5.15.153.1-microsoft-standard-WSL2"


@pytest.mark.parametrize(
    ("root", "seen"),
    [
        ("/mnt/c/Users/me/p", "the Windows drive C: (/mnt/c)"),
        ("/mnt/d/p", "a Windows drive (/mnt/d)"),
        ("/mnt/My Disk/p", "the Windows drive D: (/mnt/My Disk)"),
        ("/home/me/p", None),
        ("/mnt/cc", None),
        ("/mnt/share/p", None),
    ],
)
@pytest.mark.skipif("os.name == 'nt'")
def test_a_windows_drive_is_told_by_its_mount(root: str, seen: str | None):
    recorded = machine(read={"/proc/mounts": MOUNTS, "/proc/version": WSL})
    found = [*check_drive(recorded, Path(root))]
    assert [item.seen for item in found] == ([f"the project is on {seen}"] if seen else [])


def test_what_docker_desktop_mounts_on_a_mac_is_no_windows_drive():
    mounts = "virtiofs0 /workspaces virtiofs rw 0 0\n"
    recorded = machine(read={"/proc/mounts": mounts, "/proc/version": "Linux 6.1 linuxkit"})
    assert [*check_drive(recorded, Path("/workspaces/p"))] == []


@given(st.text())
def test_any_list_of_mounts_is_read(text: str):
    [*check_drive(machine(read={"/proc/mounts": text}), Path("/mnt/c"))]
