"""The programs that check in a process of their own what TensorFlow would find.

A library may crash or block the process that loads it. So each program prints every result as one
JSON line, and earlier results are not lost. They run on the Python of any TensorFlow, so they use
nothing newer than Python 3.8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from poetry_tf.doctor.host.machine import OWN_PYTHON, CommandResult, Machine
from poetry_tf.doctor.host.model import HostSpec
from poetry_tf.releases.nvidia import libraries

TENSORFLOW_LIMIT = 120.0
"""Seconds for TensorFlow: the drive may be slow, and the first step is compiled."""

DEVICES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dxg")
"""The device nodes of a GPU: of the NVIDIA driver on Linux, and of WSL."""

_COMMON = """\
import sys
sys.path[:] = [path for path in sys.path if path]  # not the modules in this folder
import ctypes, errno, glob, json, os, struct
def report(**known):
    print(json.dumps(known), flush=True)
def loaded_from(name):
    base = os.path.basename(name)
    try:
        with open("/proc/self/maps") as maps:
            paths = [line.split(None, 5)[5].strip() for line in maps if base in line]
    except (OSError, IndexError):
        paths = []
    return paths[0] if paths else name
"""

# Opening a device and calling libcuda change nothing. TensorFlow gets the same result of `cuInit`,
# which has a status for each reason why there is no GPU.
_GPU = f"""\
# gpu
{_COMMON}
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_RDWR))
        report(device=path, error="")
    except OSError as error:
        report(device=path, error=errno.errorcode.get(error.errno, str(error)))
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    report(libcuda="", error=str(error))
    sys.exit()
report(libcuda=loaded_from("libcuda.so"))
number = ctypes.c_int()
if cuda.cuDriverGetVersion(ctypes.byref(number)) == 0:
    report(speaks=number.value)
report(init=cuda.cuInit(0))
"""

# TensorFlow opens its libraries by name from libtensorflow_framework.so.2. The loader searches
# LD_LIBRARY_PATH, the RUNPATH of that file (which has the folders of NVIDIA's wheels) and the
# system's folders, in this order. A RUNPATH applies to its own file only, so another process would
# find other libraries. Therefore the RUNPATH is read from the file, and the library in it is loaded
# by path. Adding the folders to LD_LIBRARY_PATH would be simpler but wrong: it would also apply to
# the dependencies of the libraries.
_LIBRARIES = f"""\
# libraries
{_COMMON}
from importlib import util
def runpath(path):
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:6] != b"\\x7fELF\\x02\\x01":
            return []
        read = lambda form, offset: struct.unpack_from(form, head, offset)
        start, (size, count) = read("<Q", 32)[0], read("<HH", 54)
        def part(offset, length):
            file.seek(offset)
            return file.read(length)
        headers = [struct.unpack("<IIQQQQQQ", part(start + i * size, 56)) for i in range(count)]
        def place(address):
            for kind, _, offset, virtual, _, length, _, _ in headers:
                if kind == 1 and virtual <= address < virtual + length:
                    return address - virtual + offset
        entries = {{}}
        for kind, _, offset, _, _, length, _, _ in headers:
            if kind == 2:
                entries = dict(struct.iter_unpack("<qQ", part(offset, length - length % 16)))
        found = entries.get(29, entries.get(15))
        if found is None or 5 not in entries:
            return []
        # It may be long: TensorFlow 2.21 names its eighteen folders seven hundred times.
        text = part(place(entries[5]) + found, 1 << 20).split(b"\\0")[0].decode()
    origin = os.path.dirname(os.path.realpath(path))
    folders = [folder.replace("$ORIGIN", origin) for folder in text.split(":") if folder]
    return list(dict.fromkeys(folders))
def environment():
    try:
        from importlib import metadata
    except ImportError:  # Python 3.7
        return
    for item in metadata.distributions():
        name = (item.metadata["Name"] or "").lower().replace("_", "-")
        if name.startswith(("nvidia-", "tensor")) or name == "tf-keras":
            files = [str(file) for file in item.files or ()] if "flow" in name else []
            has_package = "tensorflow/__init__.py" in files
            report(distribution=name, version=item.version, holds=has_package)
def modules():
    import site, sysconfig
    user = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    report(user=user)
    prefix, own = os.path.realpath(sys.prefix), sysconfig.get_path("purelib")
    for name in ("tensorflow", "keras", "numpy"):
        spec = util.find_spec(name)
        if spec is None or not spec.origin:
            continue
        folder = os.path.dirname(os.path.dirname(spec.origin))
        outside = not os.path.realpath(folder).startswith(os.path.join(prefix, ""))
        # An interpreter without an environment may have all of its packages elsewhere.
        has_own = sys.prefix != sys.base_prefix or os.path.isdir(os.path.join(own, name))
        report(module=name, folder=folder, outside=outside and has_own)
folders, site = [], ""
try:
    environment()
    spec = util.find_spec("tensorflow")
    if spec is not None and spec.origin:
        here = os.path.dirname(spec.origin)
        site = os.path.dirname(here)
        report(tensorflow=here)
        folders = runpath(os.path.join(here, "libtensorflow_framework.so.2"))
    modules()
except Exception as error:
    report(trouble=str(error))
first = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
def first_choice(name):
    if any(os.path.exists(os.path.join(folder, name)) for folder in first):
        return name  # the loader looks there itself
    paths = [os.path.join(folder, name) for folder in folders]
    return next(filter(os.path.exists, paths), name)
