"""Projects with the traits of real ones, and what is to be found in each, judged by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from poetry_tf.files.errors import ProjectError
from poetry_tf.releases.images import load_images
from tests.made import content_hash, found, lock_text, on_disk

IMAGES = load_images()
PLAIN = """\
[project]
name = "plain"
requires-python = ">=3.11,<3.12"
dependencies = ["tensorflow (>=2.13.1,<2.14.0)"]

[tool.poetry]
package-mode = false
"""


def findings_of(root: Path, files: dict[str, str]) -> list[str]:
    """The places and codes of the findings, as `tf check` prints them."""
    return [f"{item.file.name}:{item.position} {item.code}" for item in found(on_disk(root, files))]


def test_an_extra_for_each_kind_of_computer(tmp_path: Path):
    text = """\
[tool.poetry]
name = "py-m1"
package-mode = false

[tool.poetry.dependencies]
python = ">=3.8,<3.11"
tensorflow-macos = { version = "^2.11.0", optional = true }
tensorflow-metal = { version = "^0.7.0", optional = true }
tensorflow = { version = "^2.11.0", optional = true }

[tool.poetry.extras]
x64 = ["tensorflow"]
m1 = ["tensorflow-macos", "tensorflow-metal"]
"""
    # Both pins admit every 2.x from 2.11 on. That tensorflow-macos is named is no finding, nor that
    # it stands beside tensorflow, as each is an extra's choice.
    # Metal 0.7 is for 2.11, but the pin is open, so nothing is settled yet. All three Pythons that
    # are admitted have wheels of 2.11.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == [
        "pyproject.toml:7:22 TF101",
        "pyproject.toml:9:16 TF101",
    ]


def test_a_series_for_each_python_and_extras_that_exclude_each_other(tmp_path: Path):
    text = """\
[project]
name = "labcut"
requires-python = ">=3.10,<3.12"

[project.optional-dependencies]
tf = [
  "tensorflow>=2.12,<2.16; python_version<'3.11'",
  "tensorflow~=2.16.1; python_version>='3.11'",
  "tensorflow-metal==1.2; platform_system=='Darwin' and python_version<'3.11'",
]
tf-old = [
  "tensorflow==2.14",
  "tensorflow-metal==1.2; platform_system=='Darwin'",
]
tf-new = [
  "tensorflow==2.18",
  "tensorflow-metal==1.2; platform_system=='Darwin'",
]

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
    # Line 7 spans four series. Metal 1.2 is for 2.18 and later, says Apple: wrong beside 2.14
    # (line 13), right beside 2.18 (line 17), and beside the open pin (line 9) nothing is settled.
    # No package mode, as this is setuptools' project.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == [
        "pyproject.toml:7:3 TF101",
        "pyproject.toml:13:3 TF105",
    ]


def test_an_old_python_and_an_index_of_somebody_elses(tmp_path: Path):
    text = """\
[tool.poetry]
name = "teaching"
version = "0.1.0"

[[tool.poetry.source]]
name = "arm"
url = "https://tf.example.com/whl/stable.html"
priority = "explicit"

[tool.poetry.dependencies]
python = "~3.8"
tensorflow = [
    { version = "2.8.0", markers = "platform_machine == 'x86_64'" },
    { version = "2.8.0", markers = "platform_machine == 'aarch64'", source = "arm" },
]
"""
    # Python 3.8 has wheels of 2.8, so the project is sound; only a container can't be made, which
    # is no finding where there is none. The source is asked for what names it alone, and is no
    # mirror. There is no package to install.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == ["pyproject.toml:1:7 TF301"]


def test_exact_pins_in_the_standard_form(tmp_path: Path):
    text = """\
[project]
name = "efficiency"
requires-python = ">=3.11"
dependencies = [
  "tensorflow==2.19.0",
  "tensorflow-datasets==4.9.9",
  "tensorflow-probability==0.20.0",
]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
    # Probability 0.20 was made for 2.12, before Keras 3, and no metadata says so. 2.19 has wheels
    # up to Python 3.12. tensorflow-datasets goes with any TensorFlow.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == [
        "pyproject.toml:7:3 TF105",
        "pyproject.toml:3:1 TF201",
    ]


def test_tensorflow_1(tmp_path: Path):
    text = """\
[tool.poetry]
name = "laser"
version = "0.1.0"
packages = [{ include = "laser" }]

[tool.poetry.dependencies]
python = "3.7.*"
tensorflow = "1.15.4"
tensorflow-probability = "0.8"
"""
    # It exists, it is one release, it has wheels for 3.7: nothing of what the rules are about is
    # known to be wrong, only too old for a plan, which `check` says apart from the findings.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == []


def test_every_variant_for_its_platform_and_one_too_many(tmp_path: Path):
    text = """\
[tool.poetry]
name = "stock"
package-mode = false

