from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.http.errors import ReadError
from poetry_tf.http.pages import IndexFile
from poetry_tf.releases.filenames import distributions
from poetry_tf.releases.reader.companions import CompanionFacts, companion_blocks
from poetry_tf.releases.reader.derive import (
    Knowledge,
    WheelFacts,
    and_cuda_of,
    block_of,
    is_unsatisfiable,
    outline,
    representatives,
    required_distributions,
)
from poetry_tf.releases.reader.members import Build
from poetry_tf.releases.reader.requirement_lines import (
    environment,
    parse_requirement_line,
    restrict,
    without_extra,
)

LINUX = "manylinux_2_17_x86_64"
TAGS = {
    "linux-x86_64": LINUX,
    "linux-aarch64": "manylinux_2_17_aarch64",
    "macos-x86_64": "macosx_10_15_x86_64",
    "macos-arm64": "macosx_12_0_arm64",
    "windows-amd64": "win_amd64",
}
VERSION = Version("2.15.0")
AWS = (
    'tensorflow-cpu-aws (==2.15.0) ; platform_system == "Linux" and '
    '(platform_machine == "arm64" or platform_machine == "aarch64")'
)
INTEL = 'tensorflow-intel (==2.15.0) ; platform_system == "Windows"'
MACOS = 'tensorflow-macos (==2.15.0) ; platform_system == "Darwin" and platform_machine == "arm64"'


def page(*names: str, **more):
    return distributions(IndexFile(name, "", **more) for name in names)


def wheels(distribution: str, *platforms: str, pythons=("3.11",)):
    """A page of 2.15.0 with a wheel for each Python on each platform."""
    stem = distribution.replace("-", "_")
    tags = [f"cp{python.replace('.', '')}" for python in pythons]
    return page(*(f"{stem}-2.15.0-{cp}-{cp}-{TAGS[one]}.whl" for cp in tags for one in platforms))


def known(pages, facts) -> Knowledge:
    """What was read, given what each wheel says: lines, and no build for a shim."""
    return Knowledge(
        pages,
        {
            (name, VERSION, platform): WheelFacts(tuple(lines), Build(), shim)
            for (name, platform), (lines, shim) in facts.items()
        },
        pages,
    )


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("n==1; extra == 'and-cuda'", "n==1"),
        ("n (==1) ; extra == 'and_cuda'", "n==1"),
        ('n; python_version < "3.12" and extra == "and-cuda"', 'n; python_version < "3.12"'),
        (
            'n; (os_name == "nt" or os_name == "posix") and extra == "and-cuda"',
            'n; os_name == "nt" or os_name == "posix"',
        ),
        ("n==1; extra == 'other'", None),
        ("n==1; os_name == 'nt'", None),
        ("n==1", None),
    ],
)
def test_without_extra(text, inside):
    found = without_extra(Requirement(text), "and-cuda")
    assert (str(found) if found else None) == inside


@pytest.mark.parametrize(
    "marker",
    [
        'os_name == "nt" or os_name == "posix" and extra == "and-cuda"',
        'extra == "and-cuda" or os_name == "nt"',
        'extra == "and-cuda" and os_name == "nt"',
        'extra != "and-cuda"',
    ],
)
def test_a_marker_that_is_not_understood_is_not_guessed_at(marker):
    with pytest.raises(ReadError, match="not understood"):
        without_extra(Requirement(f"n; {marker}"), "and-cuda")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("tensorflow-intel==2.18.1", True),
        ("tensorflow_intel (==2.18.1) ; platform_system == 'Windows'", True),
        ("tensorflow-intel==2.18.0", False),
        ("tensorflow-intel>=2.18.1", False),
        ("tensorflow-macos==2.18.1", True),  # the index has no such distribution
        ("numpy==99", False),
    ],
)
def test_unsatisfiable(text, lost):
    available = {
        "tensorflow-intel": page("tensorflow_intel-2.18.0-cp311-cp311-win_amd64.whl"),
        "tensorflow-macos": {},
    }
    assert is_unsatisfiable(parse_requirement_line(text), available) == lost


