"""The data files of this room, as they are shipped."""

from __future__ import annotations

import json
from typing import Any


def read_json(name: str) -> dict[str, Any]:
    """The content of the data file of a name, out of a folder or a zip alike."""
    # importlib.resources takes longer to import than all of this room. Most names that are looked
    # at need no data, so it is imported when the first data is.
    from importlib.resources import files

    text = files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
