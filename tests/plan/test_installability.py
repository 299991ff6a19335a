"""Where a lock can be installed, read off the file names in it."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from poetry_tf.files.lock import Lock
from poetry_tf.plan.environments import ENVIRONMENTS, Target, format_targets, make_targets
from poetry_tf.plan.installability import LockedPackages
from poetry_tf.plan.lock_entries import LockedPackage, supported_tags
from poetry_tf.releases.images import Systems, load_images
from poetry_tf.releases.model import (
    LINUX_AARCH64,
    LINUX_X86_64,
    MACOS_ARM64,
    MACOS_X86_64,
    WINDOWS_AMD64,
)
from poetry_tf.text import format_list
from tests.made import pyproject_of

SYSTEMS = Systems(glibc="2.36", macos="14.0")
EVERYWHERE = tuple(ENVIRONMENTS)
PYTHONS = ("3.10", "3.11", "3.12")


def locked(text: str, pyproject: str = "") -> LockedPackages:
    return LockedPackages.of(Lock.read(Path("poetry.lock"), text), pyproject_of(pyproject))


def described(packages: LockedPackages, *judged: Target) -> list[str]:
    targets = judged or make_targets(EVERYWHERE, PYTHONS)
    return [
        f"{item.package.name} {item.package.version} {item.reason} "
        f"{format_targets(item.targets, targets)}"
        for item in packages.obstacles(targets, SYSTEMS)
    ]


def package(
    name: str,
    *tags: str,
    version: str = "1.0",
    optional: bool = False,
    pythons: str = "*",
    more: str = "",
) -> str:
    """A package of a lock with a wheel for each tag; `more` is what else stands in its table."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = ", ".join(f'{{file = "{stem}-{tag}.whl", hash = "sha256:0"}}' for tag in tags)
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        f'optional = {str(optional).lower()}\npython-versions = "{pythons}"\n'
        + (f"files = [{files}]\n" if tags else "")
        + f"{more}\n"
    )


def lock(*packages: str, form: str = "2.0", pythons: str = ">=3.10,<3.13", more: str = "") -> str:
    return (
        "\n".join(packages)
        + f'\n[metadata]\nlock-version = "{form}"\npython-versions = "{pythons}"\n'
        + f'content-hash = "0"\n{more}'
    )


def one(*files: str, pythons: str = "*") -> LockedPackages:
    """A lock with one package, needed everywhere."""
    names = tuple(f"demo-1.0-{file}" if "-" in file else file for file in files)
    package = LockedPackage(canonicalize_name("demo"), "1.0", False, pythons, names, ())
    return LockedPackages([package])


# -- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", EVERYWHERE),
        ("py2.py3-none-any", EVERYWHERE),
        ("py2-none-any", ()),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", (LINUX_X86_64,)),
        ("cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64", (LINUX_AARCH64,)),
        ("cp311-cp311-manylinux1_x86_64", (LINUX_X86_64,)),
        ("cp311-cp311-manylinux2010_x86_64", (LINUX_X86_64,)),
        ("cp311-cp311-linux_x86_64", (LINUX_X86_64,)),
        # The image's glibc, and one after it.
        ("cp311-cp311-manylinux_2_36_x86_64", (LINUX_X86_64,)),
        ("cp311-cp311-manylinux_2_37_x86_64", ()),
        ("cp311-cp311-musllinux_1_2_x86_64", ()),
        ("cp311-cp311-win_amd64", (WINDOWS_AMD64,)),
        ("cp311-cp311-win32", ()),
        ("cp311-cp311-win_arm64", ()),
        ("cp311-cp311-macosx_10_15_x86_64", (MACOS_X86_64,)),
        ("cp311-cp311-macosx_12_0_arm64", (MACOS_ARM64,)),
        ("cp311-cp311-macosx_14_0_arm64", (MACOS_ARM64,)),
        ("cp311-cp311-macosx_15_0_arm64", ()),
        ("cp311-cp311-macosx_11_0_universal2", (MACOS_X86_64, MACOS_ARM64)),
        ("cp38-abi3-win_amd64", (WINDOWS_AMD64,)),
        ("cp312-abi3-win_amd64", ()),
        ("py3-none-win_amd64", (WINDOWS_AMD64,)),
        # Built for the free-threaded Python, another Python or another implementation.
        ("cp311-cp311t-win_amd64", ()),
        ("cp310-cp310-win_amd64", ()),
        ("pp311-pypy311_pp73-win_amd64", ()),
    ],
)
def test_where_a_wheel_fits(tag: str, fits: tuple[str, ...]):
    targets = make_targets(EVERYWHERE, ["3.11"])
    without = [
        target for item in one(f"{tag}.whl").obstacles(targets, SYSTEMS) for target in item.targets
    ]
    assert tuple(target.environment for target in targets if target not in without) == fits


