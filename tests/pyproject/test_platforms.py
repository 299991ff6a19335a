"""What an environment needs beyond TensorFlow's own line: what is written, and what is let be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.actions.fix import fix
from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.plan.environments import ENVIRONMENTS
from poetry_tf.plan.python import admitted_minors
from poetry_tf.releases import Release, load, whole
from poetry_tf.releases.companions import companions
from tests.made import CONTAINED, content_hash, found, in_memory, lock_text, on_disk

FILESYSTEM = "tensorflow-io-gcs-filesystem"
AARCH64 = 'sys_platform == "linux" and platform_machine == "aarch64"'
WINDOWS = 'sys_platform == "win32" and platform_machine == "AMD64"'
MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'

CODES = {"TF104", "TF305"}
SETUPTOOLS = "setuptools (<82)"


def text_of(
    *lines: str, python: str = ">=3.10,<3.12", on: Sequence[str] | None = ("linux-x86_64",)
) -> str:
    """A managed application that requires these, and what TensorBoard before 2.21 needs."""
    environments = "" if on is None else f"environments = {list(on)}\n"
    return (
        f'[project]\nname = "x"\nrequires-python = "{python}"\n'
        f"dependencies = {json.dumps([*lines, SETUPTOOLS])}\n"
        f'[tool.poetry]\npackage-mode = false\n[tool.poetry-tf]\ngpu = "none"\n{environments}'
    )


def fixed(text: str, lock: tuple[Path, str] | None = None) -> list[str]:
    """The requirements after `check --fix`, which leaves nothing of its own to mend.

    `lock`: a folder, and the TensorFlow that is locked there.
    """
    project = in_memory(text)
    if lock is not None:
        files = {"pyproject.toml": text, "poetry.lock": lock_text(("tensorflow", lock[1]))}
        project = on_disk(lock[0], files)
    after = fix(project)
    assert [item for item in reports(after) if item.edits] == []
    assert fix(after) == after
    dependencies = after.pyproject.data["project"]["dependencies"]
    assert isinstance(dependencies, list)
    return [line for line in dependencies if line != SETUPTOOLS]


def reports(project: Project):
    return [item for item in found(project) if item.code in CODES]


# -- what is written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pin", "environment", "line"),
    [
        (">=2.13.1,<2.14", "linux-aarch64", f"tensorflow-cpu-aws (>=2.13.1,<2.14) ; {AARCH64}"),
        ("==2.15.0", "macos-arm64", f"tensorflow-macos (==2.15.0) ; {MAC}"),
        ("~=2.10.0", "linux-aarch64", f"tensorflow-cpu-aws (~=2.10.0) ; {AARCH64}"),
        # Real wheels: nothing is handed over.
        ("~=2.16.1", "linux-aarch64", None),
        ("==2.15.1", "macos-arm64", None),
        ("==2.13.1", "linux-x86_64", None),
    ],
)
def test_a_shims_distribution_stands_with_the_pin_of_tensorflow(
    pin: str, environment: str, line: str | None
):
    if load().get(pin.lstrip("<>=~").partition(",")[0]) is None:
        pytest.skip("no plan is made for it")
    main = f"tensorflow ({pin})"
    python = ">=3.10,<3.11" if "2.10" in pin else ">=3.10,<3.12"
    text = text_of(main, on=[environment], python=python)
    assert [one for one in fixed(text) if "numpy" not in one] == [main, *([line] if line else [])]


def test_on_windows_both_distributions_are_asked_for():
    assert fixed(text_of("tensorflow (==2.15.1)", on=["linux-x86_64", "windows-amd64"])) == [
        "tensorflow (==2.15.1)",
        f"tensorflow-intel (==2.15.1) ; {WINDOWS}",
        f'{FILESYSTEM} (>=0.23.1,<0.32) ; sys_platform == "win32"',
        f'{FILESYSTEM} (>=0.23.1) ; sys_platform != "win32"',
    ]


def test_the_default_environments_are_those_of_the_container():
    assert fixed(text_of("tensorflow (==2.13.1)", on=None)) == [
        "tensorflow (==2.13.1)",
        f"tensorflow-cpu-aws (==2.13.1) ; {AARCH64}",
    ]


def test_where_tensorflow_asks_for_nothing_the_lines_are_no_reason_to():
    """From 2.16 on the file system is for Python below 3.12, where alone Windows has it."""
    lines = fixed(text_of("tensorflow (==2.18.1)", python=">=3.10,<3.13", on=["windows-amd64"]))
    assert lines[1:] == [
        f'{FILESYSTEM} (>=0.23.1,<0.32) ; sys_platform == "win32" and python_version < "3.12"',
        f'{FILESYSTEM} (>=0.23.1) ; sys_platform != "win32" and python_version < "3.12"',
    ]
    assert fixed(text_of("tensorflow (==2.20.0)", python=">=3.10,<3.13", on=["windows-amd64"])) == [
        "tensorflow (==2.20.0)"
    ]


def test_an_extra_that_asks_for_the_file_system_needs_its_lines():
    text = text_of("tensorflow[gcs-filesystem] (==2.20.0)", on=["windows-amd64", "linux-x86_64"])
    assert [Requirement(line).name for line in fixed(text)[1:]] == [FILESYSTEM, FILESYSTEM]


def test_an_old_python_needs_an_old_file_system():
    lines = fixed(text_of("tensorflow (==2.12.1)", python=">=3.8,<3.11"))
    assert lines[1:] == [
        f'{FILESYSTEM} (>=0.23.1,<0.35) ; python_version < "3.9"',
        f'{FILESYSTEM} (>=0.23.1) ; python_version >= "3.9"',
    ]


def test_the_pin_ends_where_the_shim_ends(tmp_path: Path):
    """tensorflow-intel ends with 2.18.0, and tensorflow-macos 2.15.1 is an empty one."""
    lock = (tmp_path, "2.18.0")
    text = text_of("tensorflow>=2.18.0,<2.19", python=">=3.12,<3.13", on=["windows-amd64"])
    assert fixed(text, lock=lock)[1:] == [f"tensorflow-intel>=2.18.0,<2.18.1 ; {WINDOWS}"]
    lock = (tmp_path, "2.15.0")
    text = text_of("tensorflow~=2.15.0", on=["macos-arm64"])
    assert fixed(text, lock=lock)[1:] == [f"tensorflow-macos>=2.15.0,<2.15.1 ; {MAC}"]


def test_a_requirement_that_counts_on_some_pythons_only_has_lines_that_do_too():
    text = text_of("tensorflow (==2.13.1) ; python_version < '3.11'", on=["linux-aarch64"])
    (_, line) = fixed(text)
    marker = Requirement(line).marker
    assert marker is not None
    environment = ENVIRONMENTS["linux-aarch64"]
    assert [marker.evaluate(environment.variables(minor)) for minor in ("3.10", "3.11")] == [
        True,
        False,
    ]
    # Where it doesn't count at all, nothing is needed.
    text = text_of("tensorflow (==2.13.1) ; sys_platform == 'darwin'", on=["linux-aarch64"])
    assert len(fixed(text)) == 1


def test_nothing_is_asked_of_a_project_that_is_not_managed():
    text = text_of("tensorflow (==2.13.1)", on=None).partition("[tool.poetry-tf]")[0]
    assert reports(in_memory(text)) == []


# -- wherever the requirement stands --------------------------------------------------------

TAIL = """\
[tool.poetry-tf]
gpu = "none"
environments = ["linux-aarch64", "windows-amd64"]
"""
STYLES = {
    "project": '[project]\nrequires-python = "{python}"\n'
    'dependencies = [\n    "tensorflow{pin}",\n]\n',
    "extra": '[project]\nrequires-python = "{python}"\n'
    '[project.optional-dependencies]\nml = ["tensorflow ({pin})", "numpy"]\n',
    "group": '[project]\nrequires-python = "{python}"\n'
    '[dependency-groups]\nml = ["tensorflow ({pin})"]\n',
    "legacy": '[tool.poetry.dependencies]\npython = "{python}"\ntensorflow = "{pin}"\n',
    "legacy group": '[tool.poetry.dependencies]\npython = "{python}"\n'
    '[tool.poetry.group.ml.dependencies]\ntensorflow = "{pin}"\n',
    "legacy section": '[tool.poetry.dependencies]\npython = "{python}"\n'
    '[tool.poetry.dependencies.tensorflow]\nversion = "{pin}"\n',
    "legacy extra": '[tool.poetry.dependencies]\npython = "{python}"\n'
    'tensorflow = {{ version = "{pin}", optional = true }}\n'
    '[tool.poetry.extras]\nml = ["tensorflow"]\nall = ["numpy", "tensorflow"]\n',
    "legacy array": '[tool.poetry.dependencies]\npython = "{python}"\n'
    'tensorflow = [{{ version = "{pin}", markers = "sys_platform == \'win32\'" }},\n'
    '  {{ version = "{pin}", markers = "sys_platform != \'win32\'" }}]\n',
    "enriched": '[project]\nrequires-python = "{python}"\ndependencies = ["tensorflow ({pin})"]\n'
    '[tool.poetry.dependencies]\ntensorflow = {{ source = "mine" }}\n',
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.sample(every=3)
def test_the_lines_stand_where_the_requirement_does(style: str):
    text = STYLES[style].format(python=">=3.10,<3.12", pin="==2.13.1")
    before = in_memory(f"{text}[tool.poetry]\npackage-mode = false\n{TAIL}")
    after = fix(before)
    added = [item for item in after.pyproject.requirements if item.name != "tensorflow"]
    kept = [item for item in before.pyproject.requirements if item.name != "tensorflow"]
    names = [item.name for item in added if item not in kept and item.name != "numpy"]
    assert sorted(names) == [
        "setuptools",
        "tensorflow-cpu-aws",
        "tensorflow-intel",
        FILESYSTEM,
        FILESYSTEM,
    ]
    main = before.pyproject.requirements[0]
    beside = [item for item in added if item.name in names]
    assert {(item.group, item.optional) for item in beside} == {(main.group, main.optional)}
    if style == "legacy extra":
        extras = after.pyproject.data["tool"]["poetry"]["extras"]
        assert set(names) < set(extras["ml"]) and set(names) < set(extras["all"])
    assert fix(after) == after
    assert reports(after) == []


SERIES = list(dict.fromkeys(release.series for release in CONTAINED))


@st.composite
def projects(draw: st.DrawFn) -> tuple[Release, str, tuple[str, ...], tuple[str, ...], str]:
    release = draw(st.sampled_from(CONTAINED))
    able = [name for name in ENVIRONMENTS if release.usable_on(name)]
    names = draw(st.lists(st.sampled_from(able), min_size=1, unique=True))
    minors = [m for m in release.usable_on(names[0]) if int(m[2:]) >= 8]
    low = draw(st.sampled_from(minors))
    high = draw(st.sampled_from(minors[minors.index(low) :]))
    python = f">={low},<3.{int(high[2:]) + 1}"
    pythons = tuple(minors[minors.index(low) : minors.index(high) + 1])
    return release, python, tuple(names), pythons, draw(st.sampled_from([*STYLES]))


@pytest.mark.slow
@given(projects())
def test_what_is_written_is_right_in_every_environment_and_stays(
    case: tuple[Release, str, tuple[str, ...], tuple[str, ...], str],
):
    release, python, names, pythons, style = case
    body = STYLES[style].format(python=python, pin=f"=={release.version}")
    tail = f'[tool.poetry-tf]\ngpu = "none"\nenvironments = {list(names)}\n'
    text = f"{body}[tool.poetry]\npackage-mode = false\n{tail}"
    after = fix(in_memory(text))
    assert [item for item in found(after, "TF104") if "any more" in item.message] == []
    assert found(after, "TF305") == []
    assert fix(after).pyproject.document.text == after.pyproject.document.text
    if style == "project" and not [i for i in found(after) if i.code in {"TF202", "TF502"}]:
        lines = [Requirement(line) for line in after.pyproject.data["project"]["dependencies"]]
        declared = after.pyproject.python  # TF201 may have narrowed it
        still = admitted_minors(pythons, declared.constraint if declared else None)
        for name in names:
            for minor in pythons:
                if minor in release.usable_on(name) and minor in still:
                    _assert_installable(lines, release, name, minor)


def _assert_installable(lines: list[Requirement], release: Release, name: str, minor: str) -> None:
    """By the standards alone: each environment gets the shim's target, and a wheel of the rest."""
    variables = ENVIRONMENTS[name].variables(minor)
    holds = [line for line in lines if line.marker is None or line.marker.evaluate(variables)]
    wheels = release.wheels[name]
    shims = [line.name for line in holds if line.name in {"tensorflow-cpu-aws", "tensorflow-intel"}]
    shims += [line.name for line in holds if line.name == "tensorflow-macos"]
    assert shims == ([wheels.target] if wheels.kind == "shim" else [])
    asked = [Requirement(text) for text in release.requires if text.startswith(FILESYSTEM)]
    asked = [one for one in asked if one.marker is None or one.marker.evaluate(variables)]
    files = [line for line in holds if line.name == FILESYSTEM]
    if asked or files:
        admitted = [
            item
            for item in companions()[FILESYSTEM]
            if all(line.specifier.contains(item.version) for line in (*asked, *files))
        ]
        assert minor in admitted[-1].pythons_for(release, name)


