"""Whether the libraries of CUDA and cuDNN that TensorFlow opens load, in the right version."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Any

from poetry_tf.doctor.host.child_programs import ProgramOutput, run_libraries_program
from poetry_tf.doctor.host.library_path import (
    LIBRARY_PATH,
    clean_library_path,
    is_below,
    library_folders,
)
from poetry_tf.doctor.host.machine import LIMIT, Machine
from poetry_tf.doctor.host.model import HostFinding, HostSpec, Remedy, Subject
from poetry_tf.doctor.host.series import (
    first_series,
    fits_python,
    has_gpu_mode,
    move_command,
    place_options,
    runs_here,
)
from poetry_tf.doctor.host.system import in_container
from poetry_tf.doctor.host.wheels import has_tensorflow
from poetry_tf.releases.model import Release, major_minor, numbers
from poetry_tf.releases.nvidia import cudnn_package
from poetry_tf.releases.nvidia import libraries as libraries_of
from poetry_tf.text import format_few, format_list

_LIBRARIES = Subject("libraries")
_PATH = LIBRARY_PATH


def libraries(machine: Machine, spec: HostSpec) -> Iterator[HostFinding]:
    """Loads the libraries, and checks their versions."""
    names = libraries_of(spec.release)
    if not spec.uses_gpu or machine.system != "Linux" or not names:
        return
    if spec.mode == "pip" and not has_tensorflow(machine, spec):
        return  # installed with it
    output = run_libraries_program(machine, spec)
    results = {str(line["library"]): line for line in output.lines_with("library")}
    loaded = {name: line for name, line in results.items() if not line.get("error")}
    failed = {name: str(line["error"]) for name, line in results.items() if line.get("error")}
    findings = list(_loading_ended(output, results))
    if failed:
        found = [str(results[name].get("lies") or "") for name in failed]
        findings.append(_not_loaded(machine, spec, failed, found))
    shadowing = _find_shadowing(machine, spec, output, loaded)
    wrong = [*_versions(machine, spec, loaded, shadowing)]
    findings += wrong
    if shadowing and not wrong:
        findings.append(_shadowed(machine, shadowing))
    if not findings:
        findings.append(_all_load(loaded, names))
    yield from findings


def _all_load(loaded: dict[str, dict[str, Any]], names: tuple[str, ...]) -> HostFinding:
    if len(loaded) < len(names):
        seen = f"only {len(loaded)} of {len(names)} libraries could be checked"
        return _LIBRARIES.warning(seen)
    cuda, cudnn = _cuda(loaded), _cudnn(loaded)
    versions = [f"CUDA {cuda[0]}.{cuda[1]}"] if cuda else []
    versions += [f"cuDNN {'.'.join(map(str, cudnn))}"] if cudnn else []
    what = f"{format_list(versions)}: " if versions else ""
    return _LIBRARIES.ok(f"{what}all {len(names)} libraries load")


def _loading_ended(
    output: ProgramOutput, results: dict[str, dict[str, Any]]
) -> Iterator[HostFinding]:
    """The library that crashed or blocked the process that loaded it."""
    name = output.text("loading")
    if name is None or name in results:
        return
    if output.result.trouble == "timeout":
        seen = f"loading {name} took longer than {LIMIT:g} seconds"
        yield _LIBRARIES.warning(seen, "the drive that it is on may be slow")
    else:
        yield _LIBRARIES.error(
            f"loading {name} crashes the program (exit status {output.result.status})",
            "the file may be damaged, or for another processor",
            Remedy("Reinstall it"),
        )


def _not_loaded(
    machine: Machine, spec: HostSpec, failed: dict[str, str], found: list[str]
) -> HostFinding:
    seen = _format_missing(spec.release, list(failed))
    # The error of a found library names a missing dependency; that of a missing one only itself.
    others = [error for name, error in failed.items() if not error.startswith(f"{name}:")]
    if others:
        seen += f": {others[0]}"
    if spec.mode == "pip" and all(found):
        return _not_looked_for(spec, seen)
    needed = f"TensorFlow {spec.tensorflow} loads them, and uses the CPU if one is missing"
    return _LIBRARIES.error(seen, needed, _remedy(machine, spec, failed))


def _not_looked_for(spec: HostSpec, seen: str) -> HostFinding:
    """The finding for installed libraries in folders that TensorFlow does not search."""
    return _LIBRARIES.error(
        f"{seen}, though its wheels are installed",
        f"TensorFlow {spec.tensorflow} doesn't search all folders of its own wheels",
        Remedy(
            "Let poetry-tf link them, as it does after each install. If it is not installed with "
            "Poetry, poetry tf env prints a variable for the shell",
            everywhere=(spec.install,),
        ),
    )


def _format_missing(release: Release, names: list[str]) -> str:
    """The missing libraries as text: CUDA or cuDNN if all of one are missing."""
    expected = libraries_of(release)
    cudnn = [name for name in expected if name.startswith("libcudnn")]
    if len(names) == len(expected):
        return f"none of the {len(expected)} libraries of CUDA and cuDNN can be loaded"
    if names == cudnn:
        return f"cuDNN ({cudnn[0]}) can't be loaded"
    if set(names) == set(expected) - set(cudnn):
        return f"CUDA ({names[0]} and {len(names) - 1} more) can't be loaded"
    return f"{format_few(names)} can't be loaded"


def _remedy(machine: Machine, spec: HostSpec, failed: dict[str, str]) -> Remedy:
    if spec.mode == "pip":
        what = "Install the wheels that contain them"
        return Remedy(what, everywhere=(spec.sync,))
    found = [
        os.path.dirname(path)  # noqa: PTH120 - a path of that machine
        for name in failed
        for path in machine.find(f"/usr/local/cuda*/lib64/{name}")
    ]
    if len(found) == len(failed):
        commands = (
            f"echo {shlex.quote(found[0])} | sudo tee /etc/ld.so.conf.d/cuda.conf",
            "sudo ldconfig",
        )
        what = f"Add {found[0]}, where they are, to the loader's search path"
        return Remedy(what, everywhere=commands)
    if in_container(machine) and spec.config is not None:
        what = "Add the feature nvidia-cuda to devcontainer.json, and rebuild the container"
        return Remedy(what, everywhere=("poetry tf devcontainer",))
    return _let_wheels_bring_them(machine, spec)


def _versions(
    machine: Machine,
    spec: HostSpec,
    loaded: dict[str, dict[str, Any]],
    shadowing: dict[str, str],
) -> Iterator[HostFinding]:
    release, cuda, cudnn = spec.release, _cuda(loaded), _cudnn(loaded)
    built = major_minor(release.cuda or "0")

    def remedy(prefix: str) -> Remedy:
        folders = [folder for name, folder in shadowing.items() if name.startswith(prefix)]
        return clean_library_path(machine, folders) if folders else _right_version(machine, spec)

    if cuda and cuda < built:
        yield _LIBRARIES.warning(
            f"CUDA {cuda[0]}.{cuda[1]} is loaded ({_path(loaded, 'libcudart.')})",
            f"TensorFlow {release.version} is built with CUDA {release.cuda}; an older one may not "
            "have all functions that it calls",
            remedy("libcudart."),
        )
    required = built_cudnn(release)
    if not cudnn or required is None:
        return
    text, path = ".".join(map(str, cudnn)), _path(loaded, "libcudnn.")
    if cudnn[0] != required[0] or cudnn[:2] < required[:2]:
        yield _LIBRARIES.error(
            f"cuDNN {text} is loaded ({path})",
            f"TensorFlow {release.version} is built with cuDNN {'.'.join(map(str, required))}, and "
            "needs that or a later one of the same major version",
            remedy("libcudnn."),
        )
    made_for = _number(loaded, "libcudnn.", "cuda") // 1000
    if made_for and made_for != built[0]:
        yield _LIBRARIES.error(
            f"cuDNN {text} is built for CUDA {made_for} ({path})",
            f"TensorFlow {release.version} is built with CUDA {release.cuda}",
            remedy("libcudnn."),
        )


def _right_version(machine: Machine, spec: HostSpec) -> Remedy:
    if spec.mode == "pip":
        return Remedy("Install the locked packages", everywhere=(spec.sync,))
    if runs_here(spec):
        return _let_wheels_bring_them(machine, spec)
    what = "Update devcontainer.json to the lock file, and rebuild the container"
    return Remedy(what, everywhere=("poetry tf devcontainer",))


def _let_wheels_bring_them(machine: Machine, spec: HostSpec) -> Remedy:
    if has_gpu_mode(machine, spec, spec.release):
        command = f"poetry tf init{place_options(machine, spec)}"
        what = "Use CUDA and cuDNN from TensorFlow's own wheels:"
        return Remedy(what, everywhere=(command, spec.install))
    first = first_series(machine, spec)
    if first is None or not fits_python(machine, spec, first):
        return Remedy("Install them system-wide")
    series = first.series
    what = f"Use TensorFlow {series}, the first series whose wheels bring them"
    return Remedy(f"{what}:", everywhere=(move_command(machine, spec, series), spec.install))


def _find_shadowing(
    machine: Machine, spec: HostSpec, output: ProgramOutput, loaded: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """The libraries that LD_LIBRARY_PATH puts before those of the wheels, and their folders."""
    if spec.mode != "pip":
        return {}
    folders = library_folders(machine)
    own = f"{os.path.dirname(output.text('tensorflow') or '')}/nvidia/"  # noqa: PTH120
    found = {}
    for name, line in loaded.items():
        path = str(line.get("path", ""))
        folder = next((one for one in folders if is_below(path, one)), None)
        if folder is not None and not path.startswith(own):
            found[name] = folder
    return found


def _shadowed(machine: Machine, shadowing: dict[str, str]) -> HostFinding:
    name, folder = next(iter(shadowing.items()))
    return _LIBRARIES.warning(
        f"{_PATH} puts {folder.rstrip('/')}/{name} before the wheels' own"
        + (f", and {len(shadowing) - 1} more" if len(shadowing) > 1 else ""),
        "the wheels have the versions that TensorFlow is tested with",
        clean_library_path(machine, list(dict.fromkeys(shadowing.values()))),
    )


def built_cudnn(release: Release) -> tuple[int, ...] | None:
    """The cuDNN that a release was built with, as exactly as known."""
    if release.cudnn is None:
        return None
    if "." in release.cudnn:
        return numbers(release.cudnn)
    package = cudnn_package(release)
    if package is None or not package.packages:
        return numbers(release.cudnn)
    version = package.packages[0].partition("=")[2].partition("-")[0]
    return numbers(version)[:3]


def _cuda(loaded: dict[str, dict[str, Any]]) -> tuple[int, int] | None:
    number = _number(loaded, "libcudart.", "version")
    return (number // 1000, number % 1000 // 10) if number else None


def _cudnn(loaded: dict[str, dict[str, Any]]) -> tuple[int, int, int] | None:
    number = _number(loaded, "libcudnn.", "version")
    if not number:
        return None
    if number < 10_000:  # up to cuDNN 8: 8906
        return number // 1000, number % 1000 // 100, number % 100
    return number // 10_000, number % 10_000 // 100, number % 100


def _number(loaded: dict[str, dict[str, Any]], prefix: str, key: str) -> int:
    found = next((line for name, line in loaded.items() if name.startswith(prefix)), {})
    value = found.get(key)
    return value if isinstance(value, int) else 0


def _path(loaded: dict[str, dict[str, Any]], prefix: str) -> str:
    return next((str(line.get("path")) for name, line in loaded.items() if name.startswith(prefix)))
