"""Long work says that it goes on, and what build backends warn of is not shown."""

from __future__ import annotations

import threading
import warnings

from poetry_tf.actions.progress import told_regularly, without_build_warnings


def test_it_is_told_until_the_work_ends() -> None:
    told: list[int] = []
    twice = threading.Event()

    def tell(seconds: int) -> None:
        told.append(seconds)
        if len(told) == 2:
            twice.set()

    with told_regularly(tell, 0.01):
        assert twice.wait(10)
    count = len(told)
    assert not threading.Event().wait(0.05) and len(told) == count


def test_short_work_says_nothing() -> None:
    told: list[int] = []
    with told_regularly(told.append, 60):
        pass
    assert not told


def test_warnings_of_a_build_are_ignored_and_only_there() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with without_build_warnings():
            warnings.warn("License classifiers are deprecated", UserWarning, stacklevel=1)
        assert not shown
        warnings.warn("mine", UserWarning, stacklevel=1)
    assert [str(item.message) for item in shown] == ["mine"]
