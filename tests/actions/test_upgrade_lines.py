"""Moving projects with several requirements on TensorFlow: each moves where it counts."""

from __future__ import annotations

import random

import pytest

from poetry_tf.actions.init import with_corrected_names
from poetry_tf.actions.upgrade import plan_upgrade
from poetry_tf.files.project import Project
from poetry_tf.plan.alternatives import alternatives
from poetry_tf.plan.environments import Target
from poetry_tf.plan.lines import serves, tensorflow_lines
from poetry_tf.plan.model import PlanError
from poetry_tf.plan.moves import served_targets
from poetry_tf.plan.python import admitted_minors, project_pythons
from poetry_tf.releases import named, role
from tests.made import SERIES, in_memory

ARM = 'sys_platform == "linux" and platform_machine == "aarch64"'
MAC = 'sys_platform == "darwin" and platform_machine == "arm64"'


def modern(*lines: str, python: str = ">=3.10,<3.12", more: str = "") -> str:
    listed = "".join(f"    '{line}',\n" for line in lines)
    return (
        f'[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = "{python}"\n'
        f"dependencies = [\n{listed}]\n{more}[tool.poetry]\npackage-mode = false\n"
    )


def legacy(body: str, python: str = ">=3.10,<3.12") -> str:
    return (
        "[tool.poetry]\npackage-mode = false\n"
        f'[tool.poetry.dependencies]\npython = "{python}"\n{body}'
    )


def moved(text: str, to: str | None) -> tuple[list[str], list[str]]:
    """The lines after a move, and those that stay; every target that was served still is."""
    upgrade = plan_upgrade(in_memory(text), to, legacy_keras=False)
    before, after = upgrade.before, upgrade.after
    assert lost(before, after) == set()
    written = [
        f"{item.name}{'[cuda]' if item.extras else ''} {item.written}"
        + ("" if item.marker.is_any() else f" ; {item.marker}")
        for item in after.pyproject.requirements
        if item.name.startswith("tensorflow")
    ]
    return written, [f"{one.item.name} {one.item.written}" for one in upgrade.stays]


def lost(before: Project, after: Project) -> set[Target]:
    """The targets that were served in some alternative and are not any more, but for Pythons that
    the project itself no longer admits."""
    found: set[Target] = set()
    for old, new in zip(alternatives(before.pyproject), alternatives(after.pyproject), strict=True):
        served = {
            target
            for line in tensorflow_lines(before)
            if old.installs(line.item)
            for target in served_targets(line)
            if admitted_minors([target.python], project_pythons(after))
        }
        newest = [(one, last) for one in tensorflow_lines(after) for last in one.admitted[-1:]]
        found |= {
            target
            for target in served
            if not any(
                new.counts(line.item, target) and serves(one, target) for line, one in newest
            )
        }
    return found


NOT_MAC = 'sys_platform != "darwin"'
LINES = (
    f"tensorflow (>=2.13.1,<2.14) ; {NOT_MAC}",
    f"tensorflow-macos (>=2.13.1,<2.14) ; {MAC}",
)


@pytest.mark.parametrize(
    ("to", "pin", "platforms_pin"),
    [
        ("2.12", ">=2.12.1,<2.13.0", ">=2.12.0,<2.13.0"),
        ("2.14", ">=2.14.1,<2.15.0", ">=2.14.1,<2.15.0"),
        ("2.15.0", ">=2.15.0,<2.16.0", ">=2.15.0,<2.15.1"),
        ("2.15", ">=2.15.1,<2.16.0", None),
        ("2.18", ">=2.18.0,<2.19.0", None),
        (None, ">=2.21.0,<2.22.0", None),
    ],
)
def test_what_served_a_platform_moves_or_gives_way_to_tensorflow(
    to: str | None, pin: str, platforms_pin: str | None
) -> None:
    written, stays = moved(modern(*LINES), to)
    assert stays == []
    if platforms_pin is None:
        assert written == [f'tensorflow {pin} ; platform_machine == "arm64" or {NOT_MAC}']
    else:
        assert written == [
            f"tensorflow {pin} ; {NOT_MAC}",
            f"tensorflow-macos {platforms_pin} ; {MAC}",
        ]