def test_nothing_is_concluded_from_a_page_that_was_not_read():
    with pytest.raises(ReadError, match="tensorflow-intel"):
        is_unsatisfiable(parse_requirement_line("tensorflow-intel==1"), {})
    with pytest.raises(ReadError, match="nvidia-x"):
        and_cuda_of([Requirement("nvidia-x; extra == 'and-cuda'")], {"linux-x86_64": ["3.11"]}, {})


def test_pythons_of_and_cuda():
    requirements = [
        Requirement("nvidia-x==1; extra == 'and-cuda'"),
        Requirement("tensorrt==8; extra == 'and-cuda'"),
        Requirement("late==1; python_version >= '3.12' and extra == 'and-cuda'"),
        Requirement("numpy"),
    ]
    available = {
        "nvidia-x": page("nvidia_x-1-py3-none-manylinux1_x86_64.manylinux2014_aarch64.whl"),
        "tensorrt": page(
            *(f"tensorrt-8-cp3{i}-none-{LINUX}.whl" for i in (9, 10, 12)),
            "tensorrt-8-cp310-none-manylinux2014_aarch64.whl",
        ),
        "late": {},
    }
    minors = ["3.9", "3.10", "3.11", "3.12"]
    everywhere = dict.fromkeys(("linux-x86_64", "linux-aarch64", "windows-amd64"), minors)
    assert and_cuda_of(requirements, everywhere, available) == {
        "requires": ["nvidia-x==1", "tensorrt==8", 'late==1; python_version >= "3.12"'],
        "pythons": {"linux-x86_64": ["3.9", "3.10"], "linux-aarch64": ["3.10"]},
    }
    assert and_cuda_of([Requirement("numpy")], everywhere, {}) is None


def test_required_distributions():
    facts = WheelFacts(
        ("numpy", "Tensorflow_Intel==1", "nvidia.x; extra == 'and-cuda'", "not a requirement!"),
        Build(),
    )
    assert required_distributions([facts]) == {"tensorflow-intel", "nvidia-x"}


def test_the_wheels_that_speak_for_a_release():
    names = [f"tensorflow-2.15.0-cp3{i}-cp3{i}-{LINUX}.whl" for i in (11, 10, 9)]
    files = [file for listed in page(*names).values() for file in listed]
    assert representatives(files)["linux-x86_64"].file.filename == names[2]
    (yanked,) = page(names[2], yanked=True).values()
    assert representatives([*files[:2], *yanked])["linux-x86_64"].file.filename == names[1]
    (other,) = page("tensorflow-2.15.0-cp39-cp39-win_amd64.whl").values()
    assert list(representatives([*other, *files])) == ["linux-x86_64", "windows-amd64"]
    assert representatives([]) == {}


def test_yanked_files_do_not_count_unless_all_are():
    names = [f"tensorflow-2.15.0-cp3{i}-cp3{i}-{LINUX}.whl" for i in (9, 10)]
    (first,) = page(names[0], yanked=True, uploaded="2024-01-02T00:00:00Z").values()
    (second,) = page(names[1], uploaded="2024-01-03T00:00:00Z").values()
    assert outline([*first, *second]) == {
        "uploaded": "2024-01-02",
        "yanked": False,
        "platforms": {"linux-x86_64": {"pythons": {LINUX: ["3.10"]}}},
    }
    assert outline(first) == {
        "uploaded": "2024-01-02",
        "yanked": True,
        "platforms": {"linux-x86_64": {"pythons": {LINUX: ["3.9"]}}},
    }
    (source,) = page("tensorflow-gpu-2.12.0.tar.gz").values()
    assert outline(source) == {"uploaded": None, "yanked": False, "platforms": {}}


def test_a_malformed_requirement_is_reported():
    read = known(
        {"tensorflow": wheels("tensorflow", "linux-x86_64")},
        {("tensorflow", "linux-x86_64"): (["numpy >="], False)},
    )
    with pytest.raises(ReadError, match="malformed"):
        block_of("tensorflow", VERSION, read)


