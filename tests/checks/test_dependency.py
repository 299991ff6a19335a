"""TF1xx: how the project names and pins TensorFlow."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from poetry_tf.actions.fix import fix
from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.releases import load, named
from tests.made import codes, found, in_memory, lock_text, place

CATALOG = load()


def families(project: Project) -> list[tuple[str, str]]:
    """The codes of this family that are found, with their places."""
    return [
        (item.code, place(item).removeprefix("pyproject.toml:"))
        for item in found(project)
        if item.code.startswith("TF1")
    ]


def fixed(text: str) -> str:
    return fix(in_memory(text)).pyproject.document.text


class Place(NamedTuple):
    """A way to write a requirement, and where on its line its version stands."""

    before: str
    line: str
    column: int


# {} is a constraint that PEP 508 and Poetry spell alike.
PLACES = {
    "[project]": Place("[project]", 'dependencies = ["tensorflow{}"]', 17),
    "[project], after others": Place(
        '[project]\ndependencies = [\n    "numpy", # numbers', '    "tensorflow{}", # it\n]', 5
    ),
    "extra": Place("[project.optional-dependencies]", "gpu = ['tensorflow{}']", 8),
    "group": Place("[dependency-groups]", 'ml = ["numpy", "tensorflow{}"]', 16),
    "legacy": Place("[tool.poetry.dependencies]", 'tensorflow = "{}"  # it', 1),
    "legacy table": Place(
        "[tool.poetry.dependencies]", 'tensorflow = {{ version = "{}", optional = true }}', 16
    ),
    "legacy section": Place("[tool.poetry.dependencies.tensorflow]", "version = '{}'", 1),
    "legacy array": Place(
        "[tool.poetry.dependencies]\ntensorflow = [",
        """  {{version = "{}", markers = "sys_platform == 'linux'"}},\n]""",
        4,
    ),
    "legacy group": Place("[tool.poetry.group.dev.dependencies]", 'tensorflow = "{}"', 1),
    "legacy dev": Place("[tool.poetry.dev-dependencies]", 'tensorflow = "{}"', 1),
}
places = pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)


@places
@pytest.mark.parametrize("wide", [">=2.13", ">=2.13,<3", "~=2.13", "!=2.14.0", ">=2.15,<2.17"])
@pytest.mark.sample(every=4)
def test_a_pin_that_is_too_wide_is_reported_where_it_stands_and_narrowed(where: Place, wide: str):
    line = where.line.format(wide)
    text = f"# mine\n{where.before}\n{line}\n"
    number = text.splitlines().index(line.splitlines()[0]) + 1
    project = in_memory(text)
    assert families(project) == [("TF101", f"{number}:{where.column}")]
    (finding,) = found(project, "TF101")
    assert "tensorflow" in finding.message
    after = fix(project)
    assert families(after) == []
    # Every other line, and the rest of this one, are as they were.
    before, _, tail = text.partition(wide)
    assert after.pyproject.document.text.startswith(before)
    changed = after.pyproject.document.text[len(before) :]
    assert changed.endswith(tail) or "requires-python" in changed or "python" in changed
    assert fix(after) == after


@places
@pytest.mark.parametrize("narrow", ["~=2.13.0", ">=2.13,<2.14", "==2.13.*", "==2.13.1"])
def test_a_pin_within_one_series_is_fine(where: Place, narrow: str):
    assert families(in_memory(f"{where.before}\n{where.line.format(narrow)}\n")) == []


@pytest.mark.parametrize("written", ['"*"', '{extras = ["and-cuda"]}', '"^2.13"', '"~2"'])
def test_poetrys_own_wide_spellings_are_reported(written: str):
    project = in_memory(f"[tool.poetry.dependencies]\ntensorflow = {written}")
    assert families(project) == [("TF101", "2:1")]
    assert families(fix(project)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"tensorflow"', '"tensorflow (>=2.13.1,<2.14.0)"'),
        ('"tensorflow>=2.13"', '"tensorflow>=2.13,<2.14"'),
        ('"tensorflow >=2.13"', '"tensorflow >=2.13,<2.14"'),
        ('"tensorflow (>=2.13)"', '"tensorflow (>=2.13,<2.14)"'),
        ('"tensorflow(>=2.13)"', '"tensorflow(>=2.13,<2.14)"'),
        ('"TensorFlow[A, b]>=2.13"', '"TensorFlow[A, b]>=2.13,<2.14"'),
        (
            """'tensorflow>=2.13 ; sys_platform == "linux"'""",
            """'tensorflow>=2.13,<2.14 ; sys_platform == "linux"'""",
        ),
        (
            """'tensorflow; sys_platform == "linux"'""",
            """'tensorflow (>=2.13.1,<2.14.0); sys_platform == "linux"'""",
        ),
    ],
)
def test_a_narrowed_requirement_keeps_the_users_way_of_writing(before: str, after: str):
    text = '[project]\nrequires-python = ">=3.10,<3.12"\ndependencies = [{}]\n'
    project = in_memory(text.format(before), lock=lock_text(("tensorflow", "2.13.1")))
    (finding,) = found_alone(project, "TF101")
    assert apply(project, finding.edits).pyproject.document.text == text.format(after)


def found_alone(project: Project, code: str):
    """One rule's findings; the others would look for the lock on the disk."""
    from poetry_tf.checks.findings import RULES, find_problems, make_context

    find_problems(make_context(in_memory("")))  # collects the rules
    return list(RULES[code].findings(make_context(project)))


