from __future__ import annotations

import pytest

from poetry_tf.releases.reader import refresh


@pytest.mark.index
def test_the_shipped_data_is_what_the_index_says(capsys):
    """From the cache where there is one: 3 s, else 100 MB."""
    status = refresh.main(["--check"])
    told = capsys.readouterr().err
    assert status == 0, told
    assert "up to date" in told