def test_a_wheel_that_was_not_read_leaves_the_whole_release_out():
    pages = {"tensorflow": wheels("tensorflow", "linux-x86_64", "windows-amd64")}
    read = known(pages, {("tensorflow", "linux-x86_64"): ([], False)})
    with pytest.raises(ReadError, match=r"could not read the wheel of .* for windows-amd64"):
        block_of("tensorflow", VERSION, read)


# --- The union ----------------------------------------------------------------------------------


def shims():
    """2.15.0 in small: real on Linux and Intel Macs, shims elsewhere."""
    own, extra = ["numpy (<2)", "keras (<2.16)"], "nvidia-x (==1) ; extra == 'and-cuda'"
    linux = [*own, AWS, INTEL, extra]
    shim = [MACOS, AWS, INTEL.replace("(==2.15.0)", "==2.15.0"), extra]
    pages = {
        "tensorflow": wheels("tensorflow", *TAGS),
        "tensorflow-cpu-aws": wheels("tensorflow-cpu-aws", "linux-aarch64"),
        "tensorflow-intel": wheels("tensorflow-intel", "windows-amd64"),
        "tensorflow-macos": wheels("tensorflow-macos", "macos-arm64"),
        "nvidia-x": page("nvidia_x-1-py3-none-manylinux1_x86_64.whl"),
    }
    facts = {
        ("tensorflow", "linux-x86_64"): (linux, False),
        ("tensorflow", "linux-aarch64"): (shim, True),
        ("tensorflow", "macos-x86_64"): ([extra, *reversed(own)], False),
        ("tensorflow", "macos-arm64"): (shim, True),
        ("tensorflow", "windows-amd64"): (shim, True),
        ("tensorflow-cpu-aws", "linux-aarch64"): (own, False),
        ("tensorflow-intel", "windows-amd64"): (own, False),
        ("tensorflow-macos", "macos-arm64"): (own, False),
    }
    return pages, facts


def test_the_union_of_shims():
    block = block_of("tensorflow", VERSION, known(*shims()))
    assert block["requires"] == [
        "numpy (<2)",
        "keras (<2.16)",
        AWS,
        INTEL,
        "nvidia-x (==1) ; extra == 'and-cuda'",
        MACOS,
    ]
    kinds = {
        platform: (part["kind"], part.get("target"))
        for platform, part in block["platforms"].items()
    }
    assert kinds == {
        "linux-x86_64": ("real", None),
        "linux-aarch64": ("shim", "tensorflow-cpu-aws"),
        "macos-x86_64": ("real", None),
        "macos-arm64": ("shim", "tensorflow-macos"),
        "windows-amd64": ("shim", "tensorflow-intel"),
    }
    assert [group["platforms"] for group in block["said"]] == [
        ["linux-x86_64"],
        ["linux-aarch64", "macos-arm64", "windows-amd64"],
        ["macos-x86_64"],
    ]
    assert block["and_cuda"] == {
        "requires": ["nvidia-x==1"],
        "pythons": {"linux-x86_64": ["3.11"]},
    }


def test_an_extra_of_some_platforms_is_theirs():
    pages, facts = shims()
    facts["tensorflow", "macos-x86_64"] = (["numpy (<2)", "keras (<2.16)"], False)
    requires = block_of("tensorflow", VERSION, known(pages, facts))["requires"]
    (extra,) = (text for text in requires if "nvidia" in text)
    for word in ('extra == "and-cuda"', '"linux"', '"aarch64"', '"AMD64"'):
        assert word in extra