def test_a_package_without_a_file_is_reported_with_the_targets():
    assert described(one("cp310-cp310-win_amd64.whl", "cp311-abi3-win_amd64.whl")) == [
        "demo 1.0 file linux-x86_64, linux-aarch64, macos-x86_64 and macos-arm64"
    ]
    assert described(one("cp310-cp310-win_amd64.whl"), *make_targets([WINDOWS_AMD64], PYTHONS)) == [
        "demo 1.0 file windows-amd64 with Python 3.11 and 3.12"
    ]


@pytest.mark.parametrize("source", ["demo-1.0.tar.gz", "demo-1.0.zip", "demo-1.0.tar.bz2"])
def test_what_can_be_built_counts_as_installable(source: str):
    assert described(one("cp310-cp310-win_amd64.whl", source)) == []


def test_what_poetry_cannot_install_counts_for_nothing():
    found = described(one("demo-1.0.exe", "demo-1.0-py3.11.egg", "py3-none-any.whl.asc"))
    assert found == [f"demo 1.0 file {format_list(EVERYWHERE)}"]


def test_a_package_of_which_no_file_is_known_is_let_be():
    assert described(one()) == []


@pytest.mark.parametrize(
    "name", ["demo.whl", "demo-1.0.whl", "demo-1.0-a-b-.whl", "demo-1.0----.whl"]
)
def test_a_name_that_is_none_fits_nowhere(name: str):
    package = LockedPackage(canonicalize_name("demo"), "1.0", False, "*", (name,), ())
    assert described(LockedPackages([package])) == [f"demo 1.0 file {format_list(EVERYWHERE)}"]


@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ("*", []),
        (">=3.8", []),
        (">=3.10.1,<3.13", []),
        (">=3.8,<3.12", ["demo 1.0 python linux-x86_64 with Python 3.12"]),
        (">=3.12", ["demo 1.0 python linux-x86_64 with Python 3.10 and 3.11"]),
        ("no constraint", []),
    ],
)
def test_a_package_has_to_admit_the_python(pythons: str, expected: list[str]):
    packages = one("py3-none-any.whl", pythons=pythons)
    assert described(packages, *make_targets([LINUX_X86_64], PYTHONS)) == expected


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="CPython is what is judged")
def test_this_very_python_supports_what_is_said_of_it():
    """The oracle is `packaging`, for the running Python on this system."""
    names = {
        ("Linux", "x86_64"): LINUX_X86_64,
        ("Linux", "aarch64"): LINUX_AARCH64,
        ("Darwin", "x86_64"): MACOS_X86_64,
        ("Darwin", "arm64"): MACOS_ARM64,
        ("Windows", "AMD64"): WINDOWS_AMD64,
    }
    name = names.get((platform.system(), platform.machine()))
    _, glibc = platform.libc_ver()
    if name is None or (platform.system() == "Linux" and not glibc):
        pytest.skip("no environment that is known")
    macos = ".".join((platform.mac_ver()[0] or "14.0").split(".")[:2])
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = supported_tags(Target(name, minor), Systems(glibc or "2.36", macos))
    assert {*found} == {*sys_tags()}


TAGS = st.tuples(
    st.lists(st.sampled_from(["py3", "py2", "cp38", "cp310", "cp311", "pp310"]), min_size=1),
    st.lists(st.sampled_from(["none", "abi3", "cp310", "cp311", "cp311t"]), min_size=1),
    st.lists(
        st.sampled_from(
            [
                "any",
                "win_amd64",
                "manylinux_2_28_x86_64",
                "manylinux2014_aarch64",
                "macosx_11_0_arm64",
                "macosx_10_9_universal2",
                "musllinux_1_1_x86_64",
            ]
        ),
        min_size=1,
    ),
)