def test_a_pin_that_admits_nothing_known_has_no_edit():
    (finding,) = found(in_memory('[tool.poetry.dependencies]\ntensorflow = ">=99"'), "TF101")
    assert finding.edits == ()
    assert finding.remedy == "Pin it to one minor series"


def test_a_pin_that_the_locked_release_is_outside_of_goes_by_itself():
    """The lock follows the pin, not the other way round."""
    project = in_memory(
        '[tool.poetry.dependencies]\ntensorflow = "^2.15"', lock=lock_text(("tensorflow", "2.13.1"))
    )
    (finding,) = found_alone(project, "TF101")
    assert [edit.value for edit in finding.edits] == ["~2.15"]


# -- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(named("retired")))
@pytest.mark.parametrize(
    ("template", "where"),
    [
        ('[tool.poetry.dependencies]\n{} = "~2.13.0"  # gpu\n', "2:1"),
        ('[tool.poetry.dependencies]\n{} = {{version = "~2.13.0", optional = true}}\n', "2:1"),
        ("[project]\ndependencies = [\"{}[x]~=2.13.0 ; python_version>'3'\"]\n", "2:17"),
        ('[dependency-groups]\nml = [\n    "{} (>=2.13,<2.14)",\n]\n', "3:5"),
    ],
)
def test_a_distribution_that_is_not_for_naming_becomes_tensorflow(
    name: str, template: str, where: str
):
    project = in_memory(template.format(name))
    assert families(project) == [("TF103", where)]
    (finding,) = found(project, "TF103")
    assert name in finding.message
    assert apply(project, finding.edits).pyproject.document.text == template.format("tensorflow")
    assert families(fix(project)) == []


@pytest.mark.parametrize("name", sorted(named("shim")))
def test_a_platforms_distribution_may_stand_beside_tensorflow_with_its_marker(name: str):
    marker = "sys_platform == 'linux' and platform_machine == 'aarch64'"
    text = f'[project]\ndependencies = ["tensorflow~=2.13.0", "{name}~=2.13.0 ; {marker}"]'
    assert families(in_memory(text)) == []
    without = text.replace(f" ; {marker}", "")
    project = in_memory(without)
    # It has no wheel where TensorFlow's own has the files, so these do not clash.
    assert [code for code, _ in families(project)] == ["TF103"]
    assert "Give it the marker" in found(project, "TF103")[0].remedy


@pytest.mark.parametrize("name", sorted(named("main", "vendor", "companion", "nightly")))
def test_other_distributions_may_be_named(name: str):
    text = f'[tool.poetry.dependencies]\n{name if "." not in name else repr(name)} = "~2.13.0"\n'
    assert families(in_memory(text)) == []


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("tersorflow", "tensorflow"),
        ("Tenserflow", "tensorflow"),
        ("tensorflow-gup", "tensorflow-gpu"),
        ("tensorflow_cpuu", "tensorflow-cpu"),
    ],
)
@pytest.mark.parametrize(
    ("template", "where"),
    [
        ('[tool.poetry.dependencies]\n{} = "~2.13.0" # why\n', "2:1"),
        ('[tool.poetry.group.dev.dependencies]\n{} = {{version = "~2.13.0"}}\n', "2:1"),
        ("[project]\ndependencies = [ '{}~=2.13.0' ]\n", "2:18"),
    ],
)
def test_a_misspelt_name_is_reported_and_written_right(
    misspelt: str, meant: str, template: str, where: str
):
    project = in_memory(template.format(misspelt))
    assert ("TF106", where) in families(project)
    (finding,) = found(project, "TF106")
    assert meant in finding.remedy
    assert apply(project, finding.edits).pyproject.document.text == template.format(meant)
    assert families(fix(project)) == []


