"""A version constraint, loosened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from poetry_tf.migration.relax import Relaxation, relax_specifier


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
