"""The files that index pages list."""

from __future__ import annotations

import pytest

from poetry_tf.index.listed_files import ListedFile, filename_of, package_of


@pytest.mark.parametrize(
    ("url", "filename", "package"),
    [
        ("https://a/b/six-1.0-py3-none-any.whl", "six-1.0-py3-none-any.whl", "six"),
        ("https://a/TF_keras-1.0-py3-none-any.whl.metadata#x=1", None, "tf-keras"),
        (
            "https://a/x%2B1/jax-1.0%2Bcuda-py3-none-any.whl?a=b",
            "jax-1.0+cuda-py3-none-any.whl",
            "jax",
        ),
        ("https://a/absl-py-1.0.tar.gz", "absl-py-1.0.tar.gz", "absl-py"),
        ("https://a/odd-name-1.0.tar.bz2", "odd-name-1.0.tar.bz2", "odd-name"),
        ("https://a/nothing", "nothing", "nothing"),
    ],
)
def test_the_file_and_the_package_of_an_address(
    url: str, filename: str | None, package: str
) -> None:
    name = filename_of(url)
    assert filename is None or name == filename
    assert package_of(name) == package


def test_the_same_file() -> None:
    one = ListedFile("https://a", {"sha256": "00"})
    assert one.is_same_as(ListedFile("https://b", {"sha256": "00", "md5": "11"}))
    assert one.is_same_as(ListedFile("https://b", {}))
    assert not one.is_same_as(ListedFile("https://b", {"sha256": "01"}))