DARWIN, LINUX = 'sys_platform == "darwin"', 'sys_platform == "linux"'


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            legacy(
                "[[tool.poetry.dependencies.tensorflow]]\n"
                "version = '~2.13.1'\nmarkers = \"sys_platform != 'darwin'\"\n"
                "[[tool.poetry.dependencies.tensorflow-macos]]\n"
                "version = '~2.13.1'\nplatform = 'darwin'\n"
            ),
            ["tensorflow ~2.18.0"],
        ),
        (
            legacy(
                "tensorflow = {version = '~2.13.1', platform = 'linux'}\n"
                "tensorflow-macos = {version = '~2.13.1', platform = 'darwin'}\n"
            ),
            [f"tensorflow ~2.18.0 ; {LINUX} or {DARWIN}"],
        ),
        # CUDA's wheels don't come along.
        (
            modern(
                f"tensorflow[and-cuda] (>=2.14.1,<2.15) ; {LINUX}",
                f"tensorflow-macos>=2.14,<2.15 ; {DARWIN}",
            ),
            [
                f"tensorflow[cuda] >=2.18.0,<2.19.0 ; {LINUX}",
                f"tensorflow >=2.18.0,<2.19.0 ; {DARWIN}",
            ],
        ),
        (
            legacy(
                "tensorflow = {version = '~2.14.1', extras = ['and-cuda'], platform = 'linux'}\n"
                "tensorflow-macos = {version = '~2.14', platform = 'darwin'}\n"
            ),
            [f"tensorflow[cuda] ~2.18.0 ; {LINUX}", f"tensorflow ~2.18.0 ; {DARWIN}"],
        ),
        (
            legacy(
                "tensorflow = {version = '~2.14.1', platform = 'linux'}\n"
                "[tool.poetry.group.mac.dependencies]\n"
                "tensorflow-macos = {version = '~2.14', platform = 'darwin'}\n"
            ),
            [f"tensorflow ~2.18.0 ; {LINUX}", f"tensorflow ~2.18.0 ; {DARWIN}"],
        ),
        (
            legacy(
                "tensorflow = {version = '~2.14.1', platform = 'linux', optional = true}\n"
                "tensorflow-macos = {version = '~2.14', platform = 'darwin', optional = true}\n"
                "[tool.poetry.extras]\nml = ['tensorflow', 'tensorflow-macos']\n"
            ),
            [f"tensorflow ~2.18.0 ; {LINUX} or {DARWIN}"],
        ),
        (
            modern(
                more="[project.optional-dependencies]\n"
                f"mac = ['tensorflow-macos (>=2.13,<2.14) ; {DARWIN}']\n"
                "win = ['tensorflow-intel (>=2.13,<2.14) ; sys_platform == \"win32\"']\n"
                "ml = ['tensorflow (>=2.13,<2.14)']\n"
            ),
            [
                f"tensorflow >=2.18.0,<2.19.0 ; {DARWIN}",
                'tensorflow-intel >=2.18.0,<2.19.0 ; sys_platform == "win32"',
                "tensorflow >=2.18.0,<2.19.0",
            ],
        ),
    ],
)
def test_it_gives_way_in_every_form(text: str, after: list[str]) -> None:
    assert moved(text, "2.18") == (after, [])


def test_what_the_table_leaves_no_place_for_stays_and_is_named() -> None:
    """One key can't be in two extras with different requirements."""
    text = legacy(
        "tensorflow = {version = '~2.14.1', platform = 'linux', optional = true}\n"
        "tensorflow-macos = {version = '~2.14', optional = true}\n"
        "[tool.poetry.extras]\nml = ['tensorflow']\nmac = ['tensorflow-macos']\n"
    )
    written, stays = moved(text, "2.18")
    assert written == [f"tensorflow ~2.18.0 ; {LINUX}", "tensorflow-macos ~2.14"]
    assert stays == ["tensorflow-macos ~2.14"]


def platforms(*names: str, version: str = "~2.15.0") -> str:
    entries = (f"    {{version = '{version}', platform = '{name}'}},\n" for name in names)
    return legacy(f"tensorflow = [\n{''.join(entries)}]\n")


@pytest.mark.parametrize(("to", "pin"), [("2.16", "~2.16.2"), ("2.13", "~2.13.1")])
def test_the_lines_of_all_platforms_move_together(to: str, pin: str) -> None:
    written, stays = moved(platforms("linux", "win32", "darwin"), to)
    assert [line.split()[1] for line in written] == [pin] * 3
    assert stays == []


def test_a_series_that_has_left_a_platform_is_refused() -> None:
    text = platforms("linux", "win32", "darwin")
    with pytest.raises(PlanError, match=r"pyproject.toml:8: .* no wheel for macos-x86_64"):
        moved(text, "2.18")
    with pytest.raises(PlanError, match=r"no wheel for macos-x86_64"):
        moved(platforms("darwin"), "2.18")
    written, _ = moved(text, None)
    assert [line.split()[1] for line in written] == ["~2.16.2"] * 3
    assert moved(platforms("linux", "win32"), "2.18")[1] == []


