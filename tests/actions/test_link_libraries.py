"""The libraries of NVIDIA's wheels, linked to where an installed TensorFlow looks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poetry_tf.actions.link_libraries import link_libraries
from poetry_tf.releases.installed import library_links
from tests.support.elf import elf, runpath_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")

WHEELS = {
    "cublas": ["libcublas.so.12", "libcublasLt.so.12"],
    "cuda_cupti": ["libcupti.so.12", "libcheckpoint.so"],
    "cuda_runtime": ["libcudart.so.12", "libcudadevrt.a"],
    "cudnn": ["libcudnn.so.9", "libcudnn_graph.so.9"],
    "cusolver": ["libcusolver.so.11"],
}


def install(
    site: Path, *searched: str, wheels: Mapping[str, list[str]] = WHEELS, tensorflow: bool = True
) -> Path:
    """A folder with NVIDIA's wheels, and a TensorFlow that looks in some of their folders."""
    for folder, names in wheels.items():
        (site / "nvidia" / folder / "lib").mkdir(parents=True, exist_ok=True)
        for name in names:
            (site / "nvidia" / folder / "lib" / name).write_bytes(folder.encode())
    if tensorflow:
        (site / "tensorflow").mkdir(parents=True, exist_ok=True)
        framework = site / "tensorflow" / "libtensorflow_framework.so.2"
        framework.write_bytes(elf(runpath_of(*searched)))
    return site


def links(site: Path) -> dict[str, str]:
    """The links in the folders of the wheels, and what each points to."""
    return {
        path.relative_to(site / "nvidia").as_posix(): os.readlink(path)  # noqa: PTH115
        for path in sorted((site / "nvidia").rglob("*"))
        if path.is_symlink()
    }


@pytest.mark.parametrize(
    ("searched", "expected"),
    [
        # As 2.20.0 but for its CUPTI, then 2.21.0, then 2.16.1, which looks in one folder only.
        (("cublas", "cuda_cupti", "cuda_runtime", "cudnn", "cusolver"), {}),
        (
            ("cublas", "cuda_cupti", "cuda_runtime", "cudnn"),
            {"cublas/lib/libcusolver.so.11": "../../cusolver/lib/libcusolver.so.11"},
        ),
        (
            ("cuda_runtime",),
            {
                f"cuda_runtime/lib/{name}": f"../../{folder}/lib/{name}"
                for folder in ("cublas", "cuda_cupti", "cudnn", "cusolver")
                for name in WHEELS[folder]
            },
        ),
    ],
    ids=["finds all", "overlooks one", "finds one"],
)
def test_what_tensorflow_overlooks_is_linked(
    tmp_path: Path, searched: tuple[str, ...], expected: dict[str, str]
):
    site = install(tmp_path, *searched)
    made = link_libraries(site)
    assert links(site) == expected
    assert {path.name for path in made.missing} == {Path(name).name for name in expected}
    assert link_libraries(site) == library_links(site) == type(made)()
    for name in expected:
        assert (site / "nvidia" / name).read_bytes().decode() == Path(expected[name]).parts[2]


def test_links_follow_what_is_installed(tmp_path: Path):
    site = install(tmp_path, "cuda_runtime")
    link_libraries(site)
    # Poetry updates TensorFlow to one that finds all but cuSOLVER.
    install(site, "cublas", "cuda_cupti", "cuda_runtime", "cudnn")
    link_libraries(site)
    assert links(site) == {"cublas/lib/libcusolver.so.11": "../../cusolver/lib/libcusolver.so.11"}
    # Another cuSOLVER has another name, and the wheel with the folder of the links is replaced.
    shutil.rmtree(site / "nvidia/cusolver")
    (site / "nvidia/cublas/lib/libcublas.so.12").unlink()
    install(site, "cublas", "cudnn", wheels={"cusolver": ["libcusolver.so.12"]})
    link_libraries(site)
    assert "cublas/lib/libcusolver.so.12" in links(site)
    assert "cublas/lib/libcusolver.so.11" not in links(site)
    # Without TensorFlow none is needed.
    shutil.rmtree(site / "tensorflow")
    link_libraries(site)
    assert links(site) == {}


def test_nothing_else_is_touched(tmp_path: Path):
    """Links of the user's own, and libraries that are in two folders."""
    site = install(tmp_path, "cuda_runtime", wheels={**WHEELS, "mine": ["libcudart.so.12"]})
    folder = site / "nvidia/cuda_runtime/lib"
    (folder / "libmine.so").symlink_to("/opt/mine/libmine.so")
    (folder / "libother.so").symlink_to("../../cublas/lib/libcublas.so.12")
    (site / "tensorflow/libcudnn.so.9").symlink_to("../nvidia/cudnn/lib/libcudnn.so.9")
    link_libraries(site)
    made = links(site)
    assert made["cuda_runtime/lib/libmine.so"] == "/opt/mine/libmine.so"
    assert made["cuda_runtime/lib/libother.so"] == "../../cublas/lib/libcublas.so.12"
    assert (folder / "libcudart.so.12").read_bytes() == b"cuda_runtime"
    assert not (folder / "libcudart.so.12").is_symlink()
    assert (site / "tensorflow/libcudnn.so.9").is_symlink()


