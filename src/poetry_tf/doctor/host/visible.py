"""Which GPUs a program may use: `CUDA_VISIBLE_DEVICES`, and the instances of a GPU in MIG mode.

Sources: CUDA Programming Guide, "CUDA Environment Variables"; NVIDIA's MIG User Guide, "Device
Enumeration" and "CUDA Visible Devices".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poetry_tf.doctor.host.driver import SMI_PROGRAMS, has_gpu
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, State
from poetry_tf.doctor.host.series import is_built_with_cuda, runs_here
from poetry_tf.doctor.host.system import in_container
from poetry_tf.text import format_list, shell_word

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_GPU = re.compile(r"GPU (\d+): (.*?) \(UUID: (GPU-[^)]+)\)")
_INSTANCE = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")
_MODE = ("--query-gpu=index,mig.mode.current", "--format=csv,noheader")


@dataclass(frozen=True)
class _Gpu:
    """A GPU as the driver lists it; `instances` are its MIG devices, by UUID their profile."""

    name: str
    uuid: str
    instances: dict[str, str]
    is_split: bool = False

    @property
    def is_usable(self) -> bool:
        return bool(self.instances) or not self.is_split


def visible_gpus(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether programs can use the GPUs that the driver lists."""
    if not spec.uses_gpu or not is_built_with_cuda(machine, spec):
        return
    # The variables of a host don't reach a container.
    is_inside = in_container(machine)
    value = machine.variable(_VISIBLE) if is_inside or spec.config is None else None
    state: State = "error" if is_inside or runs_here(spec) else "warning"
    if value is not None and not has_gpu(machine):
        return  # there is nothing to hide
    found = _list_gpus(machine)
    if value is not None and (reason := _hidden_by(value, found)) is not None:
        yield HostFinding(
            "visible", state, f'{_VISIBLE}="{value}" hides every GPU', reason, _unset(machine)
        )
    elif value is not None and (wrong := _first_unknown(value, found)) is not None:
        seen = f'in {_VISIBLE}="{value}", CUDA ignores "{wrong[0]}" and everything after it'
        yield HostFinding("visible", "warning", seen, wrong[1], _unset(machine))
    elif any(gpu.is_split for gpu in found):
        yield _split(machine, found, is_set=value is not None)


def why_hidden(machine: Machine) -> str | None:
    """Why CUDA hides every GPU from programs; None if it doesn't, or the reason is unknown."""
    value, found = machine.variable(_VISIBLE), _list_gpus(machine)
    if value is not None and has_gpu(machine) and _hidden_by(value, found) is not None:
        return f'{_VISIBLE}="{value}" hides every GPU'
    if found and not any(gpu.is_usable for gpu in found):
        return _without_instance(found)
    return None


def _without_instance(found: Sequence[_Gpu]) -> str:
    empty = [f"GPU {index}" for index, gpu in enumerate(found) if not gpu.is_usable]
    is_one = len(empty) == 1
    verbs = ("is", "has") if is_one else ("are", "have")
    return f"{format_list(empty)} {verbs[0]} in MIG mode and {verbs[1]} no instance"


def _list_gpus(machine: Machine) -> list[_Gpu]:
    found: list[_Gpu] = []
    for program in SMI_PROGRAMS:
        ran = machine.run(program, "-L")
        if ran.trouble != "missing":
            break
    if not ran.succeeded:
        return []
    for line in ran.output.splitlines():
        if match := _GPU.match(line):
            found.append(_Gpu(match[2], match[3], {}))
        elif found and (match := _INSTANCE.match(line)):
            found[-1].instances[match[2]] = match[1]
    # Only the GPUs that know MIG have a mode: older drivers don't know the field.
    modes = machine.run(program, *_MODE)
    split = {
        line.partition(",")[0].strip()
        for line in (modes.output.splitlines() if modes.succeeded else ())
        if line.rpartition(",")[2].strip() == "Enabled"
    }
    return [
        _Gpu(gpu.name, gpu.uuid, gpu.instances, bool(gpu.instances) or str(index) in split)
        for index, gpu in enumerate(found)
    ]