# -- what TensorFlow's own requirements leave open ------------------------------------------


@pytest.mark.parametrize(
    ("pin", "lines", "after"),
    [
        ("==2.10.1", [], ["numpy (<2)"]),
        ("==2.14.0", ["numpy"], ["numpy (<2)"]),
        ("==2.10.1", ["numpy>=1.22"], ["numpy>=1.22,<2"]),
        ("==2.10.1", ["numpy (~=1.22)"], ["numpy (~=1.22)"]),
        ("==2.9.0", ["numpy<2"], ["numpy<2", "protobuf (<3.20)"]),
        ("==2.9.1", ["numpy<2"], ["numpy<2"]),
        ("==2.14.1", [], []),
        ("==2.18.1", [], []),
    ],
)
def test_a_dependency_that_came_out_too_late_to_be_excluded_is_bounded(
    pin: str, lines: list[str], after: list[str]
):
    main = f"tensorflow ({pin})"
    assert fixed(text_of(main, *lines, python=">=3.10,<3.11"))[1:] == after


def test_a_bound_in_poetrys_own_tables():
    text = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = "~3.10"
tensorflow = "2.10.1"
setuptools = "<82"
%s
[tool.poetry-tf]
gpu = "none"
environments = ["linux-x86_64"]
"""
    for before, after in (
        ("", 'numpy = "<2"'),
        ('numpy = "*"  # any', 'numpy = "<2"  # any'),
        ('numpy = { version = ">=1.21" }', 'numpy = { version = ">=1.21,<2" }'),
        ('numpy = "^1.21"', 'numpy = "^1.21"'),
    ):
        assert after in fix(in_memory(text % before)).pyproject.document.text
    (finding,) = found(in_memory(text % 'numpy = "^2.1"'), "TF305")
    assert (finding.edits, finding.remedy) == ((), "Require numpy below 2")


# -- what is let be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["tensorflow-cpu-aws==2.13.1 ; platform_machine == 'aarch64'"],
        ["tensorflow-cpu-aws~=2.13.0; platform_system=='Linux' and platform_machine=='aarch64'"],
        ["TensorFlow_CPU.AWS (==2.13.1) ; sys_platform != 'win32' and platform_machine != 'a'"],
        ["tensorflow-cpu-aws @ https://example.org/tensorflow_cpu_aws-2.13.1-py3-none-any.whl"],
    ],
)
def test_what_says_the_same_in_other_words_is_left_alone(lines: list[str]):
    text = text_of("tensorflow==2.13.1", *lines, on=["linux-x86_64", "linux-aarch64"])
    assert fixed(text) == ["tensorflow==2.13.1", *lines]


@pytest.mark.parametrize(
    "lines",
    [
        [f"{FILESYSTEM}==0.31.0"],
        [f"{FILESYSTEM}<0.30 ; platform_system == 'Windows'", f"{FILESYSTEM} ; os_name == 'posix'"],
        [f"{FILESYSTEM}==0.31.0; os_name=='nt'", f"{FILESYSTEM}==0.36.0; os_name!='nt'"],
    ],
)
def test_another_way_to_the_file_system_is_left_alone(lines: list[str]):
    text = text_of("tensorflow==2.18.1", *lines, on=["linux-x86_64", "windows-amd64"])
    assert fixed(text) == ["tensorflow==2.18.1", *lines]


def test_ones_own_line_that_leaves_a_platform_without_a_wheel_is_reported():
    line = f"{FILESYSTEM}==0.31.0"
    text = text_of("tensorflow==2.18.1", line, on=["macos-arm64", "windows-amd64"])
    (finding,) = reports(in_memory(text))
    assert (finding.code, finding.edits) == ("TF305", ())
    assert "no wheel on macos-arm64" in finding.message
    assert fixed(text)[1:] == [line]


def test_a_marker_that_is_too_narrow_is_reported():
    line = f"tensorflow-cpu-aws==2.13.1 ; {AARCH64} and python_version < '3.11'"
    text = text_of("tensorflow==2.13.1", line, on=["linux-aarch64"])
    (finding,) = reports(in_memory(text))
    assert (finding.code, finding.edits) == ("TF305", ())
    assert fixed(text)[1:] == [line]


# -- when the series moves ------------------------------------------------------------------

OLD = [
    f"tensorflow-cpu-aws (>=2.13.1,<2.14.0) ; {AARCH64}",
    f"tensorflow-intel (>=2.13.1,<2.14.0) ; {WINDOWS}",
    f'{FILESYSTEM} (>=0.23.1,<0.32) ; sys_platform == "win32"',
    f'{FILESYSTEM} (>=0.23.1) ; sys_platform != "win32"',
]
ALL = ("linux-x86_64", "linux-aarch64", "windows-amd64")


def test_lines_for_another_series_get_its_pin():
    main = "tensorflow (>=2.15.1,<2.16.0)"
    assert fixed(text_of(main, *OLD, on=ALL)) == [
        main,
        *(line.replace("2.13.1,<2.14.0", "2.15.1,<2.16.0") for line in OLD),
    ]


def test_lines_that_no_longer_fit_go_and_others_come():
    main = "tensorflow (>=2.17.1,<2.18.0)"
    assert fixed(text_of(main, *OLD, python=">=3.10,<3.13", on=ALL)) == [
        main,
        f"tensorflow-intel (>=2.17.1,<2.18.0) ; {WINDOWS}",
        f'{FILESYSTEM} (>=0.23.1,<0.32) ; sys_platform == "win32" and python_version < "3.12"',
        f'{FILESYSTEM} (>=0.23.1) ; sys_platform != "win32" and python_version < "3.12"',
    ]
    main = "tensorflow (>=2.20.0,<2.21.0)"
    assert fixed(text_of(main, *OLD, python=">=3.10,<3.13", on=ALL)) == [main]


def test_lines_that_stand_before_tensorflow_are_replaced_with_one_fix():
    main = "tensorflow (>=2.17.1,<2.18.0)"
    text = text_of("six", *OLD[2:], main, python=">=3.10,<3.13", on=["windows-amd64"])
    project = in_memory(text)
    (finding,) = (item for item in found(project, "TF305") if FILESYSTEM in item.message)
    lines = apply(project, finding.edits).pyproject.data["project"]["dependencies"]
    assert lines[:3] == ["six", main, SETUPTOOLS]
    assert [line.partition(" ; ")[2] for line in lines[3:]] == [
        'sys_platform == "win32" and python_version < "3.12"',
        'sys_platform != "win32" and python_version < "3.12"',
    ]


def test_a_shim_beside_a_real_wheel_is_reported_and_removed_only_where_it_is_ours():
    main = "tensorflow (>=2.18.1,<2.19.0)"
    ours = f"tensorflow-intel (>=2.18.0,<2.18.1) ; {WINDOWS}"
    (finding,) = reports(in_memory(text_of(main, ours)))
    assert finding.code == "TF104"
    assert "windows-amd64" in finding.message
    assert fixed(text_of(main, ours)) == [main]
    theirs = "tensorflow-intel (==2.18.0) ; os_name == 'nt'"
    (finding,) = reports(in_memory(text_of(main, theirs)))
    assert (finding.code, finding.edits) == ("TF104", ())
    assert fixed(text_of(main, theirs)) == [main, theirs]


@pytest.mark.parametrize("pin", [">=2.15,<2.19", ">=2.18,<2.19"])
def test_a_release_that_cannot_be_locked_makes_no_shim_redundant(pin: str):
    """2.18.1 has its own files for Windows, but there requires a tensorflow-intel that does not
    exist: Poetry locks 2.18.0, which needs tensorflow-intel."""
    lines = json.dumps([f"tensorflow {pin}", f"tensorflow-intel {pin} ; {WINDOWS}"])
    text = (
        '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.10,<3.13"\n'
        f"dependencies = {lines}\n[tool.poetry]\npackage-mode = false\n"
    )
    assert found(in_memory(text), "TF104") == []
    managed = f"{text}[tool.poetry-tf]\nenvironments = ['windows-amd64']\n"
    (finding,) = found(in_memory(managed), "TF104")  # the requirement of 2.18.1 is left out
    assert "tensorflow 2.18.1 no longer needs tensorflow-intel" in finding.message


def test_a_shim_is_not_removed_where_tensorflow_does_not_count_for_all_its_pythons():
    lines = (
        "tensorflow (>=2.18.1,<2.19.0) ; python_version < '3.12'",
        f"tensorflow-intel (>=2.18.0,<2.18.1) ; {WINDOWS}",
    )
    text = text_of(*lines, python=">=3.10,<3.13")
    assert ["Remove" in item.remedy for item in reports(in_memory(text))] == [False]
    assert fixed(text) == [*lines]


def test_what_is_locked_says_whether_a_shim_is_needed(tmp_path: Path):
    main = "tensorflow (>=2.18.0,<2.19.0)"
    text = text_of(main, python=">=3.12,<3.13", on=["windows-amd64"])
    assert fixed(text, lock=(tmp_path, "2.18.1")) == [main]
    assert len(fixed(text, lock=(tmp_path, "2.18.0"))) == 2
    assert fixed(text) == [main]


def test_a_legacy_entry_goes_with_what_belongs_to_it():
    text = """\