[tool.poetry.dependencies]
python = ">=3.9,<3.12"
tensorflow = "^2.14.0"
tensorflow-macos = { version = "~2.14.0", markers = "platform_machine == 'arm64'" }
tensorflow-cpu = [
    { version = "~2.14.0", markers = "sys_platform == 'darwin'" },
    { version = "~2.14.0", markers = "platform_machine == 'x86_64'" },
]
"""
    lock = lock_text(("tensorflow", "2.14.0"), content_hash=content_hash(text))
    # tensorflow itself is pinned too wide. tensorflow-cpu has the files that tensorflow has, on the
    # same computers; once told is enough for both of its lines. The shim with a marker may stand.
    assert findings_of(tmp_path, {"pyproject.toml": text, "poetry.lock": lock}) == [
        "pyproject.toml:7:1 TF101",
        "pyproject.toml:10:5 TF104",
    ]


def test_a_merge_that_was_not_finished(tmp_path: Path):
    text = '[project]\nname = "moabb"\n<<<<<<< HEAD\nversion = "1"\n=======\nversion = "2"\n'
    # What was meant nobody knows, so nothing is judged: the project can't be read.
    with pytest.raises(ProjectError, match="merge conflict") as caught:
        findings_of(tmp_path, {"pyproject.toml": text})
    assert str(caught.value.position) == "3:1"


def test_an_optional_tensorflow_of_a_library_that_is_not_poetrys(tmp_path: Path):
    text = """\
[project]
name = "sleep"
version = "0.1.0"
requires-python = ">= 3.10, < 3.13"
dependencies = ["numpy >= 2"]

[project.optional-dependencies]
full = [
    "keras >= 3.5",
    "tensorflow >= 2.17.0",
]

[tool.ruff]
line-length = 92
"""
    # The pin is open. Nothing says that the project is Poetry's, so neither a lock nor package mode
    # is missed. Keras is a companion that TensorFlow itself asks for: a solver's business.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == ["pyproject.toml:10:5 TF101"]


def test_cuda_in_an_image_of_ones_own_with_misspelt_options(tmp_path: Path):
    container = f"""\
{{
    "image": "mcr.microsoft.com/devcontainers/base:ubuntu",
    "features": {{
        "{IMAGES.cuda.id}:1": {{
            "installCudann": true,
            // before Volta: CUDA 11.8
            "cudaVersion": "12.5",
        }}
    }},
    "hostRequirements": {{"gpu": "optional"}},
    "runArgs": ["--gpus", "all"]
}}
"""
    files = {"pyproject.toml": PLAIN, ".devcontainer/devcontainer.json": container}
    # 2.13 goes with CUDA 11.8, and cuDNN isn't installed at all: its options are misspelt. Version
    # 1 of the feature is frozen. What Python and Poetry the image has is its owner's business, and
    # --gpus in a project without settings too.
    assert findings_of(tmp_path, files) == [
        "devcontainer.json:7:13 TF503",
        "devcontainer.json:5:13 TF505",
        "devcontainer.json:4:9 TF505",
    ]


def test_a_newer_python_and_a_feature_whose_organisation_is_gone(tmp_path: Path):
    container = f"""\
// For format details, see the documentation.
{{
\t"name": "Python 3.12",
\t"image": "mcr.microsoft.com/devcontainers/python:3.12", // Bookworm
\t"features": {{
\t\t"{IMAGES.retired_poetry_features[0]}:2": {{}}
\t}},
\t"postCreateCommand": "poetry install"
}}
"""
    files = {"pyproject.toml": PLAIN, ".devcontainer/devcontainer.json": container}
    # The project is for 3.11 alone. The feature can't be fetched any more. A GPU is not missed in a
    # project without settings: it never said that it wants one.
    assert findings_of(tmp_path, files) == [
        "devcontainer.json:4:2 TF502",
        "devcontainer.json:6:3 TF505",
    ]


def test_a_source_in_the_manner_of_the_time_before_mirrors_were_a_setting(tmp_path: Path):
    text = """\
[tool.poetry]
name = "steps"
package-mode = false

[tool.poetry.dependencies]
python = ">=3.8,<3.12"
tensorflow = "~2.13.0"

[[tool.poetry.source]]
name = "tsinghua"
url = "https://pypi.tuna.tsinghua.edu.cn/simple/"
priority = "primary"
"""
    lock = lock_text(("tensorflow", "2.13.1"), content_hash=content_hash(text)).replace(
        "optional = false\n",
        'optional = false\n\n[package.source]\ntype = "legacy"\n'
        'url = "https://pypi.tuna.tsinghua.edu.cn/simple"\nreference = "tsinghua"\n',
    )
    # All is right but for the mirror, which everybody who installs from this lock has to reach.
    assert findings_of(tmp_path, {"pyproject.toml": text, "poetry.lock": lock}) == [
        "pyproject.toml:9:1 TF401",
        "poetry.lock:10:1 TF401",
    ]


def test_keras_without_tensorflow(tmp_path: Path):
    text = '[project]\nname = "matmul"\ndependencies = ["keras>=3", "torch"]\n\n[tool.poetry]\n'
    # Keras 3 runs on other backends. The project is none of our business.
    assert findings_of(tmp_path, {"pyproject.toml": text}) == []