@given(TAGS, st.sampled_from(make_targets(EVERYWHERE, PYTHONS)), st.sampled_from(["", "-1", "-2b"]))
def test_a_wheel_fits_where_one_of_its_tags_does(
    tags: tuple[list[str], ...], target: Target, build: str
):
    name = f"demo-1.0{build}-{'-'.join('.'.join(part) for part in tags)}.whl"
    package = LockedPackage(canonicalize_name("demo"), "1.0", False, "*", (name,), ())
    each = parse_wheel_filename(name)[3]
    assert package.has_file(target, SYSTEMS) is bool(each & {*supported_tags(target, SYSTEMS)})


def test_the_systems_that_are_shipped():
    images = load_images()
    assert images.distribution == "bookworm"
    assert images.systems.glibc == "2.36"
    assert Target(LINUX_X86_64, "3.11") in [
        target
        for target in make_targets([LINUX_X86_64], ["3.11"])
        if one("cp311-cp311-manylinux_2_27_x86_64.whl").packages[0].has_file(target, images.systems)
    ]


# -- Poetry 2: the lock says where a package is needed ----------------------------------------

LOCK_2_1 = lock(
    package(
        "everywhere",
        "cp310-abi3-manylinux_2_17_x86_64",
        "cp310-abi3-win_amd64",
        pythons=">=3.8",
        more='groups = ["main"]',
    ),
    package(
        "marked",
        "py3-none-win_amd64",
        more="""groups = ["main", "dev"]\nmarkers = "sys_platform == 'win32'\"""",
    ),
    package(
        "by-group",
        "py3-none-win_amd64",
        more="""\
groups = ["main", "dev"]

[package.markers]
main = "sys_platform == 'win32'"
dev = "python_version >= '3.12'"
""",
    ),
    package(
        "half-marked",
        "py3-none-win_amd64",
        more="""groups = ["main", "dev"]\nmarkers = {main = "sys_platform == 'win32'"}""",
    ),
    package(
        "wanted-by-an-extra",
        "py3-none-win_amd64",
        optional=True,
        more="""groups = ["main"]\nmarkers = "extra == 'gpu' and sys_platform == 'linux'\"""",
    ),
    package(
        "never",
        "py3-none-macosx_11_0_arm64",
        optional=True,
        more='groups = ["main"]\nmarkers = "<empty>"',
    ),
    package(
        "split",
        "cp310-cp310-win_amd64",
        more="""groups = ["main"]\nmarkers = "python_version < '3.11'\"""",
    ),
    package(
        "split",
        "cp311-cp311-manylinux_2_17_x86_64",
        version="2.0",
        pythons=">=3.11",
        more="""groups = ["main"]\nmarkers = "python_version >= '3.11'\"""",
    ),
    package(
        "ours",
        version="0.1",
        more="""\
groups = ["main"]
files = []

[package.source]
type = "directory"
url = "../ours"
""",
    ),
    package(
        "theirs",
        "py3-none-any",
        version="0.1",
        more="""\
groups = ["main"]

[package.source]
type = "url"
url = "https://example.org/theirs-0.1-py3-none-any.whl"
""",
    ),
    form="2.1",
)


def test_a_lock_of_poetry_2_is_judged_by_its_own_markers():
    judged = make_targets([LINUX_X86_64, WINDOWS_AMD64], PYTHONS)
    assert described(locked(LOCK_2_1), *judged) == [
        "by-group 1.0 file linux-x86_64 with Python 3.12",
        "half-marked 1.0 file linux-x86_64",
        "wanted-by-an-extra 1.0 file linux-x86_64",
        "split 1.0 file linux-x86_64 with Python 3.10",
        "split 2.0 file linux-x86_64 with Python 3.12 and windows-amd64 with Python 3.11 and 3.12",
    ]


def test_each_environment_is_judged_by_itself():
    found = described(locked(LOCK_2_1), *make_targets([WINDOWS_AMD64], ["3.10"]))
    assert found == []
    (first, *_) = described(locked(LOCK_2_1), *make_targets([MACOS_ARM64], ["3.10"]))
    assert first == "everywhere 1.0 file macos-arm64"


# -- Poetry 1.5 to 1.8: files by package, nothing about where --------------------------------

