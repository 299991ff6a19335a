"""What `tf init --from` prints of a list."""

from __future__ import annotations

from poetry_tf.commands.init_output import migration_lines
from tests.migration.lists import classify, conda, pip


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
    whole = migration_lines(found, done, ("Python 3.9 becomes 3.10: why",), whole=True)
    text = "\n".join(whole)
    assert text.startswith("From environment.yml, 8 packages:\n  Python 3.9 becomes 3.10: why\n")
    for name in ("numpy", "cudnn", "mkl", "opencv is opencv-python-headless", "pip"):
        assert name in text
    assert [line.written for line in done.undecided] == ["anaconda"]


def test_a_name_that_is_not_known_is_carried_over_and_named() -> None:
    found = conda("numpy", "something-new", "built-one=1.0=py310_0", "opencv")
    done = classify(found)
    lines = [*migration_lines(found, done, ())]
    assert "  Assumed to have the same name on PyPI (1): something-new" in lines
    of_pip = pip("something-new")
    done = classify(of_pip)
    assert not any("same name" in line for line in migration_lines(of_pip, done, ()))


def test_long_lists_are_cut_unless_all_is_asked_for() -> None:
    entries = [f"package-{number}" for number in range(30)]
    found = conda(*entries)
    done = classify(found)
    assert "and 24 more (all with -v)" in "\n".join(migration_lines(found, done, ()))
    assert "package-29" in "\n".join(migration_lines(found, done, (), whole=True))