def test_a_misspelt_name_in_several_lines_is_written_right_once():
    text = (
        "[tool.poetry.dependencies]\n"
        """tersorflow = [\n  {version = "~2.13.0", python = "<3.10"},\n"""
        """  {version = "~2.15.0", python = ">=3.10"},\n]\n"""
    )
    project = in_memory(text)
    assert [code for code, _ in families(project)] == ["TF106", "TF106"]
    after = fix(project).pyproject.document.text
    assert after.startswith(text.replace("tersorflow", "tensorflow"))


def test_a_misspelt_name_beside_the_right_one_is_left_to_the_user():
    text = '[tool.poetry.dependencies]\ntensorflow = "~2.13.0"\ntersorflow = "~2.13.0"\n'
    assert "TF106" in [code for code, _ in families(fix(in_memory(text)))]


@pytest.mark.parametrize("name", ["tersorflow", "tensorflow-gpu"])
def test_an_extra_that_names_a_renamed_distribution_names_the_new_one(name: str):
    text = (
        f'[tool.poetry.dependencies]\n{name} = {{version = "~2.13.0", optional = true}}\n'
        f'[tool.poetry.extras]\ntf = ["numpy", "{name}"]\n'
    )
    data = fix(in_memory(text)).pyproject.data["tool"]["poetry"]
    assert data["extras"]["tf"] == ["numpy", "tensorflow"]


# -- two at once ----------------------------------------------------------------------------


LINUX, MAC = "sys_platform == 'linux'", "sys_platform == 'darwin'"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            '[project]\ndependencies = ["tensorflow~=2.13.0",\n"tensorflow-cpu~=2.13.0"]',
            "3:1",
        ),
        (
            '[tool.poetry.dependencies]\ntensorflow = "~2.13"\ntensorflow-rocm = "~2.13"',
            "3:1",
        ),
        (
            '[tool.poetry.dependencies]\ntensorflow = "~2.13"\n'
            '[tool.poetry.group.dev.dependencies]\ntensorflow-cpu = "~2.13"',
            "4:1",
        ),
        (
            '[project]\ndependencies = ["tensorflow~=2.13.0"]\n'
            '[project.optional-dependencies]\ncpu = ["tensorflow-cpu~=2.13.0"]',
            "4:8",
        ),
        (
            f'[project]\ndependencies = ["tensorflow~=2.13.0 ; {LINUX}", "tensorflow-cpu~=2.13.0"]',
            "2:65",
        ),
        (
            "[project]\ndependencies = [\"tensorflow~=2.13.0 ; python_version < '3.12'\", "
            "\"tensorflow-cpu~=2.13.0 ; python_version >= '3.11'\"]",
            None,
        ),
    ],
)
def test_two_that_hold_the_same_files_are_reported_at_the_second(text: str, where: str | None):
    clashes = [(code, at) for code, at in families(in_memory(text)) if code == "TF104"]
    assert len(clashes) == 1
    assert where is None or clashes == [("TF104", where)]


@pytest.mark.parametrize(
    "text",
    [
        f'[project]\ndependencies = ["tensorflow~=2.13.0 ; {LINUX}", '
        f'"tensorflow-cpu~=2.13.0 ; {MAC}"]',
        "[tool.poetry.dependencies]\n"
        f'tensorflow = {{version = "~2.13.0", markers = "{LINUX}"}}\n'
        f'tensorflow-cpu = {{version = "~2.13.0", platform = "darwin"}}',
        "[tool.poetry.dependencies]\n"
        'tensorflow = {version = "~2.13.0", python = "<3.10"}\n'
        'tensorflow-cpu = {version = "~2.13.0", python = ">=3.10"}',
        '[project.optional-dependencies]\ngpu = ["tensorflow~=2.13.0"]\n'
        'cpu = ["tensorflow-cpu~=2.13.0"]',
        # The same one twice: what the and-cuda wheels need.
        f'[project]\ndependencies = ["tensorflow[and-cuda]~=2.18.0 ; {LINUX}", '
        f'"tensorflow~=2.18.0 ; {MAC}"]',
        '[tool.poetry.dependencies]\ntensorflow = "~2.13"\ntensorflow-text = "~2.13"',
    ],
)
def test_two_that_never_meet_are_fine(text: str):
    assert families(in_memory(text)) == []


