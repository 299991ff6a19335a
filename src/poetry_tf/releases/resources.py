"""Reads the packaged data files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(name: str, beside: str = __file__) -> dict[str, Any]:
    """The content of a data file, from a folder or a zip.

    `beside` is the `__file__` of a module next to the `data` folder.
    """
    content: dict[str, Any] = json.loads(read_text(name, beside))
    return content


def read_text(name: str, beside: str = __file__) -> str:
    """The text of a data file."""
    # As pkgutil.get_data; importing importlib.resources would take longer than the read.
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(str(Path(beside).parent / "data" / name))
    return data.decode("utf-8")
