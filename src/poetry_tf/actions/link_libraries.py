"""Links the libraries of NVIDIA's wheels that an installed TensorFlow overlooks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from poetry_tf.releases.installed import LibraryLinks, library_links


def link_libraries(site: Path) -> LibraryLinks:
    """Makes the links that a folder `site-packages` lacks, and removes those it has too many.

    Returns what was done. Two that do this at the same time make the same links. Raises `OSError`
    where the folder or its file system doesn't admit it.
    """
    links = library_links(site)
    for path in links.outdated:
        path.unlink(missing_ok=True)
    for path, target in links.missing.items():
        with suppress(FileExistsError):
            path.symlink_to(target)
    return links