def _hidden_by(value: str, found: Sequence[_Gpu]) -> str | None:
    """Why a value hides every GPU; None if it doesn't, or that is unknown."""
    if not value.strip():
        return "it is set to an empty value"
    if value.strip() in {"-1", "NoDevFiles"}:  # the latter is Slurm's
        return f'"{value.strip()}" means no GPU'
    wrong = _first_unknown(value, found)
    return wrong[1] if wrong and wrong[0] == value.split(",", maxsplit=1)[0].strip() else None


def _first_unknown(value: str, found: Sequence[_Gpu]) -> tuple[str, str] | None:
    """The first entry that names no GPU, and why: it ends the list that CUDA reads."""
    for entry in (part.strip() for part in value.split(",")):
        if (reason := _unknown(entry, found)) is not None:
            return entry, reason
    return None


def _unknown(entry: str, found: Sequence[_Gpu]) -> str | None:
    if re.fullmatch(r"\d+", entry):
        if not found or int(entry) < len(found):
            return None
        last = len(found) - 1
        listed = f"{len(found)}, from 0 to {last}" if last else "one, with the index 0"
        return f"there is no GPU {entry}: nvidia-smi -L lists {listed}"
    if entry.startswith(("GPU-", "MIG-")):
        uuids = [uuid for gpu in found for uuid in (gpu.uuid, *gpu.instances)]
        # Some first characters of a UUID are enough.
        if not uuids or any(uuid.startswith(entry) for uuid in uuids):
            return None
        return f"no GPU has the UUID {entry}: nvidia-smi -L lists the UUIDs"
    return f'"{entry}" is neither an index nor a UUID of a GPU'


def _unset(machine: Machine) -> Remedy:
    if machine.variable("SLURM_JOB_ID"):
        return Remedy(
            f"Slurm sets {_VISIBLE} to the GPUs that a job requests: request one with "
            "--gres=gpu:1 (sbatch, srun), and don't set it anywhere else (~/.bashrc, the script)"
        )
    return Remedy(
        "Unset it. It is often set in ~/.bashrc, by a job scheduler or in the editor's settings:",
        everywhere=(
            f"Remove-Item Env:{_VISIBLE}" if machine.system == "Windows" else f"unset {_VISIBLE}",
        ),
    )


def _split(machine: Machine, found: Sequence[_Gpu], *, is_set: bool) -> HostFinding:
    """The finding for GPUs of which some are in MIG mode."""
    empty = [index for index, gpu in enumerate(found) if not gpu.is_usable]
    if empty:
        seen = _without_instance(found)
        needed = "in MIG mode, CUDA can only use a GPU's instances"
        if len(empty) < len(found):
            return HostFinding("visible", "note", seen, f"{needed}, so it skips this GPU")
        return HostFinding("visible", "error", seen, needed, _make_instance(machine, empty[0]))
    instances = {uuid: profile for gpu in found for uuid, profile in gpu.instances.items()}
    listed = format_list(f"MIG {profile}" for profile in instances.values())
    *_, last = instances
    word = shell_word(last, posix=True)
    if len(instances) < 2 or is_set or word is None:
        return HostFinding("visible", "ok", f"{listed} can be used")
    return HostFinding(
        "visible",
        "note",
        f"{listed} can be used",
        "a program can only use one MIG instance: the first",
        Remedy("To use another:", everywhere=(f"export {_VISIBLE}={word}",)),
    )


def _make_instance(machine: Machine, index: int) -> Remedy:
    return Remedy(
        "On a shared machine, ask its administrator for an instance. To create one for the whole "
        "GPU, or to turn MIG mode off:",
        everywhere=(
            # 0 is the profile of the whole GPU (nvidia-smi mig -lgip).
            f"sudo nvidia-smi mig -i {index} -cgi 0 -C",
            f"sudo nvidia-smi -i {index} -mig 0  # instead",
        ),
        where="host" if in_container(machine) else "here",
    )
