"""Poetry's private surface: each place once, each saying when it no longer fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Failed: TypeAlias = Callable[[Exception], None]
"""Takes a failure: raises a refusal where TensorFlow would go unguarded, else reports it once."""

MOVED = (AttributeError, ImportError, TypeError)
"""What Python raises where Poetry has moved something."""


class MovedError(Exception):
    """Something in Poetry is not where poetry-tf expects it."""
