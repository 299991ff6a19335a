"""Makes the data files of `releases` from an index and its wheels."""