for name in sys.argv[1:]:
    report(loading=name)
    try:
        library, number, version, cuda = ctypes.CDLL(first_choice(name)), ctypes.c_int(), 0, 0
        path = loaded_from(name)
        if name.startswith("libcudart."):
            library.cudaRuntimeGetVersion(ctypes.byref(number))
            version = number.value
        if name.startswith("libcudnn."):
            library.cudnnGetVersion.restype = ctypes.c_size_t
            library.cudnnGetCudartVersion.restype = ctypes.c_size_t
            version, cuda = library.cudnnGetVersion(), library.cudnnGetCudartVersion()
            folders.append(os.path.dirname(path))  # where it looks for its parts
        report(library=name, path=path, version=version, cuda=cuda)
    except (OSError, AttributeError) as error:
        installed = glob.glob(os.path.join(glob.escape(site), "nvidia", "*", "lib", name))
        report(library=name, error=str(error), lies=installed[0] if site and installed else "")
"""

# The names are in `build_info` of the wheels for Windows (msvcp_dll_names); 39 is
# PF_AVX_INSTRUCTIONS_AVAILABLE (IsProcessorFeaturePresent, Windows' documentation).
_WINDOWS = f"""\
# windows
{_COMMON}
report(avx=bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(39)))
for name in ("vcruntime140_1.dll", "msvcp140.dll", "msvcp140_1.dll"):
    try:
        ctypes.WinDLL(name)
    except OSError:
        report(lacks=name)
"""

_GLIBC = """\
# glibc
import os
print(os.confstr("CS_GNU_LIBC_VERSION"))
"""

# It allocates only the GPU memory that it uses, since a training may be running.
_TENSORFLOW = f"""\
# tensorflow
{_COMMON}
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
report(importing=True)
try:
    import tensorflow as tf
except BaseException as error:
    report(broken=type(error).__name__ + ": " + str(error))
    sys.exit(1)
report(version=getattr(tf, "__version__", ""), file=getattr(tf, "__file__", ""))
try:
    built = tf.sysconfig.get_build_info()
    report(cuda=str(built.get("cuda_version", "")), cudnn=str(built.get("cudnn_version", "")))
except Exception:
    pass
devices = tf.config.list_physical_devices("GPU")
def details(device):
    try:
        known = tf.config.experimental.get_device_details(device)
    except Exception:
        known = {{}}
    return known.get("device_name", device.name)
report(gpus=[details(device) for device in devices])
if devices and sys.argv[1:] == ["compile"]:
    try:
        for device in devices:
            tf.config.experimental.set_memory_growth(device, True)
        step = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)), jit_compile=True)
        report(compiling=True)
        with tf.device("/GPU:0"):
            report(compiled=float(step(tf.ones((16, 16)))))
    except Exception as error:
        report(failed=type(error).__name__ + ": " + str(error))
"""


@dataclass(frozen=True)
class ProgramOutput:
    """The JSON lines that a program printed, and its result."""

    lines: tuple[dict[str, Any], ...]
    result: CommandResult

    def lines_with(self, key: str) -> Iterator[dict[str, Any]]:
        """The lines that have a key."""
        return (line for line in self.lines if key in line)

    def text(self, key: str) -> str | None:
        """The last text value of a key, if any."""
        found = [line[key] for line in self.lines_with(key) if isinstance(line[key], str)]
        return found[-1] if found else None

    def number(self, key: str) -> int | None:
        """The last integer value of a key, if any."""
        found = [line[key] for line in self.lines_with(key) if isinstance(line[key], int)]
        return found[-1] if found else None


def _parse_output(result: CommandResult) -> ProgramOutput:
    lines: list[dict[str, Any]] = []
    for text in result.output.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue  # output of a library
        if isinstance(line, dict):
            lines.append(line)
    return ProgramOutput(tuple(lines), result)


def run_gpu_program(machine: Machine) -> ProgramOutput:
    """Opens the devices, and initialises libcuda."""
    devices = [path for pattern in DEVICES for path in machine.find(pattern)]
    return _parse_output(machine.run(OWN_PYTHON, "-c", _GPU, *devices))


def run_libraries_program(machine: Machine, spec: HostSpec) -> ProgramOutput:
    """Lists the project's environment, and loads the libraries of CUDA and cuDNN."""
    python = spec.python or OWN_PYTHON
    names = libraries(spec.release) if spec.uses_gpu else ()
    return _parse_output(machine.run(python, "-c", _LIBRARIES, *names))


def run_windows_program(machine: Machine, spec: HostSpec) -> ProgramOutput:
    """Asks Windows for AVX and the Visual C++ runtime."""
    return _parse_output(machine.run(spec.python or OWN_PYTHON, "-c", _WINDOWS))


def read_glibc(machine: Machine) -> str | None:
    """The version of glibc; None if there is none, or it is not known."""
    match = re.fullmatch(r"glibc (\d+\.\d+).*", machine.run(OWN_PYTHON, "-c", _GLIBC).output)
    return match[1] if match else None


def run_tensorflow_program(
    machine: Machine, spec: HostSpec, *, compile_step: bool = True
) -> ProgramOutput:
    """Imports TensorFlow, lists its GPUs, and compiles a step."""
    python = spec.python or OWN_PYTHON
    argument = ("compile",) if compile_step and spec.uses_gpu else ()
    ran = machine.run(python, "-c", _TENSORFLOW, *argument, limit=TENSORFLOW_LIMIT)
    return _parse_output(ran)
