"""What the members of a wheel contain: CUDA and cuDNN of the build, requirements.

Nothing in a wheel is executed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from typing import Final, Protocol

from packaging.requirements import InvalidRequirement, Requirement

from poetry_tf.http.errors import ReadError
from poetry_tf.releases.reader.wheel import Member

EXTRA: Final = "and-cuda"
"""The extra of TensorFlow that requires CUDA and cuDNN as wheels."""


@dataclass(frozen=True, slots=True)
class Build:
    """The CUDA and cuDNN that a wheel was built with.

    Attributes:
        cuda, cudnn, compute: as in `poetry_tf.releases.model.Wheels`.
        sources: for "cuda" and "cudnn", where known, the name of the file it was read from; the
            name of the extra where it follows from what that requires.
    """

    cuda: str | None = None
    cudnn: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict, hash=False)
    compute: tuple[str, ...] | None = ()


UNKNOWN: Final = Build(compute=None)


class Texts(Protocol):
    """A source of members' texts: a `RemoteWheel`, or a `CachedWheel`."""

    def text(self, member: Member) -> str | None:
        """The text of a member, or None."""


def build_of(wheel: Texts, requires: Iterable[str] = (), *, header: bool = True) -> Build:
    """Reads CUDA and cuDNN from a wheel, each from the most exact file that the wheel has.

    `cudnn_version.h` is the header that TensorFlow was compiled with; `cuda_config.h` is generated
    by its build; `build_info.py` is written from the same configuration, and is the only one that
    every wheel has. A CPU wheel says so in `build_info.py`, or has none of the headers. Where a
    wheel with CUDA has its version in none of them, it is that of NVIDIA's wheels in its extra.

    Args:
        wheel: the source of the texts.
        requires: the wheel's Requires-Dist.
        header: whether to look for `cudnn_version.h`. For a wheel without one, this reads the whole
            directory, a megabyte or more.

    Raises:
        ReadError: a member could not be read, or two of them contradict each other.
    """
    text = wheel.text(Member.BUILD_INFO)
    info = build_info(text) if text is not None else {}
    if info.get("is_cuda_build") is False:
        return Build()
    sources: dict[str, str] = {}
    cuda, cudnn = dotted(info.get("cuda_version")), dotted(info.get("cudnn_version"))
    for key, value in (("cuda", cuda), ("cudnn", cudnn)):
        if value is not None:
            sources[key] = "build_info.py"

    text = wheel.text(Member.CUDNN_VERSION) if header else None
    exact = cudnn_version(text) if text is not None else None
    if exact is not None:
        if cudnn is not None and not _refines(exact, cudnn):
            raise ReadError(f"cudnn_version.h says {exact}, build_info.py {cudnn}")
        cudnn, sources["cudnn"] = exact, "cudnn_version.h"

    compute: tuple[str, ...] | None = compute_capabilities(info)
    is_cuda = info.get("is_cuda_build") is True
    is_unnamed = not compute and (is_cuda or cuda is not None or cudnn is not None)
    # A CUDA version without a minor, as "10" for 10.1 in 2.2, is not exact enough.
    if cuda is None or "." not in cuda or cudnn is None or is_unnamed:
        text = wheel.text(Member.CUDA_CONFIG)
        config = cuda_config(text) if text is not None else {}
        value = config.get("cuda")
        if value is not None and (cuda is None or _refines(value, cuda)):
            cuda, sources["cuda"] = value, "cuda_config.h"
        value = config.get("cudnn")
        if value is not None and cudnn is None:
            cudnn, sources["cudnn"] = value, "cuda_config.h"
        if is_unnamed or (cuda is not None and not compute):
            compute = configured_capabilities(text or "") or None
    if is_cuda and None in (cuda, cudnn):
        of_extra = nvidia_versions(requires)
        if cuda is None and "cuda" in of_extra:
            cuda, sources["cuda"] = of_extra["cuda"], EXTRA
        if cudnn is None and "cudnn" in of_extra:
            cudnn, sources["cudnn"] = of_extra["cudnn"], EXTRA
    return Build(cuda, cudnn, sources, compute)


def _refines(exact: str, coarse: str) -> bool:
    return f"{exact}.".startswith(f"{coarse}.")


def dotted(value: object) -> str | None:
    """Converts a version of TensorFlow's build to dots: `"64_112"` (Windows) to `"11.2"`.

    None for anything else: empty, not text, or another notation.
    """
    if not isinstance(value, str):
        return None
    windows = re.fullmatch(r"64_(\d+)", value.strip())
    if windows:
        digits = windows[1]
        # CUDA's DLLs carry major and minor in three digits, cuDNN's its major alone in one.
        return f"{digits[:-1]}.{digits[-1]}" if len(digits) > 2 else digits
    return value.strip() if re.fullmatch(r"\d+(\.\d+)*", value.strip()) else None


