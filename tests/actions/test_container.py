"""A container beside what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from poetry_tf.actions.container import with_container
from poetry_tf.files.edits import changed_texts
from poetry_tf.files.errors import ProjectError
from poetry_tf.plan.model import PlanError
from tests.actions.projects import LEGACY
from tests.made import OLDER, content_hash, found, lock_text, on_disk


def test_a_container_is_written_beside_what_is_there(tmp_path: Path):
    packages = [("tensorflow", "2.13.1"), ("tensorflow-cpu-aws", "2.13.1")]
    lock = lock_text(*packages, poetry="2.2.1", content_hash=content_hash(LEGACY))
    project = on_disk(tmp_path, {"pyproject.toml": LEGACY, "poetry.lock": lock})
    after, plan = with_container(project)
    assert plan.release.version == Version("2.13.1")
    texts = changed_texts(after)
    assert set(texts) == {tmp_path / ".devcontainer" / "devcontainer.json"}
    (text,) = texts.values()
    assert "poetry==2.2.1" in text
    assert found(after) == []
    assert with_container(after)[0] == after


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        ({"pyproject.toml": "[project]"}, PlanError, "The project has no TensorFlow"),
        ({"pyproject.toml": LEGACY, ".devcontainer.json": "["}, ProjectError, "never closed"),
        (
            {"pyproject.toml": LEGACY.replace("~2.13.1", OLDER)},
            PlanError,
            "No TensorFlow release",
        ),
        ({"pyproject.toml": LEGACY.replace(">=3.10,<3.12", "~3.9")}, PlanError, "No dev container"),
    ],
)
def test_where_no_container_can_be_made_the_reason_is_named(
    tmp_path: Path, files: dict[str, str], error: type[Exception], says: str
):
    project = on_disk(tmp_path, files)
    with pytest.raises(error, match=says):
        with_container(project)
