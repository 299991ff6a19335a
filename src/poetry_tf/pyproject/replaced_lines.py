"""The edits by which TensorFlow itself takes the place of a distribution for one platform."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.utils import NormalizedName

from poetry_tf.files.edits import Edit
from poetry_tf.files.project import Project
from poetry_tf.files.requirements import Requirement
from poetry_tf.pyproject.cuda_extra import AND_CUDA
from poetry_tf.pyproject.places import covers, is_installed_with
from poetry_tf.pyproject.requirement_edits import (
    marker_edits,
    remove_edits,
    replace_edits,
    same_list,
)


def replaced_line_edits(
    project: Project, item: Requirement, mains: Sequence[Requirement], name: NormalizedName
) -> tuple[Edit, ...]:
    """The edits that let `name` serve where a requirement on another distribution does.

    `mains` are the requirements on `name` that have the right release. One of them counts there
    already, or its marker is widened; otherwise a requirement with the same marker is written.
    Empty where the file leaves no way to.
    """
    if any(
        is_installed_with(project, main, item) and covers(project, main.marker, item)
        for main in mains
    ):
        return remove_edits(project, [item])
    for main in mains:
        is_same_place = same_list(project, item, main) and same_list(project, main, item)
        if is_same_place and AND_CUDA not in main.extras:
            widened = marker_edits(project, main, str(main.marker.union(item.marker)))
            if widened:
                return (*widened, *remove_edits(project, [item]))
    return replace_edits(project, item, name)