PYPROJECT = """\
[tool.poetry]
name = "study"

[tool.poetry.dependencies]
python = ">=3.10,<3.13"
core = "^1.0"
toolbox = {version = "^1.0", extras = ["fast"], markers = "sys_platform == 'linux'"}
plotter = {version = "^1.0", optional = true}
split = [
    {version = "^1.0", python = "<3.11"},
    {version = "^2.0", python = ">=3.11"},
]
ours = {path = "../ours", develop = true}

[tool.poetry.extras]
plots = ["plotter"]

[tool.poetry.group.dev.dependencies]
checker = "*"
"""

LOCK_2_0 = lock(
    package(
        "core",
        "py3-none-any",
        version="1.2",
        pythons=">=3.8",
        more="""
[package.dependencies]
backport = {version = ">=1", markers = "python_version < '3.11'"}
colours = {version = "*", markers = "platform_system == 'Windows'"}
split = ">=1.0"
""",
    ),
    package("backport", "cp310-cp310-win_amd64", pythons=">=3.8"),
    package("colours", "py3-none-any"),
    package(
        "toolbox",
        "py3-none-any",
        more="""
[package.dependencies]
speed = {version = "*", optional = true, markers = "extra == 'fast'"}
luxury = {version = "*", optional = true, markers = "extra == 'nice'"}

[package.extras]
fast = ["speed"]
nice = ["luxury"]
""",
    ),
    package("speed", "cp311-cp311-manylinux_2_17_x86_64"),
    package("luxury", "py3-none-macosx_11_0_arm64"),
    package("plotter", "py3-none-win_amd64", optional=True),
    package("split", "cp310-cp310-manylinux_2_17_x86_64", pythons=">=3.7"),
    package(
        "split",
        "cp311-cp311-manylinux_2_17_x86_64",
        version="2.0",
        pythons=">=3.11",
        more='\n[package.dependencies]\nnewer = "*"',
    ),
    package("newer", "py3-none-any", pythons=">=3.11"),
    package(
        "ours",
        version="0.1",
        more="""\
files = []
develop = true

[package.dependencies]
below = "*"
aside = {version = "*", optional = true}

[package.extras]
more = ["aside"]

[package.source]
type = "directory"
url = "../ours"
""",
    ),
    package("below", "py3-none-manylinux_2_17_x86_64"),
    package("aside", "py3-none-macosx_11_0_arm64", optional=True),
    package("checker", "py3-none-win_amd64"),
    package("forgotten", "py3-none-macosx_11_0_arm64"),
)


def test_in_a_lock_of_poetry_1_the_requirements_are_followed():
    judged = make_targets([LINUX_X86_64, WINDOWS_AMD64], PYTHONS)
    assert described(locked(LOCK_2_0, PYPROJECT), *judged) == [
        "backport 1.0 file linux-x86_64 with Python 3.10",
        "speed 1.0 file linux-x86_64 with Python 3.10 and 3.12",
        "plotter 1.0 file linux-x86_64",
        "split 1.0 file windows-amd64 with Python 3.10",
        "split 2.0 file linux-x86_64 with Python 3.12 and windows-amd64 with Python 3.11 and 3.12",
        "below 1.0 file windows-amd64",
        "checker 1.0 file linux-x86_64",
    ]


def test_what_another_version_would_need_is_not_needed():
    packages = locked(LOCK_2_0, PYPROJECT)
    (newer,) = [item for item in packages.packages if item.name == "newer"]
    assert not packages.needs(newer, Target(LINUX_X86_64, "3.10"))
    assert packages.needs(newer, Target(LINUX_X86_64, "3.11"))


SOURCES = lock(
    package("torch", "cp311-none-macosx_11_0_arm64", version="2.6.0"),
    package("torch", "cp311-cp311-linux_x86_64", version="2.6.0+cu124"),
    pythons="~3.11",
)


def test_versions_of_two_sources_are_not_held_against_each_other():
    pyproject = """\
[tool.poetry.dependencies]
python = "~3.11"
torch = [
    {version = "2.6.0", source = "cuda", platform = "linux"},
    {version = "2.6.0", platform = "darwin"},
]
"""
    judged = make_targets([LINUX_X86_64, MACOS_ARM64], ["3.11"])
    assert described(locked(SOURCES, pyproject), *judged) == []
    both = [
        f"torch 2.6.0{local} file linux-aarch64" for local in ("", "+cu124")
    ]  # which of the two is used is unknown
    assert described(locked(SOURCES, pyproject), *make_targets([LINUX_AARCH64], ["3.11"])) == both


# -- Poetry 1.0 and 1.1: files in a table of their own --------------------------------------

