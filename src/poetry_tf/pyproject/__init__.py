"""Changes to pyproject.toml: pins, platform lines, bounds, sources."""
