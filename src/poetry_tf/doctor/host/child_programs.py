"""The programs that look from inside a process at what TensorFlow would find there.

Each is a process of its own, because a library may end or hang the one that loads it, and tells
what it found line by line, so that what it found before that isn't lost. They run on every Python
that a TensorFlow runs on, so they keep to what Python 3.8 has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from poetry_tf.doctor.host.machine import OWN_PYTHON, CommandResult, Machine
from poetry_tf.doctor.host.needs import Needs
from poetry_tf.releases.nvidia import libraries

TENSORFLOW_LIMIT = 120.0
"""Seconds for TensorFlow itself: it may be read from a slow drive, and compiles its first step."""

DEVICES = ("/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dxg")
"""Where a GPU is to be seen: the nodes of NVIDIA's driver on Linux, and that of WSL."""

_COMMON = """\
import sys
sys.path[:] = [path for path in sys.path if path]  # what lies in this folder is not asked for
import ctypes, errno, glob, json, os, struct
def tell(**known):
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

# Opening a device and asking libcuda for its version change nothing. What `cuInit` returns is what
# TensorFlow gets; it says that there is no GPU in as many ways as there are reasons.
_GPU = f"""\
# gpu
{_COMMON}
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_RDWR))
        tell(device=path, error="")
    except OSError as error:
        tell(device=path, error=errno.errorcode.get(error.errno, str(error)))
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError as error:
    tell(libcuda="", error=str(error))
    sys.exit()
tell(libcuda=loaded_from("libcuda.so"))
number = ctypes.c_int()
if cuda.cuDriverGetVersion(ctypes.byref(number)) == 0:
    tell(speaks=number.value)
tell(init=cuda.cuInit(0))
"""

# TensorFlow opens its libraries by name from libtensorflow_framework.so.2. The loader then looks
# in LD_LIBRARY_PATH, in the RUNPATH of the file that asks (which names the folders of NVIDIA's
# wheels) and in the system's folders, in this order. A RUNPATH counts for nobody else, so another
# process that asks for the same name gets another answer. It is read from the file instead, and
# the library that the loader would find in it is loaded by its path. Putting these folders on
# LD_LIBRARY_PATH would be simpler and wrong: they'd count for what the libraries need in turn.
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
        if name.startswith(("nvidia-", "tensor")):
            files = [str(file) for file in item.files or ()] if "flow" in name else []
            holds = "tensorflow/__init__.py" in files
            tell(distribution=name, version=item.version, holds=holds)
folders, site = [], ""
try:
    environment()
    spec = util.find_spec("tensorflow")
    if spec is not None and spec.origin:
        here = os.path.dirname(spec.origin)
        site = os.path.dirname(here)
        tell(tensorflow=here)
        folders = runpath(os.path.join(here, "libtensorflow_framework.so.2"))
except Exception as error:
    tell(trouble=str(error))
first = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
def first_choice(name):
    if any(os.path.exists(os.path.join(folder, name)) for folder in first):
        return name  # the loader looks there itself
    paths = [os.path.join(folder, name) for folder in folders]
    return next(filter(os.path.exists, paths), name)
for name in sys.argv[1:]:
    tell(loading=name)
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
        tell(library=name, path=path, version=version, cuda=cuda)
    except (OSError, AttributeError) as error:
        lying = glob.glob(os.path.join(glob.escape(site), "nvidia", "*", "lib", name))
        tell(library=name, error=str(error), lies=lying[0] if site and lying else "")
"""

# What it does on the GPU takes as much of its memory as it needs: a training may be running.
_TENSORFLOW = f"""\
# tensorflow
{_COMMON}
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
tell(importing=True)
try:
    import tensorflow as tf
except BaseException as error:
    tell(broken=type(error).__name__ + ": " + str(error))
    sys.exit(1)
tell(version=getattr(tf, "__version__", ""), file=getattr(tf, "__file__", ""))
try:
    built = tf.sysconfig.get_build_info()
    tell(cuda=str(built.get("cuda_version", "")), cudnn=str(built.get("cudnn_version", "")))
except Exception:
    pass
devices = tf.config.list_physical_devices("GPU")
def details(device):
    try:
        known = tf.config.experimental.get_device_details(device)
    except Exception:
        known = {{}}
    return known.get("device_name", device.name)
tell(gpus=[details(device) for device in devices])
if devices and sys.argv[1:] == ["compile"]:
    try:
        for device in devices:
            tf.config.experimental.set_memory_growth(device, True)
        step = tf.function(lambda x: tf.reduce_sum(tf.matmul(x, x)), jit_compile=True)
        tell(compiling=True)
        with tf.device("/GPU:0"):
            tell(compiled=float(step(tf.ones((16, 16)))))
    except Exception as error:
        tell(failed=type(error).__name__ + ": " + str(error))
"""


@dataclass(frozen=True)
class ProgramOutput:
    """What a program told before it ended, and how it ended."""

    lines: tuple[dict[str, Any], ...]
    ran: CommandResult

    def having(self, key: str) -> Iterator[dict[str, Any]]:
        """The lines that tell something."""
        return (line for line in self.lines if key in line)

    def text(self, key: str) -> str | None:
        """What it told last of something, as text."""
        found = [line[key] for line in self.having(key) if isinstance(line[key], str)]
        return found[-1] if found else None

    def number(self, key: str) -> int | None:
        found = [line[key] for line in self.having(key) if isinstance(line[key], int)]
        return found[-1] if found else None


def _told(ran: CommandResult) -> ProgramOutput:
    lines: list[dict[str, Any]] = []
    for text in ran.output.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue  # a library's own words
        if isinstance(line, dict):
            lines.append(line)
    return ProgramOutput(tuple(lines), ran)


def run_gpu_program(machine: Machine) -> ProgramOutput:
    """What opening the devices and libcuda gives."""
    devices = [path for pattern in DEVICES for path in machine.find(pattern)]
    return _told(machine.run(OWN_PYTHON, "-c", _GPU, *devices))


def run_libraries_program(machine: Machine, needs: Needs) -> ProgramOutput:
    """What is installed in the project's environment, and what loading its libraries gives."""
    python = needs.python or OWN_PYTHON
    names = libraries(needs.release) if needs.wants_gpu else ()
    return _told(machine.run(python, "-c", _LIBRARIES, *names))


def run_tensorflow_program(
    machine: Machine, needs: Needs, *, compile_step: bool = True
) -> ProgramOutput:
    """What TensorFlow itself says."""
    python = needs.python or OWN_PYTHON
    argument = ("compile",) if compile_step and needs.wants_gpu else ()
    ran = machine.run(python, "-c", _TENSORFLOW, *argument, limit=TENSORFLOW_LIMIT)
    return _told(ran)
