"""The data files of a room, as they are shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(name: str, beside: str = __file__) -> dict[str, Any]:
    """The content of the data file of a name, out of a folder or a zip alike.

    `beside` is a module of the room that has the file.
    """
    content: dict[str, Any] = json.loads(read_text(name, beside))
    return content


def read_text(name: str, beside: str = __file__) -> str:
    """The text of the data file of a name."""
    # What pkgutil.get_data does. importlib.resources would take longer to import than a lookup.
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(str(Path(beside).parent / "data" / name))
    return data.decode("utf-8")
