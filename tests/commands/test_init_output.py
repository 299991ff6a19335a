"""What `tf init --from` prints of a list."""

from __future__ import annotations

import pytest

from poetry_tf.commands.init_output import cuda_origin, migration_lines
from poetry_tf.plan.settings import GpuChoice
from tests.made import plan_for
from tests.migration.lists import classify, conda, pip

CUDA = "Left to the container"


def test_the_account_names_every_line_once() -> None:
    entries = [
        "python=3.10",
        "tensorflow=2.12",
        "numpy",
        "cudnn",
        "mkl",
        "opencv",
        "anaconda",
        "pip",
    ]
    found = conda(*entries)
    done = classify(found)
    whole = migration_lines(found, done, ("Python 3.9 becomes 3.10: why",), CUDA, whole=True)
    text = "\n".join(whole)
    assert text.startswith("From environment.yml, 8 packages:\n  Python 3.9 becomes 3.10: why\n")
    for name in ("numpy", "cudnn", "mkl", "opencv is opencv-python-headless", "pip"):
        assert name in text
    assert [line.written for line in done.undecided] == ["anaconda"]


def test_a_name_that_is_not_known_is_carried_over_and_named() -> None:
    found = conda("numpy", "something-new", "built-one=1.0=py310_0", "opencv")
    done = classify(found)
    lines = [*migration_lines(found, done, (), CUDA)]
    assert "  Assumed to have the same name on PyPI (1): something-new" in lines
    of_pip = pip("something-new")
    done = classify(of_pip)
    assert not any("same name" in line for line in migration_lines(of_pip, done, (), CUDA))


def test_long_lists_are_cut_unless_all_is_asked_for() -> None:
    entries = [f"package-{number}" for number in range(30)]
    found = conda(*entries)
    done = classify(found)
    assert "and 24 more (all with -v)" in "\n".join(migration_lines(found, done, (), CUDA))
    assert "package-29" in "\n".join(migration_lines(found, done, (), CUDA, whole=True))


@pytest.mark.parametrize(
    ("gpu", "container", "says"),
    [
        ("system", True, "Left to the container, which has what this TensorFlow needs"),
        ("system", False, "Left to this machine, which needs CUDA 12.5 and cuDNN 9.3.0.75"),
        ("pip", True, "Replaced by the CUDA wheels that TensorFlow requires"),
        ("pip", False, "Replaced by the CUDA wheels that TensorFlow requires"),
        ("none", False, "Not needed, because TensorFlow runs on the CPU"),
    ],
)
def test_what_replaces_condas_cuda_is_said_by_where_cuda_comes_from(
    gpu: GpuChoice, container: bool, says: str
) -> None:
    found = conda("python=3.12", "tensorflow=2.18", "cudatoolkit", "cudnn")
    cuda = cuda_origin(plan_for(gpu), container=container)
    assert f"  {says} (2): cudatoolkit, cudnn" in migration_lines(found, classify(found), (), cuda)
