"""What a declared environment needs beyond TensorFlow's own line: marked requirements.

TensorFlow's wheels for some platforms hold nothing but a requirement on another distribution, and
one of its dependencies has no wheel of its newest version everywhere. Locks show neither reliably,
because Poetry reads one wheel's metadata for all. So both are written into pyproject.toml, in
standard requirements with markers, where every tool reads the same.

Everything here is pure: lines are derived from a release and the cells it is wanted in, compared
with what a project has by meaning (markers are evaluated in cells, constraints are asked what they
admit), and what differs becomes edits.
"""

from __future__ import annotations

from poetry_tf.platforms.bounds import old_bounds_edits, unbounded
from poetry_tf.platforms.needs import Need, missing, superfluous, unlocked

__all__ = ["Need", "missing", "old_bounds_edits", "superfluous", "unbounded", "unlocked"]