@pytest.mark.parametrize(
    "text",
    [
        modern(
            "tensorflow~=2.20.0; python_version<'3.10'".replace("'", '"'),
            "tensorflow~=2.20.0; python_version>='3.10'".replace("'", '"'),
            python=">=3.9,<3.13",
        ),
        legacy(
            "tensorflow = [{version = '~2.20.0', python = '<3.10'},"
            " {version = '~2.20.0', python = '>=3.10'}]\n",
            ">=3.9,<3.13",
        ),
    ],
)
@pytest.mark.parametrize("to", ["2.21", None])
def test_the_line_of_a_python_without_wheels_stays(text: str, to: str | None) -> None:
    written, (stays,) = moved(text, to)
    assert written[0] == f'{stays} ; python_version < "3.10"'
    assert "2.20" in stays
    assert "2.21" in written[1]


def test_a_series_without_wheels_for_the_pythons_of_the_main_line_is_refused() -> None:
    text = legacy(
        "tensorflow = [{version = '~2.18.0', python = '<3.12'},"
        " {version = '~2.18.0', python = '>=3.12'}]\n",
        ">=3.10,<3.13",
    )
    with pytest.raises(PlanError, match=r"2.15.1 has no wheel for Python 3.12"):
        moved(text, "2.15")
    assert moved(text, "2.16")[1] == []


def test_each_distribution_moves_by_its_own_releases() -> None:
    group = "[tool.poetry.group.{0}]\noptional = true\n[tool.poetry.group.{0}.dependencies]\n{1}\n"
    text = legacy(
        group.format("cpu", 'tensorflow-cpu = "~2.14.0"')
        + group.format("gpu", 'tensorflow = {version = "~2.14.0", extras = ["and-cuda"]}')
        + group.format("arm", f"tensorflow-cpu-aws = {{version = '~2.14.0', markers = '{ARM}'}}")
        + group.format("amd", 'tensorflow-rocm = "~2.14.0"')
    )
    written, stays = moved(text, "2.15")
    assert written == [
        "tensorflow-cpu ~2.15.1",
        "tensorflow[cuda] ~2.15.1",
        f"tensorflow-cpu-aws ~2.15.1 ; {ARM}",
        "tensorflow-rocm ~2.14.0",
    ]
    assert stays == ["tensorflow-rocm ~2.14.0"]
    assert moved(text, "2.18")[0][2] == f"tensorflow ~2.18.0 ; {ARM}"


NAMES = (
    "tensorflow",
    "tensorflow",
    "tensorflow[and-cuda]",
    "tensorflow-cpu",
    *sorted(named("shim")),
)
PLACES = (
    "", DARWIN, LINUX, MAC, NOT_MAC, ARM, 'sys_platform == "win32"', 'platform_system == "Linux"',
    'python_version < "3.11"', 'python_version >= "3.11"',
)  # fmt: skip
PINS = {
    **dict.fromkeys(("2.10.0", "2.12.0", "2.13.0", "2.14.0", "2.15.0"), ">=3.9,<3.11"),
    **dict.fromkeys(("2.16.1", "2.18.0", "2.20.0"), ">=3.10,<3.13"),
}


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.sample(every=12)
def test_no_move_takes_a_platform_away(seed: int) -> None:
    chance = random.Random(seed)
    pin, python = chance.choice([*PINS.items()])
    made = [
        f"{chance.choice(NAMES)}~={pin} ; {chance.choice(PLACES)}".rstrip(" ;")
        for _ in range(chance.choice((1, 2, 2, 3)))
    ]
    text = modern(*made, python=python)
    if chance.random() < 0.3:
        extras = "".join(f"x{index} = ['{line}']\n" for index, line in enumerate(made))
        text = modern(python=python, more=f"[project.optional-dependencies]\n{extras}")
    project = with_corrected_names(in_memory(text + chance.choice(("", "[tool.poetry-tf]\n"))))
    try:
        upgrade = plan_upgrade(project, chance.choice((None, *SERIES)), legacy_keras=False)
    except PlanError:
        return  # nothing is written
    # The page says which Pythons a series has left, and ARM counts for what is available there.
    assert {
        target
        for target in lost(upgrade.before, upgrade.after)
        if target.python in upgrade.new.usable_on("linux-x86_64")
        and (target.environment != "linux-aarch64" or upgrade.new.usable_on("linux-aarch64"))
    } == set()


FILESYSTEM = "tensorflow-io-gcs-filesystem"