LOCK_1_1 = lock(
    package(
        "Core_Lib",
        pythons=">=3.6",
        more="""\
description = "one"
category = "main"

[package.dependencies]
split = {version = ">=1.0", markers = "python_version >= '3.10'"}
old-style = {version = "*", python = "<3.11"}
""",
    ),
    package("old-style", more='category = "main"'),
    package("split", more='category = "main"'),
    package("split", version="2.0", more='category = "main"'),
    package("unlisted", more='category = "dev"'),
    form="1.1",
    pythons="^3.10",
    more="""
[metadata.files]
core-lib = [
    {file = "Core_Lib-1.0-cp310-cp310-win_amd64.whl", hash = "sha256:0"},
]
old-style = [
    {file = "old_style-1.0-py3-none-win_amd64.whl", hash = "sha256:0"},
]
split = [
    {file = "split-1.0-py3-none-any.whl", hash = "sha256:0"},
    {file = "split-1.0.tar.gz", hash = "sha256:0"},
    {file = "split-2.0-py3-none-win_amd64.whl", hash = "sha256:0"},
]
""",
)


def test_a_lock_of_poetry_1_1_has_its_files_by_name_for_all_versions():
    pyproject = '[tool.poetry.dependencies]\npython = "^3.10"\ncore-lib = "*"\nunlisted = "*"\n'
    judged = make_targets([LINUX_X86_64], ["3.10", "3.11"])
    assert described(locked(LOCK_1_1, pyproject), *judged) == [
        "core-lib 1.0 file linux-x86_64",
        "old-style 1.0 file linux-x86_64 with Python 3.10",
        "split 2.0 file linux-x86_64",
    ]
    first = pyproject.replace("unlisted", 'split = "<2"\nunlisted')
    assert "split" not in " ".join(described(locked(LOCK_1_1, first), *judged))


def test_a_lock_without_file_names_says_nothing():
    text = """\
[[package]]
name = "core"
version = "1.0"
optional = false
python-versions = "*"

[metadata]
content-hash = "0"

[metadata.hashes]
core = ["0"]
"""
    assert described(locked(text, '[tool.poetry.dependencies]\ncore = "*"\n')) == []


# -- whatever stands in a lock --------------------------------------------------------------

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "*", "core", "extra == 'a'"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["file", "version", "markers", "core", "type"]), inner)
    ),
    max_leaves=8,
)
INFOS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["core", "Core", "x.y"]) | st.text(max_size=4),
        "version": st.sampled_from(["1.0", "2", "dev"]) | st.text(max_size=4),
    },
    optional=dict.fromkeys(
        [
            "optional",
            "python-versions",
            "groups",
            "markers",
            "files",
            "dependencies",
            "extras",
            "source",
        ],
        ANYTHING,
    ),
)


@given(
    st.lists(INFOS, max_size=4),
    st.dictionaries(st.sampled_from(["files", "lock-version", "hashes"]), ANYTHING),
)
def test_no_lock_is_too_odd_to_be_judged(infos: list[dict[str, Any]], metadata: dict[str, Any]):
    data = {"package": infos, "metadata": metadata}
    packages = LockedPackages.of(
        Lock(Path("poetry.lock"), "", data),
        pyproject_of('[tool.poetry.dependencies]\ncore = "*"\n"x.y" = ">=1"\n'),
    )
    judged = make_targets(EVERYWHERE, ["3.7", "3.13"])
    for item in packages.obstacles(judged, SYSTEMS):
        assert item.targets
        assert set(item.targets) <= set(judged)


# -- telling --------------------------------------------------------------------------------


def test_targets_are_listed_by_environment_and_then_by_python():
    judged = make_targets([LINUX_X86_64, LINUX_AARCH64, WINDOWS_AMD64], PYTHONS)
    some = (*make_targets([LINUX_X86_64], ["3.10"]), *make_targets([LINUX_AARCH64], ["3.10"]))
    assert format_targets(some, judged) == "linux-x86_64 and linux-aarch64 with Python 3.10"
    assert format_targets(judged, judged) == "linux-x86_64, linux-aarch64 and windows-amd64"
    assert (
        format_targets((*some, *make_targets([WINDOWS_AMD64], PYTHONS)), judged)
        == "linux-x86_64 and linux-aarch64 with Python 3.10 and windows-amd64"
    )
