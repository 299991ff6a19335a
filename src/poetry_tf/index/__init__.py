"""Poetry's way to packages, by a mirror or by PyPI."""