def test_two_in_one_extra_meet():
    text = '[project.optional-dependencies]\nall = ["tensorflow~=2.13.0", "tensorflow-cpu~=2.13.0"]'
    assert [code for code, _ in families(in_memory(text))] == ["TF104"]


def legacy(*lines: str) -> str:
    return "\n".join(['[tool.poetry]\nname = "demo"\n', *lines])


def modern(*lines: str) -> str:
    return "\n".join(['[project]\nname = "demo"\nrequires-python = ">=3.10,<3.12"', *lines])


def clashes(text: str) -> list[tuple[str, str]]:
    """The severities and places of TF104."""
    return [
        (item.severity, place(item).removeprefix("pyproject.toml:"))
        for item in found(in_memory(text), "TF104")
    ]


CPU, GPU = 'tensorflow-cpu = "~2.18.0"', 'tensorflow = {version = "~2.18.0", extras = ["and-cuda"]}'


@pytest.mark.parametrize(
    "text",
    [
        legacy(
            "[tool.poetry.group.cpu]\noptional = true",
            f"[tool.poetry.group.cpu.dependencies]\n{CPU}",
            "[tool.poetry.group.gpu]\noptional = true",
            f"[tool.poetry.group.gpu.dependencies]\n{GPU}",
        ),
        modern(
            "[dependency-groups]",
            'cpu = ["tensorflow-cpu~=2.18.0"]',
            'gpu = ["tensorflow[and-cuda]~=2.18.0"]',
            "[tool.poetry.group.cpu]\noptional = true\n[tool.poetry.group.gpu]\noptional = true",
        ),
        modern(
            "[dependency-groups]",
            'tf = ["tensorflow~=2.18.0"]',
            'gpu = [{include-group = "tf"}]',
            'Night_ly = ["tf-nightly"]',
            "[tool.poetry.group.tf]\noptional = true\n[tool.poetry.group.gpu]\noptional = true",
            "[tool.poetry.group.night-ly]\noptional = true",
        ),
    ],
)
def test_two_in_optional_groups_are_a_warning(text: str):
    (finding,) = found(in_memory(text), "TF104")
    assert finding.severity == "warning"
    assert "--all-groups" in finding.message and not finding.edits


@pytest.mark.parametrize(
    "text",
    [
        # A group brings another, or is always there.
        modern(
            "[dependency-groups]",
            'tf = ["tensorflow~=2.18.0"]',
            'cpu = [{include-group = "TF"}, "tensorflow-cpu~=2.18.0"]',
            "[tool.poetry.group.tf]\noptional = true\n[tool.poetry.group.cpu]\noptional = true",
        ),
        legacy(
            f"[tool.poetry.group.tf.dependencies]\n{GPU}",
            "[tool.poetry.group.cpu]\noptional = true",
            f"[tool.poetry.group.cpu.dependencies]\n{CPU}",
        ),
        legacy(
            "[tool.poetry.group.tf]\noptional = true",
            f"[tool.poetry.group.tf.dependencies]\n{GPU}",
            '[tool.poetry.group.cpu]\noptional = true\ninclude-groups = ["tf"]',
            f"[tool.poetry.group.cpu.dependencies]\n{CPU}",
        ),
        # An extra names another of the project.
        modern(
            "[project.optional-dependencies]",
            'gpu = ["tensorflow[and-cuda]~=2.18.0"]',
            'all = ["demo[gpu]", "tensorflow-cpu~=2.18.0"]',
        ),
        # An extra of Poetry's own table has both.
        legacy(
            "[tool.poetry.dependencies]",
            'tensorflow-cpu = {version = "~2.18.0", optional = true}',
            'tensorflow = {version = "~2.18.0", optional = true}',
            '[tool.poetry.extras]\nall = ["tensorflow", "TensorFlow_CPU"]',
        ),
        # A marker that keeps them apart only with another extra.
        modern(
            'dependencies = ["tensorflow~=2.18.0"]',
            '[project.optional-dependencies]\ncpu = ["tensorflow-cpu~=2.18.0"]\ngpu = ["six"]',
            "[tool.poetry.dependencies]",
            """tensorflow-cpu = {markers = "extra == 'cpu' and extra != 'gpu'"}""",
        ),
    ],
)
def test_two_in_what_one_option_installs_meet(text: str):
    ((severity, _),) = clashes(text)
    assert severity == "error"


