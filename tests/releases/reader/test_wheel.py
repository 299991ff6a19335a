from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poetry_tf.http.errors import ReadError
from poetry_tf.http.ranges import RemoteFile
from poetry_tf.releases.reader import wheel
from poetry_tf.releases.reader.members import (
    Build,
    build_info,
    build_of,
    compute_capabilities,
    cuda_config,
    cudnn_version,
    dotted,
    required_tensorflow,
    requires_dist,
)
from poetry_tf.releases.reader.wheel import Member, RemoteWheel
from poetry_tf.releases.runpath import nvidia_folders
from tests.support.wheel_index import (
    BUILD_INFO,
    CONFIG_PATH,
    CPU_BUILD_INFO,
    CUDA_CONFIG,
    CUDNN_PATH,
    CUDNN_VERSION,
    FRAMEWORK_PATH,
    INFO_PATH,
    hollow_wheel,
    library,
    metadata,
    tensorflow_wheel,
    zipped,
)


class Memory(RemoteFile):
    """A file in memory that keeps the account of what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads: list[int] = []

    def tail(self, length: int) -> tuple[bytes, int]:
        return self._note(self.content[-length:]), len(self.content)

    def read(self, start: int, length: int) -> bytes:
        return self._note(self.content[start : start + length])

    def _note(self, data: bytes) -> bytes:
        self.reads.append(len(data))
        return data


class Texts(dict[Member, str]):
    """A wheel that is nothing but texts."""

    def text(self, member: Member) -> str | None:
        return self.get(member)


# --- The archive ----------------------------------------------------------------------------------


def test_a_small_wheel_is_found_in_its_end():
    file = Memory(tensorflow_wheel("2.18.1", requires=["numpy"], exact="9.3.0"))
    remote = RemoteWheel(file)
    assert remote.text(Member.METADATA) == metadata("tensorflow", "2.18.1", ["numpy"])
    assert len(file.reads) == 2
    assert build_of(remote) == Build(
        "12.5.1",
        "9.3.0",
        {"cuda": "build_info.py", "cudnn": "cudnn_version.h"},
        ("sm_60", "compute_80"),
    )
    assert len(file.reads) == 4  # each member once
    assert remote.text(Member.CUDA_CONFIG) is None


def test_a_header_that_is_not_wanted_is_not_looked_for():
    members = {f"tensorflow/include/a/long/path/to/{i:06}.h": "" for i in range(12_000)}
    members |= {INFO_PATH: BUILD_INFO.format(cuda="11.8", cudnn="8")}
    file = Memory(zipped(members))
    assert build_of(RemoteWheel(file), header=False).cudnn == "8"
    assert sum(file.reads) < 50_000
    assert build_of(RemoteWheel(file)).cudnn == "8"
    assert sum(file.reads) > 1_000_000


def test_a_shim_has_nothing_but_metadata():
    file = Memory(hollow_wheel("tensorflow", "2.13.1", ["tensorflow-intel==2.13.1"]))
    assert RemoteWheel(file).is_shim()
    assert len(file.reads) == 1
    big = Memory(tensorflow_wheel("2.13.1", padding=6_000))
    assert not RemoteWheel(big).is_shim()
    assert len(big.reads) == 1


RUNPATH = "$ORIGIN/:$ORIGIN/../../nvidia/cufft/lib:$ORIGIN/../nvidia/cublas/lib"
MEGABYTE = 1024 * 1024


def noise(length: int) -> bytes:
    """Bytes that can't be packed, and stand for a library's."""
    return random.Random(0).randbytes(length)


@pytest.mark.sample
@pytest.mark.parametrize("before", [0, MEGABYTE - 40, 2 * MEGABYTE + MEGABYTE // 2])
def test_a_runpath_is_read_from_the_start_of_its_library(before):
    content = library(RUNPATH, noise(before), noise(6 * MEGABYTE))
    file = Memory(zipped({FRAMEWORK_PATH: content, INFO_PATH: BUILD_INFO}))
    assert RemoteWheel(file).runpath() == RUNPATH
    assert sum(file.reads) < before + 2 * MEGABYTE


def test_a_long_runpath_is_read_whole():
    long = ":".join(f"{RUNPATH}/{number}" for number in range(100_000))
    content = library(long, behind=noise(100))
    assert RemoteWheel(Memory(zipped({FRAMEWORK_PATH: content}))).runpath() == long


def test_a_wheel_may_have_no_runpath(monkeypatch):
    assert RemoteWheel(Memory(zipped({INFO_PATH: ""}))).runpath() is None
    assert RemoteWheel(Memory(zipped({FRAMEWORK_PATH: library("$LIB/x")}))).runpath() is None
    assert RemoteWheel(Memory(zipped({FRAMEWORK_PATH: ""}))).runpath() is None
    monkeypatch.setattr(wheel, "_RUNPATH_LIMIT", MEGABYTE)
    deep = library(RUNPATH, noise(MEGABYTE))
    assert RemoteWheel(Memory(zipped({FRAMEWORK_PATH: deep}))).runpath() is None


def test_a_runpath_of_a_damaged_library_is_reported():
    content = bytearray(zipped({FRAMEWORK_PATH: library(RUNPATH, noise(1000))}))
    content[30 + len(FRAMEWORK_PATH)] |= 7  # the kind of its first packed block: there is none such
    with pytest.raises(ReadError, match="damaged"):
        RemoteWheel(Memory(bytes(content))).runpath()
    stored = zipped({FRAMEWORK_PATH: library(RUNPATH)}, zipfile.ZIP_STORED)
    with pytest.raises(ReadError, match="unknown way"):
        RemoteWheel(Memory(stored)).runpath()


@pytest.mark.parametrize(
    ("runpath", "folders"),
    [
        (RUNPATH, ("cublas",)),
        ("$ORIGIN/../nvidia/cudnn/lib/:$ORIGIN/../nvidia/cudnn/lib", ("cudnn",)),
        ("$ORIGIN/../nvidia/b/lib:$ORIGIN/../nvidia/a/lib", ("a", "b")),
        ("$ORIGIN/../nvidia/a/lib64:/nvidia/b/lib:$ORIGIN/../tensorrt", ()),
        ("", ()),
    ],
)
def test_the_folders_of_nvidias_wheels_in_a_runpath(runpath, folders):
    assert nvidia_folders(runpath) == folders


@pytest.mark.parametrize(
    ("info", "names"),
    [
        ({"cuda_compute_capabilities": ["sm_60", "compute_90"]}, ("sm_60", "compute_90")),
        ({"cuda_compute_capabilities": ("sm_60",)}, ("sm_60",)),
        ({"cuda_compute_capabilities": ["sm_60", 7, "rm -rf"]}, ("sm_60",)),
        ({"cuda_compute_capabilities": "sm_60"}, ()),
        ({}, ()),
    ],
)
def test_compute_capabilities(info, names):
    assert compute_capabilities(info) == names


@pytest.mark.parametrize(
    ("new", "old", "least"),
    [
        ("  required_tensorflow_version = '2.13'\n", "", "2.13"),
        ("", '  required_tensorflow_version = "2.3"\n', "2.3"),
        ("# required_tensorflow_version = '1.15'  # Needed internally\n", "", None),
        ("", "", None),
    ],
)
def test_required_tensorflow(new, old, least):
    texts = Texts({Member.PROBABILITY: new, Member.PROBABILITY_OLD: old})
    assert required_tensorflow(texts) == least


def test_stored_members_are_read_as_well():
    content = zipped({"a-1.dist-info/METADATA": "Name: a\n"}, zipfile.ZIP_STORED)
    assert RemoteWheel(Memory(content)).text(Member.METADATA) == "Name: a\n"


def test_a_long_directory_is_read_from_both_ends_only():
    members = {CUDNN_PATH: CUDNN_VERSION.format(9, 3, 0)}
    members |= {f"tensorflow/include/a/long/path/to/{i:06}.h": "" for i in range(12_000)}
    members |= {INFO_PATH: BUILD_INFO.format(cuda="12.5.1", cudnn="9")}
    members |= {"tensorflow-2.18.1.dist-info/METADATA": metadata("tensorflow", "2.18.1")}
    file = Memory(zipped(members))
    remote = RemoteWheel(file)
    assert remote.text(Member.METADATA) is not None
    assert build_of(remote).cudnn == "9.3.0"
    assert len(file.reads) == 5
    assert sum(file.reads) < 300_000
    directory = struct.unpack_from("<I", file.content, len(file.content) - 10)[0]
    assert directory > 1_000_000


def test_the_middle_of_a_directory_is_read_when_something_is_missing():
    file = Memory(tensorflow_wheel("2.16.2", exact="8.9.6", cudnn="8", padding=6_000))
    assert build_of(RemoteWheel(file)).cudnn == "8.9.6"
    file = Memory(tensorflow_wheel("2.13.1", cudnn="8", padding=6_000))
    assert build_of(RemoteWheel(file)).cudnn == "8"


@given(
    before=st.integers(0, 40),
    behind=st.integers(0, 40),
    sizes=st.tuples(st.integers(70, 400), st.integers(50, 400), st.integers(50, 400)),
    comment=st.sampled_from(["", "PK\x01\x02 is no entry", "x" * 30]),
)
def test_wherever_the_directory_is_cut(before, behind, sizes, comment):
    """Every division into pieces finds the same, whatever signatures stand about by chance."""
    names = [f"lure/{i}" for i in range(before)] + ["a-1.dist-info/METADATA"]
    names += [f"bait/{i}" for i in range(behind)]
    members = {name: f"PK\x01\x02 {name}" for name in names}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            info = zipfile.ZipInfo(name)
            info.comment = comment.encode()
            archive.writestr(info, text)
    with pytest.MonkeyPatch.context() as patch:
        # The end must hold its record and one entry: real entries are far smaller than 128 KiB.
        patch.setattr(wheel, "TAIL", sizes[0] + 150)
        patch.setattr(wheel, "HEAD", sizes[1])
        patch.setattr(wheel, "STEP", sizes[2])
        remote = RemoteWheel(Memory(stream.getvalue()))
        assert remote.text(Member.METADATA) == members["a-1.dist-info/METADATA"]
        assert remote.text(Member.BUILD_INFO) is None
        assert remote.text(Member.METADATA) == members["a-1.dist-info/METADATA"]


def test_a_long_local_header_is_read_on():
    content = bytearray(zipped({"a-1.dist-info/METADATA": "Name: a\n" * 50}, zipfile.ZIP_STORED))
    extra = b"\0" * 300
    header = 30 + len("a-1.dist-info/METADATA")
    content[28:30] = struct.pack("<H", len(extra))
    content[header:header] = extra
    end = content.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", content, end + 16)[0]
    content[end + 16 : end + 20] = struct.pack("<I", start + len(extra))
    assert RemoteWheel(Memory(bytes(content))).text(Member.METADATA) == "Name: a\n" * 50


def damaged(content: bytes, kind: str) -> bytes:
    data = bytearray(content)
    end = data.rfind(b"PK\x05\x06")
    entry = data.find(b"PK\x01\x02")
    if kind == "cut short":
        return bytes(data[: end - 3])
    if kind == "not a zip":
        return b"<html>not found</html>"
    if kind == "empty":
        return b""
    if kind == "zip64":
        data[end + 12 : end + 20] = b"\xff" * 8
    elif kind == "directory elsewhere":
        data[end + 16] ^= 0x40
    elif kind == "directory broken":
        data[entry] = 0
    elif kind == "entry too long":
        data[entry + 28 : entry + 30] = b"\xff\xff"
    elif kind == "content changed":
        data[30 + len("a-1.dist-info/METADATA") + 2] ^= 1
    elif kind == "local header gone":
        data[0:4] = b"gone"
    elif kind == "unknown packing":
        data[entry + 10] = 14
    elif kind == "encrypted":
        data[entry + 8] |= 1
    elif kind == "huge":
        data[entry + 20 : entry + 24] = b"\xff\xff\xff\x7f"
    return bytes(data)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "kind",
    [
        *("cut short", "not a zip", "empty", "zip64", "directory elsewhere", "directory broken"),
        *("entry too long", "content changed", "local header gone", "unknown packing"),
        *("encrypted", "huge"),
    ],
)
def test_a_malformed_wheel_is_reported_as_such(kind, packing):
    content = zipped({"a-1.dist-info/METADATA": "Name: a\n" * 9}, packing)
    with pytest.raises(ReadError) as caught:
        RemoteWheel(Memory(damaged(content, kind))).text(Member.METADATA)
    assert "\n" not in str(caught.value)


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
def test_no_damage_raises_anything_else(place, value):
    content = bytearray(tensorflow_wheel("2.18.1", exact="9.3.0", padding=3))
    content[place % len(content)] = value
    remote = RemoteWheel(Memory(bytes(content)))
    try:
        build_of(remote)
        text = remote.text(Member.METADATA)
        if text is not None:
            requires_dist(text)
    except ReadError:
        pass


def test_a_bomb_does_not_fill_the_memory(monkeypatch):
    content = zipped({"a-1.dist-info/METADATA": "x" * 100_000})
    monkeypatch.setattr(wheel, "_MEMBER_LIMIT", 10_000)
    with pytest.raises(ReadError, match="too large"):
        RemoteWheel(Memory(content)).text(Member.METADATA)


# --- Its members ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cuda", "cudnn"),
    [
        ("cuda_version = '10'\ncudnn_version = '7'", None, None),
        ("build_info = {'cuda_version': '10.1', 'cudnn_version': '7'}", "10.1", "7"),
        (BUILD_INFO.format(cuda="11.8", cudnn="8"), "11.8", "8"),
        ("build_info = O({'cuda_version': '12.2', 'cudnn_version': '8'})", "12.2", "8"),
        # Windows
        (BUILD_INFO.format(cuda="64_112", cudnn="64_8"), "11.2", "8"),
        # 2.22.0rc0
        ("build_info = O([('is_cuda_build', True)])", None, None),
        ("build_info = O([('is_cuda_build', False), ('cuda_version', '12.2')])", None, None),
        # Nothing is run, and nothing that isn't plainly said is believed.
        ("build_info = dict(cuda_version=str(11.8))", None, None),
        ("build_info = O([1, 2])\nbuild_info['cuda_version'] = '11.8'", None, None),
        ("build_info = __import__('os').abort()", None, None),
        ("build_info = {'cuda_version': 11.8}", None, None),
    ],
)
def test_build_info(text, cuda, cudnn):
    build = build_of(Texts({Member.BUILD_INFO: text}))
    assert (build.cuda, build.cudnn) == (cuda, cudnn)
    assert set(build.sources) == {key for key in ("cuda", "cudnn") if getattr(build, key)}


@pytest.mark.parametrize("text", ["this is no python", "\0", "(" * 5000])
def test_build_info_that_is_no_python(text):
    with pytest.raises(ReadError):
        build_info(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        *(("11.8", "11.8"), ("12.5.1", "12.5.1"), ("8", "8"), (" 9 ", "9"), ("64_101", "10.1")),
        *(("64_112", "11.2"), ("64_100", "10.0"), ("64_8", "8"), ("", None), ("64_", None)),
        *(("v11", None), ("11.x", None), (11.8, None), (None, None), (True, None)),
    ],
)
def test_dotted(text, version):
    assert dotted(text) == version


def test_the_most_exact_source_speaks():
    build = build_of(
        Texts(
            {
                Member.BUILD_INFO: BUILD_INFO.format(cuda="10", cudnn="7"),
                Member.CUDA_CONFIG: CUDA_CONFIG.format(cuda="10.1", cudnn="7"),
            }
        )
    )
    sources = {"cuda": "cuda_config.h", "cudnn": "build_info.py"}
    assert build == Build("10.1", "7", sources, ("sm_60", "compute_80"))

    only_headers = {
        Member.CUDA_CONFIG: CUDA_CONFIG.format(cuda="12.5.1", cudnn="9"),
        Member.CUDNN_VERSION: CUDNN_VERSION.format(9, 10, 0),
    }
    build = build_of(Texts(only_headers))
    sources = {"cuda": "cuda_config.h", "cudnn": "cudnn_version.h"}
    assert build == Build("12.5.1", "9.10.0", sources, compute=None)
    assert build_of(Texts()) == Build()


CU12 = (
    'nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
    'nvidia-cuda-runtime-cu12<13.0,>=12.5.82; extra == "and-cuda"',
    'nvidia-cudnn-cu12<10.0,>=9.10.2.21; extra == "and-cuda"',
)
CU13 = (
    'nvidia-cudnn-cu13<10.0,>=9.12; extra == "and-cuda"',
    'nvidia-cublas<14,>=13.0; extra == "and-cuda"',
)


@pytest.mark.parametrize(
    ("requires", "cuda", "cudnn"),
    [
        (CU12, "12.5", "9"),
        (CU12[::-1], "12.5", "9"),
        (CU13, "13", "9"),
        ((*CU13, 'nvidia-cuda-runtime<14,>=13.0.96; extra == "and-cuda"'), "13.0", "9"),
        (("numpy", "nvidia-cudnn-cu12==9.1"), None, None),
        ((), None, None),
    ],
)
def test_what_the_build_does_not_name_is_that_of_the_extra(requires, cuda, cudnn):
    unnamed = {Member.BUILD_INFO: "build_info = O([('is_cuda_build', True)])"}
    build = build_of(Texts(unnamed), requires)
    assert (build.cuda, build.cudnn, build.compute) == (cuda, cudnn, None)
    assert {*build.sources.values()} == ({"and-cuda"} if cuda else set())
    headers = {
        Member.CUDA_CONFIG: CUDA_CONFIG.format(cuda="12.5.1", cudnn="9")
        + "#define TF_CUDA_COMPUTE_CAPABILITIES 60, 70, 90\n",
        Member.CUDNN_VERSION: CUDNN_VERSION.format(9, 10, 0),
    }
    build = build_of(Texts(unnamed | headers), requires)
    assert (build.cuda, build.cudnn, build.compute) == ("12.5.1", "9.10.0", ("60", "70", "90"))
    # A wheel without CUDA has the same extra.
    assert build_of(Texts({Member.BUILD_INFO: CPU_BUILD_INFO}), requires) == Build()


def test_a_contradiction_is_not_settled_by_guessing():
    texts = Texts(
        {
            Member.BUILD_INFO: BUILD_INFO.format(cuda="12.5.1", cudnn="8"),
            Member.CUDNN_VERSION: CUDNN_VERSION.format(9, 3, 0),
        }
    )
    with pytest.raises(ReadError, match=r"9\.3\.0"):
        build_of(texts)
    # A coarse version that the other source doesn't refine stays as it is.
    texts = Texts(
        {
            Member.BUILD_INFO: BUILD_INFO.format(cuda="1", cudnn="8"),
            Member.CUDA_CONFIG: CUDA_CONFIG.format(cuda="10.1", cudnn="7"),
        }
    )
    assert build_of(texts).cuda == "1"


def test_headers_that_say_nothing():
    assert cudnn_version("#include <cudnn_version_v8.h>\n#define CUDNN_MAJOR 8\n") is None
    assert cudnn_version("// #define CUDNN_MAJOR 8") is None
    assert (
        cudnn_version(
            "#  define CUDNN_MAJOR 8\r\n#define CUDNN_MINOR 9\r\n#define CUDNN_PATCHLEVEL 6\r\n"
        )
        == "8.9.6"
    )
    assert cuda_config('#define TF_CUDA_VERSION ""\n') == {}
    assert cuda_config(CUDA_CONFIG.format(cuda="64_112", cudnn="8")) == {
        "cuda": "11.2",
        "cudnn": "8",
    }


@pytest.mark.parametrize(
    ("path", "member"),
    [
        (INFO_PATH, Member.BUILD_INFO),
        ("tensorflow_core/python/platform/build_info.py", Member.BUILD_INFO),
        (CUDNN_PATH, Member.CUDNN_VERSION),
        ("tensorflow/include/third_party/gpus/cudnn/include/cudnn_version.h", Member.CUDNN_VERSION),
        (CONFIG_PATH, Member.CUDA_CONFIG),
        # In 2.14: a file of that name which defines no version.
        ("tensorflow/include/tensorflow/tsl/cuda/cudnn_version.h", None),
        ("other/python/platform/build_info.py", None),
    ],
)
def test_which_file_is_which(path, member):
    remote = RemoteWheel(Memory(zipped({path: "text"})))
    assert [one for one in Member if remote.text(one) is not None] == ([member] if member else [])


def test_requires_dist():
    text = metadata("a", "1", ["numpy (<2)", 'keras ; extra == "x"'])
    assert requires_dist(text) == ("numpy (<2)", 'keras ; extra == "x"')
    folded = "Name: a\nRequires-Dist: numpy\n    <2\n\nRequires-Dist: body\n"
    assert requires_dist(folded) == ("numpy <2",)
    with pytest.raises(ReadError):
        requires_dist("<html>")


def test_a_member_that_is_no_text():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", b"\xff\xfe")
    with pytest.raises(ReadError, match="damaged"):
        RemoteWheel(Memory(stream.getvalue())).text(Member.METADATA)
