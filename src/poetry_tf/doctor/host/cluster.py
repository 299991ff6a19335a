"""Clusters: their login nodes have no GPU, and a job has the GPUs that it requested.

Sources: the manuals of srun (Slurm), qsub (OpenPBS and Torque) and bsub (IBM Spectrum LSF 10.1), by
their options for GPUs, versions and environment variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from poetry_tf.doctor.host.driver import gpus, has_gpu
from poetry_tf.doctor.host.machine import Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject

_CLUSTER = Subject("cluster")
# The values of CUDA_VISIBLE_DEVICES without a GPU; the last is Slurm's.
_NONE_VISIBLE = {None, "", "-1", "NoDevFiles"}


@dataclass(frozen=True)
class Scheduler:
    """A program that runs jobs on the nodes of a cluster.

    Attributes:
        version: the command that prints its version, also on login nodes.
        mark: the text by which that output is recognised.
        job: the variable that is set in a job.
        gpus: the variables of which one is set in a job that has GPUs.
        commands: the commands that run doctor on a node with a GPU.
    """

    name: str
    version: tuple[str, ...]
    mark: str
    job: str
    gpus: tuple[str, ...]
    commands: tuple[str, ...]


_SCHEDULERS = (
    Scheduler(
        "Slurm",
        ("srun", "--version"),
        "slurm",
        "SLURM_JOB_ID",
        ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE"),
        ("srun --gres=gpu:1 poetry tf doctor",),
    ),
    Scheduler(
        "PBS",
        ("qstat", "--version"),
        "pbs_version",
        "PBS_JOBID",
        (),
        ("qsub -I -l select=1:ngpus=1", "poetry tf doctor"),
    ),
    Scheduler(
        "Torque",
        ("qstat", "--version"),
        "version:",
        "PBS_JOBID",
        ("PBS_GPUFILE",),
        ("qsub -I -l nodes=1:gpus=1", "poetry tf doctor"),
    ),
    Scheduler(
        "LSF",
        ("bsub", "-V"),
        "lsf",
        "LSB_JOBID",
        (),
        ("bsub -I -gpu num=1 poetry tf doctor",),
    ),
)


def find_scheduler(machine: Machine) -> Scheduler | None:
    """The scheduler of the cluster that the machine is a node of."""
    for scheduler in _SCHEDULERS:
        ran = machine.run(*scheduler.version)
        if ran.succeeded and scheduler.mark in f"{ran.output}{ran.error}".lower():
            return scheduler
    return None


def login_node(machine: Machine) -> Scheduler | None:
    """The scheduler, on a node without a GPU where no job runs."""
    scheduler = find_scheduler(machine)
    is_login = scheduler and not machine.variable(scheduler.job) and not has_gpu(machine)
    return scheduler if is_login else None


def cluster(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Whether this is a login node, or a job without a GPU."""
    if not spec.uses_gpu or (scheduler := find_scheduler(machine)) is None:
        return
    enter = "; run the second command in this folder, in the shell that the first opens" * (
        len(scheduler.commands) > 1
    )
    if login_node(machine) is not None:
        yield _CLUSTER.note(
            f"this is a login node of a cluster ({scheduler.name}), without a GPU",
            "only a node with a GPU can show whether TensorFlow uses it",
            Remedy(f"Request a node with a GPU{enter}:", everywhere=scheduler.commands),
        )
    elif machine.variable(scheduler.job) and not _has_gpu_of_job(machine, scheduler):
        yield _CLUSTER.error(
            f"this job ({scheduler.name} {machine.variable(scheduler.job)}) has no GPU",
            "a job only gets the GPUs that it requests",
            Remedy(f"End the job, and request a GPU{enter}:", everywhere=scheduler.commands),
        )


def _has_gpu_of_job(machine: Machine, scheduler: Scheduler) -> bool:
    """Whether a job has a GPU, by its variables or by the driver."""
    visible = machine.variable("CUDA_VISIBLE_DEVICES")
    is_requested = any(machine.variable(name) for name in scheduler.gpus)
    return is_requested or visible not in _NONE_VISIBLE or bool(gpus(machine))