@pytest.mark.parametrize(
    "text",
    [
        legacy(
            "[tool.poetry.dependencies]",
            'tensorflow-cpu = {version = "~2.18.0", optional = true}',
            'tensorflow = {version = "~2.18.0", optional = true}',
            '[tool.poetry.extras]\ncpu = ["tensorflow-cpu"]\ngpu = ["tensorflow"]',
        ),
        modern(
            "[project.optional-dependencies]",
            'gpu = ["tensorflow[and-cuda]~=2.18.0"]',
            'cpu = ["tensorflow-cpu~=2.18.0"]',
            'lab = ["demo[gpu]", "jupyterlab"]',
        ),
        modern(
            """dependencies = ["tensorflow~=2.18.0 ; extra != 'cpu'"]""",
            '[project.optional-dependencies]\ncpu = ["tensorflow-cpu~=2.18.0"]',
        ),
        # They meet on no Python of the project.
        modern(
            "dependencies = [\"tensorflow~=2.18.0 ; python_version >= '3.9'\",",
            "\"tensorflow-cpu~=2.18.0 ; python_version < '3.10'\"]",
        ),
        # Nor in an environment that it is for.
        modern(
            'dependencies = ["tensorflow~=2.18.0",',
            "\"tensorflow-cpu~=2.18.0 ; sys_platform == 'win32'\"]",
            '[tool.poetry-tf]\nenvironments = ["linux-x86_64"]',
        ),
    ],
)
def test_two_that_nothing_installs_together_are_fine(text: str):
    assert clashes(text) == []


@pytest.mark.parametrize("nightly", ["tf-nightly", "tf_nightly_cpu", "tf-nightly-gpu"])
@pytest.mark.parametrize("release", ["tensorflow>=2.18.0,<2.19", "tensorflow-cpu==2.18.0"])
def test_a_nightly_build_has_the_same_files(nightly: str, release: str):
    text = modern(f'dependencies = ["{release}",\n"{nightly}"]')
    assert clashes(text) == [("error", "5:1")]
    here, there = f"{release} ; sys_platform == 'linux'", f"{nightly} ; sys_platform != 'linux'"
    assert clashes(modern(f'dependencies = ["{here}", "{there}"]')) == []


def test_a_nightly_build_may_hand_over_to_one_for_a_platform():
    line = "tf-nightly-macos ; sys_platform == 'darwin'"
    assert clashes(modern(f'dependencies = ["tf-nightly", "{line}"]')) == []
    text = modern(f'dependencies = ["tensorflow~=2.18.0",\n"{line}"]')
    assert clashes(text) == [("error", "5:1")]


ARM = 'sys_platform == "darwin" and platform_machine == "arm64"'


@pytest.mark.parametrize(
    ("main", "macos", "severity"),
    [
        ("2.13.1", "2.13.1", None),  # TensorFlow's wheel is a requirement on it
        ("2.15.1", "2.15.0", "error"),
        ("2.15.1", "2.15.1", "warning"),  # installs nothing
        ("2.16.2", "2.16.2", "warning"),  # a requirement on tensorflow
        ("2.17.1", "2.16.1", "warning"),
    ],
)
@pytest.mark.parametrize("marker", [ARM, 'platform_system == "Darwin"', None])
def test_a_platforms_distribution_without_files_is_not_needed(
    main: str, macos: str, severity: str | None, marker: str | None
):
    line = f"tensorflow-macos=={macos}" + (f" ; {marker}" if marker else "")
    text = modern(f"dependencies = [\n'tensorflow=={main}',\n'{line}',\n]")
    assert clashes(text) == ([(severity, "6:1")] if severity else [])
    removed = line not in fixed(text)
    assert removed == (severity is not None and marker == ARM)


