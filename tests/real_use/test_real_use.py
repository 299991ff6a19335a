"""Three series and the moves between them; `python -m tests.real_use` tries all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from poetry_tf.releases import load
from tests.real_use.cases import cases, install_and_use, run, set_up
from tests.support.poetry import locked

pytestmark = pytest.mark.index


@pytest.mark.parametrize(
    ("series", "move"),
    [
        ("2.15", ("2.18", "--legacy-keras")),
        ("2.18", (load().series[-1],)),
    ],
)
def test_what_is_locked_works_before_and_after_a_move(
    tmp_path: Path, series: str, move: tuple[str, ...]
) -> None:
    (case,) = cases([series])
    poetry = set_up(tmp_path, case)
    try:
        assert [one for one in install_and_use(poetry, case.companions) if not one.ok] == []
        run(poetry, "tf", "upgrade", "-n", "--mirror", "pypi", *move)
        assert run(poetry, "tf", "check").startswith("All set! ")
        assert locked(poetry.project)["tensorflow"].startswith(f"{move[0]}.")
        legacy = "--legacy-keras" in move
        used = install_and_use(poetry, case.companions, legacy_keras=legacy)
        assert [one for one in used if not one.ok] == []
        assert used[0].text.startswith("2" if legacy else "3"), used[0]
    finally:  # two gigabytes, which pytest would keep
        for path in (tmp_path / "project" / ".venv", tmp_path / "cache"):
            shutil.rmtree(path, ignore_errors=True)
