"""A requirement of a list becomes a line of pyproject.toml, and can be loosened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from poetry_tf.files.edits import apply
from poetry_tf.files.project import Project
from poetry_tf.migration.required import Relaxation, line_edits, relax_specifier
from tests.migration.lists import classified_pip


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("https://github.com/me/x.git", {"git": "https://github.com/me/x.git"}),
        ("https://github.com/me/x@v1", {"git": "https://github.com/me/x", "rev": "v1"}),
        ("ssh://git@host/me/x.git", {"git": "ssh://git@host/me/x.git"}),
        ("ssh://git@host/me/x@a/b", {"git": "ssh://git@host/me/x", "rev": "a/b"}),
    ],
)
def test_a_repository_stands_in_poetrys_own_table_as_poetry_has_it(
    tmp_path: Path, address: str, entry: dict[str, str]
) -> None:
    text = '[tool.poetry]\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.10"\n'
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    project = Project.read(tmp_path)
    found = classified_pip(f"git+{address}#egg=x")
    after = apply(project, line_edits(project, found.required))
    assert after.pyproject.data["tool"]["poetry"]["dependencies"]["x"] == entry


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["==", ">=", "<=", "<", ">", "!=", "~="]),
            st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?", fullmatch=True),
        ),
        max_size=3,
    )
)
def test_what_is_looser_is_a_specifier_and_ends_at_nothing(parts: list[tuple[str, str]]) -> None:
    written = ",".join(operator + version for operator, version in parts)
    for relaxation in Relaxation:
        text = relax_specifier(written, relaxation)
        SpecifierSet(text)
        Requirement(f"x ({text})" if text else "x")
    assert relax_specifier(written, Relaxation.ANY) == ""
