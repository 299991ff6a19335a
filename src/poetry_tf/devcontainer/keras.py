"""Which Keras `tf.keras` is in a container."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.devcontainer.view import Change, View

VARIABLE: Final = "TF_USE_LEGACY_KERAS"
# The values that TensorFlow takes as true.
_YES: Final = frozenset({"1", "true", "True"})


def legacy_keras(view: View, spec: ContainerSpec) -> Iterator[Change]:
    """The variable that selects Keras 2, where the project chose it."""
    if spec.plan is None or not (spec.whole and spec.plan.legacy_keras):
        return
    # containerEnv applies also where no editor is attached.
    present = view.object("containerEnv").get(VARIABLE)
    if present in _YES:
        return
    seen = f"has {VARIABLE} {present!r}" if present is not None else f"lacks {VARIABLE}"
    yield Change(
        "TF507",
        f"the container {seen}, so tf.keras is not the Keras 2 that the project chose",
        f'Write "containerEnv": {{"{VARIABLE}": "1"}}',
        ("containerEnv", VARIABLE),
        (view.set("containerEnv", VARIABLE, value="1"),),
    )