def test_a_shim_is_of_no_use_where_its_target_has_no_wheel():
    pages, facts = shims()
    pages["tensorflow"] = wheels("tensorflow", *TAGS, pythons=("3.10", "3.11"))
    pages["tensorflow-intel"] = page("tensorflow_intel-2.15.0-cp39-cp39-win_amd64.whl")
    platforms = block_of("tensorflow", VERSION, known(pages, facts))["platforms"]
    assert platforms["windows-amd64"]["usable"] == []
    assert platforms["macos-arm64"]["usable"] == ["3.11"]
    assert "usable" not in platforms["linux-x86_64"]


def test_what_only_other_platforms_wheels_ask_for_is_left_out():
    pages, facts = shims()
    facts["tensorflow", "linux-aarch64"] = facts["tensorflow", "macos-x86_64"]
    facts["tensorflow", "macos-arm64"] = facts["tensorflow", "macos-x86_64"]
    block = block_of("tensorflow", VERSION, known(pages, facts))
    names = [Requirement(text).name for text in block["requires"]]
    assert names == ["numpy", "keras", "tensorflow-intel", "nvidia-x"]
    assert block["unsatisfiable"] == []


def test_what_nothing_satisfies_is_left_out_and_reported_once():
    pages, facts = shims()
    pages["tensorflow-intel"] = {}
    block = block_of("tensorflow", VERSION, known(pages, facts))
    assert block["unsatisfiable"] == [INTEL]
    assert not any("intel" in text for text in block["requires"])
    windows = block["platforms"]["windows-amd64"]
    assert (windows["target"], windows["usable"]) == (None, [])


@pytest.mark.parametrize(
    ("linux", "windows", "union"),
    [
        (["x>=1"], ["x>=1"], ["x>=1"]),
        (["x (>=1,<2)"], ["x<2,>=1"], ["x (>=1,<2)"]),
        (
            ["x>=1", "y"],
            ["x>=2", "y"],
            [
                'x>=1; sys_platform == "linux" and platform_machine == "x86_64"',
                "y",
                'x>=2; sys_platform == "win32" and platform_machine == "AMD64"',
            ],
        ),
        (
            ['x; python_version < "3.12" or os_name == "nt"'],
            [],
            [
                'x; (python_version < "3.12" or os_name == "nt") and '
                'sys_platform == "linux" and platform_machine == "x86_64"'
            ],
        ),
        (
            ['x; os_name == "posix"'],
            ["z"],
            ['x; os_name == "posix"', 'z; sys_platform == "win32" and platform_machine == "AMD64"'],
        ),
        (['x; python_version < "3.8"'], [], []),  # no Python of the release's
        (['x; sys_platform == "darwin"'], ['x; sys_platform == "darwin"'], []),
    ],
)
def test_the_union_reaches_each_platform_with_its_own(linux, windows, union):
    read = known(
        {"tensorflow": wheels("tensorflow", "linux-x86_64", "windows-amd64")},
        {
            ("tensorflow", "linux-x86_64"): (linux, False),
            ("tensorflow", "windows-amd64"): (windows, False),
        },
    )
    assert block_of("tensorflow", VERSION, read)["requires"] == union


def test_a_release_that_requires_itself():
    """As tensorflow-macos 2.15.1 does. An extra that takes in another is something else."""
    read = known(
        {"tensorflow": wheels("tensorflow", "linux-x86_64")},
        {
            ("tensorflow", "linux-x86_64"): (
                ["tensorflow==2.15.0", "tensorflow[b]; extra == 'a'", "x; extra == 'b'"],
                False,
            )
        },
    )
    block = block_of("tensorflow", VERSION, read)
    assert block["requires"] == ["tensorflow[b]; extra == 'a'", "x; extra == 'b'"]


def test_a_line_for_two_of_three_platforms():
    read = known(
        {"tensorflow": wheels("tensorflow", "linux-x86_64", "linux-aarch64", "macos-arm64")},
        {
            ("tensorflow", "linux-x86_64"): (["x"], False),
            ("tensorflow", "linux-aarch64"): (["x"], False),
            ("tensorflow", "macos-arm64"): ([], False),
        },
    )
    assert block_of("tensorflow", VERSION, read)["requires"] == [
        'x; sys_platform == "linux" and platform_machine == "x86_64" '
        'or sys_platform == "linux" and platform_machine == "aarch64"'
    ]