@pytest.mark.parametrize(("macos", "severities"), [("2.16.2", []), ("2.15.0", ["error"])])
@pytest.mark.parametrize(
    "text",
    [
        # TensorFlow is not everywhere where the line is.
        modern(
            """dependencies = ['tensorflow==2.16.2 ; python_version < "3.11"',""",
            f"'tensorflow-macos=={{}} ; {ARM}']",
        ),
        modern(
            f"dependencies = ['tensorflow-macos=={{}} ; {ARM}']",
            '[dependency-groups]\ntf = ["tensorflow==2.16.2"]',
            "[tool.poetry.group.tf]\noptional = true",
        ),
    ],
)
def test_a_line_that_alone_serves_a_platform_somewhere_stays(
    text: str, macos: str, severities: list[str]
):
    text = text.format(macos)
    assert [severity for severity, _ in clashes(text)] == severities
    assert f"tensorflow-macos=={macos}" in fixed(text)


def test_each_pair_is_reported_once():
    text = (
        '[tool.poetry.dependencies]\ntensorflow = "~2.13"\ntensorflow-cpu = "~2.13"\n'
        '[tool.poetry.group.a.dependencies]\ntensorflow = "~2.13"\ntensorflow-cpu = "~2.13"\n'
    )
    assert [code for code, _ in families(in_memory(text))] == ["TF104"]


# -- releases that there are not ------------------------------------------------------------

LAST = CATALOG.in_series("2.15")[-1].version
NEWEST = max([release.version for release in CATALOG.releases] + [*CATALOG.prereleases])
RECENT = CATALOG.in_series(CATALOG.series[-2])[-1].version


@places
@pytest.mark.parametrize("wrong", [f"~={LAST.major}.{LAST.minor}.{LAST.micro + 6}", "==2.9.9"])
def test_a_release_that_there_is_not_is_reported_where_it_is_asked_for(where: Place, wrong: str):
    line = where.line.format(wrong)
    (finding,) = found(in_memory(f"# mine\n{where.before}\n{line}\n"), "TF102")
    assert place(finding).endswith(f":{where.column}")
    assert wrong in finding.message and "no release published by 20" in finding.message
    assert "newest release of 2." in finding.remedy and not finding.edits


@pytest.mark.parametrize(
    "right",
    [
        f"=={LAST}",
        f">={LAST}",
        "==2.4.1",  # older than what is planned for
        "==1.15.5",
        "==0.12.0",
        f"=={CATALOG.prereleases[-1]}",
        f"=={NEWEST.major}.{NEWEST.minor + 1}.0",  # may be out by now
        f"=={NEWEST.major + 1}.0",
        f"=={RECENT.major}.{RECENT.minor}.{RECENT.micro + 1}",  # as may be a patch of that
        "",
    ],
)
def test_a_release_that_there_is_or_may_be_is_fine(right: str):
    text = f'[project]\ndependencies = ["tensorflow{right}"]'
    assert found(in_memory(text), "TF102") == []


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_a_patch_release_that_is_locked_exists(name: str):
    text = f'[project]\ndependencies = ["{name}~=2.9.9"]'
    assert found(in_memory(text), "TF102") != []
    assert found(in_memory(text, lock=lock_text((name, "2.9.10"))), "TF102") == []


def test_a_distribution_that_ended_has_no_releases_of_later_series():
    text = '[project]\ndependencies = ["{}"]'
    assert found(in_memory(text.format("tensorflow-cpu-aws==2.15.1")), "TF102") == []
    # Of one that is retired there is more to say than that.
    assert found(in_memory(text.format("tensorflow-gpu==2.13.0")), "TF102") == []
    assert found(in_memory(text.format("tensorflow-cpu-aws==2.16.1")), "TF102") != []


def test_a_pin_that_contradicts_itself_admits_nothing():
    (finding,) = found(in_memory('[tool.poetry.dependencies]\ntensorflow = ">2.15,<2.14"'), "TF102")
    assert "no version" in finding.message