[tool.poetry]
package-mode = false
[tool.poetry.dependencies]
python = ">=3.10,<3.12"
tensorflow = { version = "~2.16.1", optional = true }  # moved by hand
# for Apple silicon
tensorflow-cpu-aws = { version = "~2.15.1", markers = %r, optional = true }
numpy = "*"
setuptools = "<82"
[tool.poetry.extras]
ml = ["tensorflow", "tensorflow-cpu-aws"]
[tool.poetry-tf]
gpu = "none"
"""
    after = fix(in_memory(text % AARCH64))
    tables = after.pyproject.data["tool"]["poetry"]
    assert [*tables["dependencies"]] == ["python", "tensorflow", "numpy", "setuptools"]
    assert tables["extras"] == {"ml": ["tensorflow"]}
    assert "# moved by hand" in after.pyproject.document.text


# -- tensorflow-cpu -------------------------------------------------------------------------


def test_tensorflow_cpu_hands_over_where_its_own_wheels_do():
    """On Windows tensorflow-cpu 2.10 is a shim, and tensorflow 2.10 is not."""
    release = whole("tensorflow-cpu").get("2.13.1")
    assert release is not None
    assert release.wheels["windows-amd64"].target == "tensorflow-intel"
    lines = fixed(text_of("tensorflow-cpu (==2.13.1)", on=["windows-amd64"]))
    assert lines[1] == f"tensorflow-intel (==2.13.1) ; {WINDOWS}"


# -- the lock -------------------------------------------------------------------------------


def test_a_lock_that_lacks_a_line_is_reported_where_tensorflow_is_locked(tmp_path: Path):
    text = text_of(
        "tensorflow (==2.13.1)", f"tensorflow-cpu-aws (==2.13.1) ; {AARCH64}", on=["linux-aarch64"]
    )
    (tmp_path / "pyproject.toml").write_text(text)

    def codes(*packages: tuple[str, str]) -> list[str]:
        lock = lock_text(*packages, content_hash=content_hash(text))
        (tmp_path / "poetry.lock").write_text(lock)
        return [
            f"{item.file.name}:{item.position}"
            for item in found(Project.read(tmp_path), "TF305")
            if not item.edits
        ]

    tensorflow = ("tensorflow", "2.13.1")
    assert codes(tensorflow, ("tensorflow-cpu-aws", "2.13.1")) == []
    assert codes(tensorflow) == ["poetry.lock:4:1"]
    assert codes(tensorflow, ("tensorflow-cpu-aws", "2.13.0")) == ["poetry.lock:4:1"]


def test_what_a_shims_target_requires_tensorflow_requires_as_well():
    """So that the lines of a release are all there is to look at."""
    for release in load().releases:
        for name, wheels in release.wheels.items():
            if wheels.kind != "shim" or wheels.target is None:
                continue
            target = whole(wheels.target).get(release.version)
            assert target is not None
            asks = any(text.startswith(FILESYSTEM) for text in target.requires)
            assert not asks or any(text.startswith(FILESYSTEM) for text in release.requires), name
            assert Version(str(target.version)) == release.version