@pytest.mark.parametrize(
    "prepare",
    [
        lambda site: install(site, tensorflow=False),
        lambda site: install(site, wheels={}),
        lambda site: install(site, "cublas", wheels={"cudnn": ["libcudnn.so.9"]}),
        install,
    ],
    ids=["no TensorFlow", "no wheel", "no folder that it names", "names none"],
)
def test_there_may_be_nothing_to_link(tmp_path: Path, prepare):
    prepare(tmp_path)
    assert link_libraries(tmp_path).missing == {}
    assert not (tmp_path / "nvidia").exists() or links(tmp_path) == {}


def test_one_folder_for_the_libraries_of_cuda_13(tmp_path: Path):
    """NVIDIA's wheels for CUDA 13 share a folder, beside that of cuDNN."""
    wheels = {"cu13": ["libcublas.so.13", "libcusolver.so.12"], "cudnn": ["libcudnn.so.9"]}
    link_libraries(install(tmp_path, "cu13", wheels=wheels))
    assert links(tmp_path) == {"cu13/lib/libcudnn.so.9": "../../cudnn/lib/libcudnn.so.9"}


NAMES = st.sampled_from(["cublas", "cudnn", "cufft", "cu13", "nccl"])


@given(
    wheels=st.dictionaries(NAMES, st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=3)),
    searched=st.lists(st.lists(NAMES, max_size=3), min_size=1, max_size=3),
)
@example(wheels={"cublas": [], "cudnn": [], "cufft": ["a"]}, searched=[["cublas"], ["cudnn"]])
def test_whatever_is_installed_each_library_is_found_once(
    tmp_path_factory: pytest.TempPathFactory,
    wheels: dict[str, list[str]],
    searched: list[list[str]],
):
    site = tmp_path_factory.mktemp("site")
    # No two of NVIDIA's wheels for one CUDA have a library of the same name.
    files = {
        folder: [f"lib{folder}_{name}.so.1" for name in names] for folder, names in wheels.items()
    }
    for folders in searched:  # one TensorFlow after the other
        install(site, *folders, wheels=files)
        link_libraries(site)
    assert link_libraries(site) == type(library_links(site))()
    reached = [site / "nvidia" / name / "lib" for name in searched[-1] if name in files]
    for folder, names in files.items():
        for name in names:
            path = site / "nvidia" / folder / "lib" / name
            assert path.read_bytes() == folder.encode(), "the wheels' own files stay"
            assert not path.is_symlink()
            assert not reached or any((one / name).exists() for one in reached)
    if not reached:
        assert not (site / "nvidia").exists() or links(site) == {}


SOURCES = {
    # TensorFlow's part: opens a library by its name, from a file with a RUNPATH.
    "framework": (
        "#include <dlfcn.h>\nint opens(const char *name){ return dlopen(name, RTLD_LAZY) != 0; }"
    ),
    "cublas": "int blas(void) { return 7; }",
    "cusolver": "int blas(void); int solve(void) { return blas(); }",
}
OPENS = """
import ctypes, sys
framework = ctypes.CDLL(sys.argv[1])
print(*(framework.opens(name.encode()) for name in sys.argv[2:]))
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_the_loader_finds_them_with_their_own_dependencies(tmp_path: Path):
    """By the names alone, without a variable, as TensorFlow does."""

    def compile_library(source: str, path: Path, *options: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = tmp_path / f"{source}.c"
        file.write_text(SOURCES[source])
        name = f"-Wl,-soname,{path.name}"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", path, file, name, *options], check=True)

    nvidia = tmp_path / "nvidia"
    framework = tmp_path / "tensorflow/libtensorflow_framework.so.2"
    compile_library("framework", framework, "-ldl", f"-Wl,-rpath,{runpath_of('cuda_runtime')}")
    compile_library("cublas", nvidia / "cublas/lib/libcublas.so.12")
    compile_library(
        "cusolver",
        nvidia / "cusolver/lib/libcusolver.so.11",
        str(nvidia / "cublas/lib/libcublas.so.12"),
        "-Wl,-rpath,$ORIGIN/../../cublas/lib",
    )
    (nvidia / "cuda_runtime/lib").mkdir(parents=True)
    environment = {name: os.environ[name] for name in os.environ if name != "LD_LIBRARY_PATH"}

    def opens(path: Path) -> str:
        command = [sys.executable, "-c", OPENS, str(path), "libcusolver.so.11", "libcublas.so.12"]
        output = subprocess.check_output(command, env=environment, text=True)
        return str(output).strip()

    assert opens(framework) == "0 0"
    link_libraries(tmp_path)
    assert opens(framework) == "1 1"
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(moved)
    assert opens(moved / framework.relative_to(tmp_path)) == "1 1", "the links are relative"