def build_info(text: str) -> dict[str, object]:
    """The `build_info` of a `build_info.py`, read without running it.

    It is an OrderedDict of pairs, or a dict. Empty if it is anything else.

    Raises:
        ReadError: it is not valid Python.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ReadError("build_info.py is not valid Python") from error
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="build_info")], value=value):
                items = value.args[0] if isinstance(value, ast.Call) and value.args else value
                try:
                    return dict(ast.literal_eval(items))
                except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                    return {}
    return {}


def compute_capabilities(info: Mapping[str, object]) -> tuple[str, ...]:
    """The GPU architectures in the variables of a `build_info.py`; empty if it has none."""
    value = info.get("cuda_compute_capabilities")
    names = value if isinstance(value, list | tuple) else ()
    return tuple(name for name in names if isinstance(name, str) and re.fullmatch(r"\w+", name))


def configured_capabilities(text: str) -> tuple[str, ...]:
    """The GPU architectures in `cuda_config.h`, as numbers: `60, 70` do not say which kind of code.

    Empty where it has none.
    """
    define = re.search(r"^\s*#\s*define\s+TF_CUDA_COMPUTE_CAPABILITIES\s+(.+)$", text, re.MULTILINE)
    return tuple(re.findall(r"\w+", define[1])) if define else ()


def nvidia_versions(requires: Iterable[str]) -> dict[str, str]:
    """`cuda` and `cudnn` of the wheels of NVIDIA that the extra requires, as exactly as they say.

    `nvidia-cuda-runtime-cu12>=12.5.82` is of CUDA 12.5, and `nvidia-cudnn-cu13` of CUDA 13.
    """
    found: dict[str, str] = {}
    for text in requires:
        if EXTRA not in text or not text.startswith("nvidia-"):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ReadError(f"its requirement {text!r} is malformed") from error
        name = re.fullmatch(r"nvidia-(.+?)(?:-cu(\d+))?", requirement.name)
        stem, major = name.groups() if name else ("", None)
        least = min(
            (part.version for part in requirement.specifier if part.operator in {">=", "==", "~="}),
            default="",
        )
        parts = least.split(".")
        if stem == "cuda-runtime" and len(parts) > 1:
            found["cuda"] = ".".join(parts[:2])
        elif major is not None:
            found.setdefault("cuda", major)
        if stem == "cudnn" and least:
            found["cudnn"] = parts[0]
    return found


def cudnn_version(text: str) -> str | None:
    """The version (`"9.3.0"`) in NVIDIA's `cudnn_version.h`; None if a part is not defined."""
    parts = [
        re.search(rf"^\s*#\s*define\s+CUDNN_{part}\s+(\d+)\s*$", text, re.MULTILINE)
        for part in ("MAJOR", "MINOR", "PATCHLEVEL")
    ]
    numbers = [part[1] for part in parts if part is not None]
    return ".".join(numbers) if len(numbers) == len(parts) else None


def cuda_config(text: str) -> dict[str, str]:
    """`cuda` and `cudnn` of TensorFlow's `cuda_config.h`, if defined."""
    found = {}
    for key, name in (("cuda", "TF_CUDA_VERSION"), ("cudnn", "TF_CUDNN_VERSION")):
        define = re.search(rf'^\s*#\s*define\s+{name}\s+"([^"]*)"', text, re.MULTILINE)
        value = dotted(define[1]) if define else None
        if value is not None:
            found[key] = value
    return found


def required_tensorflow(wheel: Texts) -> str | None:
    """The minimum TensorFlow that the code of TensorFlow Probability checks for, if any."""
    for member in (Member.PROBABILITY, Member.PROBABILITY_OLD):
        found = re.search(
            r"^\s*required_tensorflow_version\s*=\s*['\"](\d+(?:\.\d+)*)['\"]",
            wheel.text(member) or "",
            re.MULTILINE,
        )
        if found:
            return found[1]
    return None


def requires_dist(metadata: str) -> tuple[str, ...]:
    """Each Requires-Dist of a METADATA file, in its order and spelling.

    Raises:
        ReadError: it has no Name, so it is not metadata.
    """
    message = HeaderParser().parsestr(metadata)
    if message["Name"] is None:
        raise ReadError("METADATA has no Name")
    # A folded header keeps its line breaks.
    return tuple(" ".join(str(value).split()) for value in message.get_all("Requires-Dist", ()))
