"""What becomes of each line: required, left to others, or left to the user."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from poetry_tf.migration.classify import (
    classify_entries,
    direct_entries,
    with_constraints,
    with_unneeded,
)
from poetry_tf.migration.fit import relax_conflicting
from tests.migration.lists import (
    classified,
    classified_pip,
    classify,
    constrained,
    pip,
    reasons,
    release,
    texts,
)


def test_each_line_goes_where_it_belongs() -> None:
    found = classified(
        "python=3.10",
        "tensorflow=2.12",
        "cudatoolkit=11.8",
        "cudnn",
        "cuda-nvcc",
        "libcublas",
        "libcurl",
        "mkl",
        "openssl",
        "xorg-libx11",
        "pip",
        "nb_conda",
        "keras=2.12",
        "tensorboard",
        "opencv<4.9",
        "pytables",
        "conda-forge::scikit-learn >=1.0",
        "something-unknown",
    )
    assert texts(found) == [
        "opencv-python-headless (<4.9)",
        "tables",
        "scikit-learn (>=1.0)",
        "something-unknown",
    ]
    assert reasons(found) == {
        "tensorflow": "main",
        "cudatoolkit": "container",
        "cudnn": "container",
        "cuda-nvcc": "container",
        "libcublas": "container",
        "libcurl": "system",
        "mkl": "builds",
        "openssl": "system",
        "xorg-libx11": "system",
        "pip": "tools",
        "nb_conda": "tools",
        "keras": "tensorflow",
        "tensorboard": "tensorflow",
    }


@pytest.mark.parametrize(
    ("line", "required"),
    [
        ("cv2==4.8.0", "opencv-python-headless"),
        ("PIL", "pillow"),
        ("yaml==5.1", "pyyaml"),
        ("bs4==0.0.1", "beautifulsoup4"),
        ("scikit_learn==1.5.0", "scikit_learn (==1.5.0)"),
    ],
)
def test_a_name_that_is_not_the_distributions_becomes_it(line: str, required: str) -> None:
    assert texts(classified_pip(line)) == [required]


def test_the_build_tells_a_library_from_a_package() -> None:
    found = classified(
        "unheard-of-lib=1.0=h5eee18b_1",
        "unheard-of-package=1.0=py37h5eee18b_1",
        "noarch-package=1.0=pyhd8ed1ab_0",
        "metapackage=1.0=hd8ed1ab_0",
        "numba=0.45.1=np117py37_6",
    )
    assert [item.name for item in found.required] == [
        "unheard-of-package",
        "noarch-package",
        "metapackage",
        "numba",
    ]
    assert reasons(found) == {"unheard-of-lib": "system"}


def test_keras_3_is_asked_for_where_tensorflow_takes_it() -> None:
    assert texts(classified("keras >=3.4", series="2.18")) == ["keras (>=3.4)"]
    assert texts(classified("keras", series="2.18")) == []
    assert texts(classified("keras=3.4.1", series="2.18")) == ["keras (==3.4.1)"]
    assert texts(classified("keras >=3.4", series="2.15")) == []
    assert texts(classified("keras <3", series="2.18")) == []


def test_what_the_project_requires_stays_as_it_is() -> None:
    found = classified("numpy=1.21", "pandas", present=("numpy",))
    assert texts(found) == ["pandas"]
    assert reasons(found) == {"numpy": "present"}


def test_two_lines_on_one_package_become_one() -> None:
    assert texts(classified("numpy>=1.19", "numpy<2")) == ["numpy (<2,>=1.19)"]
    assert texts(classified("typing_extensions=4.1.1", "typing-extensions=4.1.1")) == [
        "typing-extensions (==4.1.1)"
    ]
    found = classified_pip("numpy==1.19", "numpy==1.21")
    assert texts(found) == ["numpy (==1.21)"]
    (note,) = found.skipped
    assert (str(note.location), note.reason) == (
        "requirements.txt:1",
        "contradicts 'numpy==1.21' in line 2, which is taken",
    )
    assert texts(classified_pip("scikit-learn==1.0.2", "sklearn==0.0")) == [
        "scikit-learn (==1.0.2)"
    ]


def test_markers_stay_and_lines_that_hold_nowhere_go() -> None:
    found = classified_pip(
        'pywin32>=300 ; sys_platform == "win32"',
        'dataclasses-json ; python_version < "3.7"',
        'numpy==1.22 ; python_version < "3.11"',
        'numpy==1.26 ; python_version >= "3.11"',
    )
    assert texts(found) == [
        'pywin32 (>=300) ; sys_platform == "win32"',
        'numpy (==1.22) ; python_version < "3.11"',
    ]
    assert list(reasons(found).values()) == ["elsewhere", "elsewhere"]


def test_a_marker_that_compares_nothing_is_for_poetry_to_refuse() -> None:
    line = 'numpy ; python_version ~= "x"'
    assert texts(classified_pip(line)) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "tensorflow-probability==0.20.0",
        "tensorflow-hub==0.12.0",
        "tensorflow-io==0.32.0",
        "tensorflow-addons==0.20.0",
        "tensorboardx==2.6",
        "tensorstore==0.1.40",
    ],
)
def test_a_version_that_the_user_wrote_stays_beside_the_same_tensorflow(line: str) -> None:
    name, _, version = line.partition("==")
    (text,) = texts(classified_pip("tensorflow==2.12.0", line))
    assert text in {f"{name} (=={version})", f"{name} (<0.16)"}


@pytest.mark.parametrize(
    ("line", "series", "expected"),
    [
        ("tensorflow-addons==0.22.0", "2.15", "tensorflow-addons (>=0.23.0,<0.24.0)"),
        ("tensorflow-addons>=0.23", "2.15", "tensorflow-addons (>=0.23)"),
        ("tensorflow_text==2.13.0", "2.15", "tensorflow_text (>=2.15.0,<2.16.0)"),
        ("tensorflow-text>=2.16", "2.15", "tensorflow-text (>=2.15.0,<2.16.0)"),
        ("tensorflow-addons==0.23.0", "2.18", None),
        ("tensorflow-addons", "2.18", None),
    ],
)
def test_a_companion_that_contradicts_tensorflow_moves_or_is_left_to_the_user(
    line: str, series: str, expected: str | None
) -> None:
    found = classify(pip(f"tensorflow=={release(series).version}", line), series)
    if expected is not None:
        assert texts(found) == [expected] and not found.skipped
        return
    (skipped,) = found.skipped
    assert not texts(found) and skipped.actionable and skipped.written == line


def test_what_the_lock_does_not_have_is_not_said_to_come_with_others() -> None:
    found = classified_pip("tensorflow==2.12.0", "app==1.0", "library==1.0", "other==1.0", "astor")
    app, library, other = map(canonicalize_name, ("app", "library", "other"))
    direct = direct_entries(found, {app: [library, other]}, release("2.12"))
    account = reasons(with_unneeded(direct, [app, library]))
    assert account == {
        "tensorflow": "main",
        "library": "needed",
        "other": "unneeded",
        "astor": "unneeded",
    }


def test_a_companion_is_relaxed_only_to_what_fits() -> None:
    found = classify(pip("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "other==1.0"), "2.15")
    relaxed = relax_conflicting(found, ["tensorflow-addons", "other"], everything=True)
    assert relaxed is not None
    assert texts(relaxed) == ["tensorflow-addons (>=0.23.0,<0.24.0)", "other"]


def test_a_version_and_bounds_that_admit_it_become_the_version() -> None:
    assert texts(classified_pip("pandas>=1.5", "pandas==2.0.3")) == ["pandas (==2.0.3)"]


@pytest.mark.parametrize("name", ["pyobjc", "pyobjc-core", "pyobjc-framework-Cocoa"])
def test_what_is_for_one_system_only_is_required_there(name: str) -> None:
    assert texts(classified_pip(f"{name}==10.1")) == [f'{name} (==10.1) ; sys_platform == "darwin"']


def test_a_companion_moves_with_tensorflow_to_what_fits() -> None:
    found = classified("tensorflow=2.5", "tensorflow-probability=0.12.0", "tensorboardx==2.6")
    assert texts(found) == ["tensorflow-probability (>=0.20.1,<0.21.0)", "tensorboardx (==2.6)"]
    assert found.required[0].reason == "it has to fit TensorFlow 2.12"
    assert texts(classified("tensorflow=2.5", "tensorboard-plugin-profile==2.4")) == [
        "tensorboard-plugin-profile (==2.4)"
    ]
    assert texts(classified("tensorflow-text==2.12.0")) == ["tensorflow-text (==2.12.0)"]
    assert texts(classified("tensorflow-hub")) == ["tensorflow-hub (<0.16)"]
    assert texts(classified("tensorflow-hub", series="2.15")) == ["tensorflow-hub"]


def test_every_line_on_tensorflow_is_in_the_account() -> None:
    found = classified_pip(
        'tensorflow==2.12.0 ; sys_platform == "linux"',
        'tensorflow-macos==2.12.0 ; sys_platform == "darwin"',
        'tensorflow==2.10.1 ; sys_platform == "win32"',
    )
    assert [item.reason for item in found.dropped] == ["main", "elsewhere", "elsewhere"]
    everywhere = classify_entries(
        pip('tensorflow-macos==2.12.0 ; sys_platform == "darwin"'),
        release("2.12"),
        ["3.10"],
        (),
        environments=("macos-arm64",),
    )
    assert [item.reason for item in everywhere.dropped] == ["main"]


def test_a_tensorflow_from_an_address_is_required_from_pypi_and_that_is_said() -> None:
    line = "tensorflow @ https://a.test/tensorflow-2.12.0-cp310-cp310-linux_x86_64.whl"
    found = classified_pip(line)
    assert (found.required, reasons(found)) == ((), {"tensorflow": "main"})
    assert [(item.written, item.reason) for item in found.undecided] == [
        (line, "TensorFlow from an address: PyPI's release is required instead")
    ]


def test_what_is_for_other_systems_goes() -> None:
    assert reasons(classified("tensorflow-metal", "apple::tensorflow-deps")) == {
        "tensorflow-metal": "elsewhere",
        "tensorflow-deps": "tensorflow",
    }


def test_the_builds_of_pytorchs_own_index_become_pypis() -> None:
    found = classified_pip("torch==2.0.1+cu118")
    assert texts(found) == ["torch (==2.0.1)"]
    assert found.required[0].reason == "PyPI has no builds named +cu118"


def test_a_collection_is_left_to_the_user() -> None:
    (skipped,) = classified("anaconda=2020.07").skipped
    assert (skipped.location.line, skipped.actionable) == (2, True)


# Exports


def test_of_an_export_stays_what_nothing_else_needs() -> None:
    lines = [f"{name}=1.0=py310_0" for name in "abcdefghij"]
    found = classified(*lines, "numpy=1.23.5=py310_0")
    requires = {
        "a": ("b", "c"),
        "c": ("numpy",),
        "d": ("e",),  # d and e require each other, and nothing else requires them
        "e": ("d", "f"),
        "tensorboard": ("g",),
    }
    normal = {canonicalize_name(key): [*map(canonicalize_name, of)] for key, of in requires.items()}
    kept = direct_entries(found, normal, release("2.12"))
    # numpy is needed by c, and imported by people all the same.
    assert [item.name for item in kept.required] == ["a", "d", "h", "i", "j", "numpy"]
    assert {item.entry.name for item in kept.dropped if item.reason == "needed"} == {*"bcefg"}


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4), max_size=6
    )
)
def test_whatever_requires_whatever_all_is_reached(requires: dict[str, list[str]]) -> None:
    found = classified(*(f"{name}=1.0=py310_0" for name in "abcdef"))
    normal = {canonicalize_name(key): [*map(canonicalize_name, of)] for key, of in requires.items()}
    kept = direct_entries(found, normal, release("2.12"))
    queue, reached = [str(item.key) for item in kept.required], set[str]()
    while queue:
        name = queue.pop()
        if name not in reached:
            reached.add(name)
            queue += requires.get(name, [])
    assert reached >= {*"abcdef"}
    assert len(kept.required) + sum(item.reason == "needed" for item in kept.dropped) == 6


def test_a_constraint_limits_the_line_on_its_package_where_its_marker_holds() -> None:
    found = classify(constrained(["pandas", "numpy>=1.20"], "pandas<2.2", "numpy<1.24"))
    assert texts(found) == ["pandas (<2.2)", "numpy (<1.24,>=1.20)"]
    pair = ('numpy==1.19.5 ; python_version < "3.9"', 'numpy==1.23.5 ; python_version >= "3.9"')
    found = classify(constrained(["numpy"], *pair))
    assert texts(found) == ["numpy (==1.23.5)"]
    assert [(item.entry.written, item.reason) for item in found.dropped] == [(pair[0], "elsewhere")]
    found = classify(constrained(["numpy"], 'numpy<1.24 ; sys_platform == "darwin"'))
    assert texts(found) == ["numpy", 'numpy (<1.24) ; sys_platform == "darwin"']
    found = classify(constrained(['numpy ; sys_platform == "linux"'], "numpy<1.24"))
    assert texts(found) == ['numpy (<1.24) ; sys_platform == "linux"']
    (note,) = classify(constrained(["numpy==1.24.4"], "numpy==1.23.5")).skipped
    assert note.written == "numpy==1.24.4"
    assert "contradicts 'numpy==1.23.5'" in note.reason


def test_a_line_counts_for_each_python_of_the_project() -> None:
    lines = ['numpy==1.23.5 ; python_version < "3.11"', 'numpy==1.26.4 ; python_version >= "3.11"']
    found = classify_entries(pip(*lines), release("2.15"), ["3.10", "3.11"], ())
    assert [item.entry.written for item in found.required] == lines
    found = classify_entries(pip(*lines), release("2.15"), ["3.11"], ())
    assert [item.entry.written for item in found.required] == lines[1:]
    found = classify_entries(constrained(["numpy"], *lines), release("2.15"), ["3.10", "3.11"], ())
    assert texts(found) == [
        "numpy",
        'numpy (==1.23.5) ; python_version < "3.11"',
        'numpy (==1.26.4) ; python_version >= "3.11"',
    ]


def test_constraints_on_what_others_bring_are_judged_by_the_lock() -> None:
    listing = constrained(["pandas"], "urllib3<2", "Werkzeug==2.3.8", "idna<3", "protobuf==4.23.4")
    found = classify(listing)
    assert texts(found) == ["pandas"]
    assert set(reasons(found).values()) == {"unfollowed"}
    locked = {
        canonicalize_name(name): [Version(version)]
        for name, version in {
            "urllib3": "1.26.20",
            "werkzeug": "3.1.9",
            "protobuf": "4.23.4",
        }.items()
    }
    done = with_constraints(found, locked)
    assert reasons(done) == {"urllib3": "constraint", "idna": "unneeded", "protobuf": "constraint"}
    assert [(item.written, item.reason) for item in done.undecided] == [
        ("Werkzeug==2.3.8", "the lock file has werkzeug 3.1.9: nothing in this constraint fits")
    ]
