"""What needs Keras 2 where TensorFlow has another Keras, and does not require it.

From TensorFlow 2.16 on Keras 2 is the distribution `tf-keras`. Kept by hand in `data/keras2.json`,
each with its source and the day it was checked.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from poetry_tf.releases.resources import read_entries


@dataclass(frozen=True, slots=True)
class NeedsKeras2:
    """Versions of a distribution that need Keras 2, or refuse it.

    Attributes:
        versions: up to the newest one (`<=0.25`), or to before a later one that does not (`<5`).
        why: what happens without it, as a clause about the distribution.
        as_tf_keras: whether it needs `tf.keras` to be Keras 2, by TF_USE_LEGACY_KERAS. Else it
            imports `tf_keras` itself.
        refuses: whether it is the other way round: it needs `tf.keras` not to be Keras 2.
        later: the release that works beside another Keras, where these do in no way; empty if they
            can.
        extra: the extra of it that requires `tf-keras`; empty if none does.
    """

    name: NormalizedName
    versions: SpecifierSet
    why: str
    source: str
    checked: date
    as_tf_keras: bool = False
    refuses: bool = False
    later: str = ""
    extra: str = ""


@functools.cache
def need_keras_2() -> tuple[NeedsKeras2, ...]:
    """All that is known to need it."""
    return read_entries(NeedsKeras2, "keras2.json", "needs")