@pytest.mark.parametrize(
    ("old", "written", "new", "after"),
    [
        ("2.19", ">=0.23.1", "2.20", ">=0.37.1,<0.38.0"),
        ("2.19", "==0.31.0", "2.20", "==0.37.1"),
        ("2.20", ">=0.37.1,<0.38.0", "2.21", None),
    ],
)
def test_the_optional_file_system_moves_as_any_companion(
    old: str, written: str, new: str, after: str | None
):
    text = modern(f"tensorflow~={old}.0", f"{FILESYSTEM}{written}")
    upgrade = plan_upgrade(in_memory(text), new, legacy_keras=False)
    if after is None:
        (move,) = upgrade.blocking
        assert move.retired is not None and "TensorFlow 2.21" in move.retired.why
        return
    (item,) = (one for one in upgrade.after.pyproject.requirements if one.name == FILESYSTEM)
    assert item.written == after


def companions_after(text: str, to: str, *, legacy_keras: bool = False) -> list[tuple[str, str]]:
    """The list and the text of each requirement but those on TensorFlow, after a move."""
    upgrade = plan_upgrade(in_memory(text), to, legacy_keras=legacy_keras)
    assert not upgrade.blocking
    document = upgrade.after.pyproject.document
    return [
        (str(item.path[-2]), document.get(item.path))
        for item in upgrade.after.pyproject.requirements
        if role(item.name) == "companion"
    ]


EXTRA_LISTS = "[project.optional-dependencies]\n"
EXTRAS = (
    EXTRA_LISTS
    + 'cpu = ["tensorflow-cpu~=2.15.0", "{0}"]\ngpu = ["tensorflow[and-cuda]~=2.15.0", "{0}"]\n'
)
TEXT, MOVED_TEXT = "tensorflow-text~=2.15.0", "tensorflow-text>=2.18.1,<2.19.0"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (modern(more=EXTRAS.format(TEXT)), [("cpu", MOVED_TEXT), ("gpu", MOVED_TEXT)]),
        (
            modern(
                TEXT, "tensorflow~=2.15.0", more=f'[project.optional-dependencies]\nt=["{TEXT}"]\n'
            ),
            [("dependencies", MOVED_TEXT), ("t", MOVED_TEXT)],
        ),
        (
            modern("tensorflow~=2.15.0", more=f'[dependency-groups]\na=["{TEXT}"]\nb=["{TEXT}"]\n'),
            [("a", MOVED_TEXT), ("b", MOVED_TEXT)],
        ),
        (
            modern(TEXT, TEXT, "tensorflow~=2.15.0"),
            [("dependencies", MOVED_TEXT), ("dependencies", MOVED_TEXT)],
        ),
        (
            modern(more=EXTRAS.format("tensorflow-probability~=0.23.0")),
            [
                *(("cpu", "tensorflow-probability>=0.25.0,<0.26.0"),),
                *(("gpu", "tensorflow-probability>=0.25.0,<0.26.0"),),
            ],
        ),
    ],
    ids=["extras", "main and an extra", "groups", "twice", "probability"],
)
def test_equal_lines_on_a_companion_all_move(text: str, after: list[tuple[str, str]]):
    assert companions_after(text, "2.18") == after


def test_keras_2_goes_to_every_list_with_tensorflow():
    extras = EXTRAS.format("numpy")
    text = modern(more=extras + '[tool.poetry-tf]\ngpu = "none"\n')
    pin = "tf-keras>=2.18,<2.19"
    assert companions_after(text, "2.18", legacy_keras=True) == [("cpu", pin), ("gpu", pin)]
    text = text.replace("2.15.0", "2.17.0").replace("numpy", "tf-keras>=2.17,<2.18")
    moved = "tf-keras>=2.18.0,<2.19.0"
    assert companions_after(text, "2.18") == [("cpu", moved), ("gpu", moved)]


EARLIER, LATER = ' ; python_version < "3.10"', ' ; python_version >= "3.10"'


@pytest.mark.parametrize(
    "earlier",
    [
        "tensorflow-probability~=0.23.0",
        "tf-keras>=2.15.1,<2.16",
        "tensorflow-io==0.34.0",  # has no release for the new series
    ],
)
def test_what_stands_beside_a_tensorflow_that_stays_stays(earlier: str):
    later = "tensorflow-probability>=0.25.0,<0.26.0"
    text = modern(
        *(f"tensorflow~=2.15.0{EARLIER}", f"tensorflow~=2.18.0{LATER}"),
        *(f"{earlier}{EARLIER}", f"{later}{LATER}", f"tf-keras>=2.18,<2.19{LATER}"),
        python=">=3.9,<3.13",
    )
    assert companions_after(text, "2.21") == [
        ("dependencies", f"{earlier}{EARLIER}"),
        ("dependencies", f"{later}{LATER}"),
        ("dependencies", f"tf-keras>=2.21.0,<2.22.0{LATER}"),
    ]