@pytest.mark.parametrize("more", ["", '[tool.poetry-tf]\nenvironments = ["macos-arm64"]\n'])
@pytest.mark.parametrize(
    ("pin", "fixed"),
    [
        ("~=2.15.0", ">=2.15.0,<2.15.1"),
        (">=2.15,<2.16", ">=2.15.0,<2.15.1"),
        ("==2.15.*", ">=2.15.0,<2.15.1"),
        ("==2.15.1", None),
    ],
)
def test_a_pin_ends_before_a_release_that_installs_nothing(more: str, pin: str, fixed: str | None):
    text = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
        "dependencies = [\"tensorflow~=2.15.0 ; sys_platform != 'darwin'\", "
        "\"tensorflow-macos{} ; sys_platform == 'darwin'\"]\n"
        "[tool.poetry]\npackage-mode = false\n" + more
    )
    project = in_memory(text.format(pin))
    (finding,) = found(project, "TF102")
    assert "2.15.1, which installs nothing" in finding.message
    assert (finding.edits != ()) == (fixed is not None)
    if fixed is not None:
        after = fix(project, codes={"TF102"})
        assert after.pyproject.document.text == text.format(fixed)
        assert found(after, "TF102") == []
    for fine in ("~=2.14.0", "==2.15.0", "~=2.16.0"):
        assert found(in_memory(text.format(fine)), "TF102") == []


def test_yanked_releases_are_nothing_to_pin(monkeypatch: pytest.MonkeyPatch):
    yanked = frozenset(release.version for release in CATALOG.in_series("2.15"))
    monkeypatch.setattr(CATALOG, "yanked", yanked)
    text = '[project]\ndependencies = ["tensorflow{}"]'
    (finding,) = found(in_memory(text.format("~=2.15.0")), "TF102")
    assert "only yanked releases" in finding.message
    assert found(in_memory(text.format("~=2.14.0")), "TF102") == []
    assert found(in_memory(text.format(">=2.14.0,<2.16")), "TF102") == []


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\ntensorflow = {version = "2.9.9", source = "own"}',
        '[project]\ndependencies = ["tensorflow==2.9.9"]\n'
        '[[tool.poetry.source]]\nname = "own"\nurl = "https://index.example.com/simple"',
        '[project]\ndependencies = ["tensorflow==2.9.9"]\n'
        '[tool.poetry.dependencies]\ntensorflow = {source = "own"}',
        '[project]\ndependencies = ["tensorflow-rocm==2.9.9"]',
    ],
)
def test_what_may_come_from_elsewhere_is_not_judged(text: str):
    assert found(in_memory(text, lock=lock_text(("tensorflow-rocm", "2.9.9"))), "TF102") == []


def test_a_mirror_has_what_pypi_has():
    text = (
        '[project]\ndependencies = ["tensorflow==2.9.9"]\n[[tool.poetry.source]]\n'
        'name = "near"\nurl = "https://pypi.tuna.tsinghua.edu.cn/simple"'
    )
    assert len(found(in_memory(text), "TF102")) == 1


def test_a_locked_release_that_there_is_not_is_reported():
    text = '[project]\ndependencies = ["tensorflow~=2.16.0"]'
    lock = lock_text(("tensorflow", "2.16.0"))
    (finding,) = found(in_memory(text, lock=lock), "TF102")
    assert place(finding) == "poetry.lock:5:1"
    assert "2.16.0 is locked" in finding.message
    for fine in ("2.16.2", "2.16.9", "2.16.0+local", f"{NEWEST.major + 1}.0.0"):
        assert found(in_memory(text, lock=lock_text(("tensorflow", fine))), "TF102") == []
    elsewhere = lock.replace(
        "optional = false\n", 'optional = false\n[package.source]\ntype = "file"\nurl = "x"\n'
    )
    assert found(in_memory(text, lock=elsewhere), "TF102") == []


# TF107: a project that keeps Keras 2 requires it

KERAS_HEAD = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11,<3.12"\n'
KEEPS_KERAS_2 = '\n[tool.poetry]\npackage-mode = false\n\n[tool.poetry-tf]\nkeras = "legacy"\n'


def keras_project(*requirements: str, settings: str = KEEPS_KERAS_2) -> str:
    lines = "".join(f"    '{item}',\n" for item in requirements)
    return f"{KERAS_HEAD}dependencies = [\n{lines}]\n{settings}"


