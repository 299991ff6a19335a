"""Poetry's private surface: each place once, each saying when it no longer fits."""
