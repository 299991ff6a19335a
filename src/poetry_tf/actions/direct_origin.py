"""Reading the packages that a project requires from an address, before it is solved."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cleo.io.null_io import NullIO
from poetry.core.packages.dependency import Dependency
from poetry.puzzle.provider import Provider

from poetry_tf.actions.progress import without_build_warnings
from poetry_tf.actions.solver_failure import first_line

if TYPE_CHECKING:
    from poetry.poetry import Poetry


def address_fault(poetry: Poetry, requirement: str) -> str | None:
    """Why Poetry can't read the package of a requirement with an address; None if it can.

    A file that it downloads for it is kept for the solve, a clone of a repository is not.
    """
    provider = Provider(poetry.package, poetry.pool, NullIO())
    try:
        with (
            tempfile.TemporaryDirectory(prefix="poetry-tf-") as folder,
            provider.use_source_root(Path(folder)),
            without_build_warnings(),
        ):
            provider.search_for_direct_origin_dependency(
                Dependency.create_from_pep_508(requirement)
            )
    except Exception as error:  # the network, Git, builds
        return first_line(error)
    return None