@pytest.mark.parametrize(
    ("requirements", "wrong"),
    [
        (["tensorflow (>=2.18.1,<2.19)"], True),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras (>=2.18,<2.19)"], False),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras"], False),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras (>=2.16,<2.17)"], True),
        (["tensorflow (>=2.18.1,<2.19)", "tf-keras @ git+https://example.org/a.git"], False),
        (["tensorflow (>=2.15.1,<2.16)"], False),
    ],
    ids=["none", "right", "open", "another series", "an address", "a release with Keras 2"],
)
def test_keras_2_is_required_in_the_series_of_tensorflow(requirements: list[str], wrong: bool):
    project = in_memory(keras_project(*requirements))
    assert ("TF107" in codes(project)) is wrong
    fixed = fix(project, codes={"TF107"})
    assert "TF107" not in codes(fixed)
    if wrong:
        assert '"tf-keras (>=2.18,<2.19)"' in fixed.pyproject.document.text.replace("'", '"')
    else:
        assert fixed == project


def test_it_is_written_beside_tensorflow_in_poetrys_own_tables():
    project = in_memory(
        '[tool.poetry]\nname = "a"\npackage-mode = false\n\n[tool.poetry.dependencies]\n'
        'python = "~3.11"\ntensorflow = "~2.18.1"\n\n[tool.poetry-tf]\nkeras = "legacy"\n'
    )
    fixed = fix(project, codes={"TF107"}).pyproject.document
    assert fixed.get(("tool", "poetry", "dependencies", "tf-keras")) == ">=2.18,<2.19"


@pytest.mark.parametrize(
    "pyproject",
    [
        keras_project("tensorflow~=2.18.1", settings='\n[tool.poetry-tf]\ngpu = "auto"\n'),
        keras_project("tensorflow~=2.15.1"),
    ],
    ids=["not chosen", "Keras 2 anyway"],
)
def test_who_did_not_choose_keras_2_or_has_it_is_left_alone(pyproject: str):
    project = in_memory(pyproject, container='{"image": "x/y"}\n')
    assert not {"TF107", "TF507"} & {*codes(project)}


# -- packages that are published ------------------------------------------------------------


PACKAGE = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.10,<3.12"\n'
SCRIPT = '[project.scripts]\ndemo = "demo:main"\n'
PUBLISHED = {
    "[project]": f'{PACKAGE}dependencies = ["tensorflow>=2.13,<3"]\n{SCRIPT}',
    "an extra": f'{PACKAGE}[project.optional-dependencies]\ntf = ["tensorflow>=2.13"]\n{SCRIPT}',
    "legacy": '[tool.poetry]\nname = "demo"\npackages = [{include = "demo"}]\n'
    '[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\ntensorflow = "^2.13"\n',
    "legacy array": '[tool.poetry]\nname = "demo"\npackage-mode = true\nscripts = {d = "demo:d"}\n'
    '[tool.poetry.dependencies]\npython = ">=3.10,<3.12"\n'
    'tensorflow = [{version = "^2.13", platform = "linux"}]\n',
}
published = pytest.mark.parametrize("text", PUBLISHED.values(), ids=PUBLISHED)


def severities(text: str) -> list[str]:
    return [item.severity for item in found(in_memory(text), "TF101")]


@published
def test_a_published_package_may_admit_several_series(text: str):
    assert severities(text) == ["warning"]
    assert fixed(text) == text


@published
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", ["error"]),
        ('pin = "error"', ["error"]),
        ('pin = "warn"', ["warning"]),
        ('pin = "off"', []),
    ],
)
@pytest.mark.sample(every=4)
def test_the_settings_decide_what_a_wide_pin_of_a_package_is(
    text: str, settings: str, expected: list[str]
):
    text = f"{text}[tool.poetry-tf]\n{settings}\n"
    assert severities(text) == expected
    assert (fixed(text) != text) == (expected == ["error"])


@pytest.mark.parametrize(
    "text",
    [
        # Nothing is published of a group, nor of a project that is no package.
        f'{PACKAGE}{SCRIPT}[dependency-groups]\ndev = ["tensorflow>=2.13"]\n',
        f"{PUBLISHED['[project]']}[tool.poetry]\npackage-mode = false\n",
        f'{PACKAGE}dependencies = ["tensorflow>=2.13,<3"]\n',
    ],
)
def test_what_no_package_publishes_is_pinned(text: str):
    assert severities(text) == ["error"]
    assert severities(fixed(text)) == []


@published
def test_what_is_within_a_series_is_fine_in_a_package(text: str):
    for wide, narrow in ((">=2.13,<3", "~=2.13.0"), (">=2.13", "~=2.13.0"), ("^2.13", "~2.13")):
        text = text.replace(wide, narrow)
    assert severities(text) == []