# --- Companions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "least", "fits"),
    [
        (["tensorflow (<2.14,>=2.13.0)"], None, ("<2.14,>=2.13.0", "metadata")),
        (["tensorflow==2.19.0", "tf_keras~=2.19"], None, ("==2.19.0", "metadata")),
        (["tensorflow-cpu<2.9", "tensorflow<2.14,>=2.13"], None, ("<2.14,>=2.13", "metadata")),
        (["tensorflow-macos~=2.13.0"], None, ("~=2.13.0", "metadata")),
        (["tensorflow>=2.1.0"], None, (">=2.1.0,<2.2", "open")),
        (["tensorflow~=2.6"], None, (">=2.6,<2.7", "open")),
        (["tensorflow<3,>=2.4"], None, (">=2.4,<2.5", "open")),
        (["tensorflow<2.9,>=2.8; extra == 'tensorflow'"], None, ("<2.9,>=2.8", "extra")),
        (["tensorflow>=2.16; extra == 'tf'"], "2.16", (">=2.16,<2.18", "code")),
        ([], "2.18", (">=2.18", "code")),
        (["tensorflow", "numpy"], None, (None, None)),
        ([], None, (None, None)),
    ],
)
def test_what_a_companion_fits(lines, least, fits):
    listed = {"c": page("c-1-py3-none-any.whl", "c-2-py3-none-any.whl", "c-3-py3-none-any.whl")}
    known = {
        ("c", Version("1")): CompanionFacts(tuple(lines), least),
        ("c", Version("2")): CompanionFacts((), "2.18"),
    }
    blocks = companion_blocks(listed, known)["c"]
    assert list(blocks) == ["1", "2"]  # the third has a wheel, which wasn't read
    assert (blocks["1"]["fits"], blocks["1"]["by"]) == fits
    assert blocks["1"]["pure"]


@pytest.mark.parametrize(
    ("text", "places", "reached", "written"),
    [
        ("a", {"linux-x86_64": ["3.10"]}, {"linux-x86_64": ["3.10", "3.11"]}, '< "3.11"'),
        ("a", {"linux-x86_64": ["3.11"]}, {"linux-x86_64": ["3.10", "3.11"]}, '>= "3.11"'),
        (
            "a",
            {"linux-x86_64": ["3.11"]},
            {"linux-x86_64": ["3.10", "3.11", "3.12"]},
            '>= "3.11" and python_version < "3.12"',
        ),
        (
            "a",
            {"linux-x86_64": ["3.10", "3.12"]},
            {"linux-x86_64": ["3.10", "3.11", "3.12"]},
            '< "3.11" or python_version >= "3.12"',
        ),
        (
            "a",
            {"linux-x86_64": ["3.10"], "macos-arm64": ["3.10"], "windows-amd64": []},
            {one: ["3.10", "3.11"] for one in ("linux-x86_64", "macos-arm64", "windows-amd64")},
            '< "3.11" and (sys_platform == "linux" and platform_machine == "x86_64" or '
            'sys_platform == "darwin" and platform_machine == "arm64")',
        ),
    ],
)
def test_a_line_is_restricted_to_where_it_is_for(text, places, reached, written):
    places = {one: places.get(one, []) for one in reached}
    line = restrict(parse_requirement_line(text), places, reached)
    assert line == f"a; python_version {written}"


def test_a_line_for_other_pythons_on_each_platform():
    both = ["3.10", "3.11"]
    places = {"linux-x86_64": ["3.10"], "macos-arm64": ["3.11"]}
    line = parse_requirement_line('a; extra == "x"')
    marker = Requirement(restrict(line, places, dict.fromkeys(places, both))).marker
    assert marker is not None
    for platform, minors in places.items():
        for minor in both:
            assert marker.evaluate(environment(platform, minor, "x")) == (minor in minors)
            assert not marker.evaluate(environment(platform, minor))
