"""Where poetry-tf was installed from, and what a container then installs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from poetry_tf.devcontainer.origin import Origin, read_origin

VERSION = Version("0.1.0")
COMMIT = "0123456789" * 4
SHA256 = "ab" * 32
WHEEL = "https://example.org/poetry_tf-0.1.0-py3-none-any.whl"


def read(url: Any, **info: Any) -> Origin:
    return read_origin(VERSION, json.dumps({"url": url, **info}), on_pypi=False)


def git(url: Any, commit: Any = COMMIT, **more: Any) -> Origin:
    return read(url, vcs_info={"vcs": "git", "commit_id": commit}, **more)


def archive(url: Any, **info: Any) -> Origin:
    return read(url, archive_info=info)


def test_from_an_index_it_is_named_only_once_it_is_on_pypi():
    assert read_origin(VERSION, None, on_pypi=True).requirement == "poetry-tf==0.1.0"
    assert read_origin(VERSION, None, on_pypi=False).requirement is None


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://github.com/o/poetry-tf", "https://github.com/o/poetry-tf"),
        ("https://jane@github.com/o/poetry-tf.git", "https://github.com/o/poetry-tf.git"),
        ("https://jane:s3cret@git.test:8443/~o/p", "https://git.test:8443/~o/p"),
        ("https://****:****@git.test/o/p", "https://git.test/o/p"),
        ("https://${TOKEN}@git.test/o/p", "https://git.test/o/p"),
        ("https://jane:p@ss@git.test/o/p#frag", "https://git.test/o/p"),
        (
            "https://git.test/o/a b$(x)'\"${localEnv:Y}",
            "https://git.test/o/a%20b%24%28x%29%27%22%24%7BlocalEnv%3AY%7D",
        ),
    ],
)
def test_from_git_by_https_it_is_the_same_commit_without_credentials(url: str, written: str):
    found = git(url)
    assert (found.source, found.url) == ("git", f"git+{written}@{COMMIT}")
    assert found.requirement == f"poetry-tf@git+{written}@{COMMIT}"
    assert Requirement(found.requirement).url == found.url


def test_a_folder_within_the_repository_is_named():
    found = git("https://git.test/o/p", subdirectory="plugins/tf")
    assert found.url == f"git+https://git.test/o/p@{COMMIT}#subdirectory=plugins/tf"
    assert git("https://git.test/o/p", "f" * 64).source == "git"


@pytest.mark.parametrize("info", [{"hashes": {"sha256": SHA256}}, {"hash": f"sha256={SHA256}"}])
def test_an_archive_by_https_keeps_its_hash(info: dict[str, Any]):
    found = archive(WHEEL.replace("//", "//jane:s3cret@", 1), **info)
    assert found.requirement == f"poetry-tf@{WHEEL}#sha256={SHA256}"
    assert Requirement(found.requirement).name == "poetry-tf"


@pytest.mark.parametrize(
    "found",
    [
        read("file:///home/jane/poetry-tf", dir_info={}),
        read("file:///home/jane/poetry-tf", dir_info={"editable": True}),
        archive("file:///home/jane/poetry_tf-0.1.0-py3-none-any.whl", hashes={"sha256": SHA256}),
        git("file:///home/jane/poetry-tf"),
        git("ssh://git@github.com/o/poetry-tf.git"),
        git("git@github.com:o/poetry-tf.git"),
        git("http://git.test/o/p"),
        git("https://localhost/o/p"),
        git("https://127.0.0.1:8080/o/p"),
        git("https://git.test/o/p?private_token=s3cret"),
        git("https://git.test/"),
        git("https://jane:1/s3cret@git.test/o/p"),
        git("https://[::1/o/p"),
        git("https://${localEnv:HOST}/o/p"),
        git("https://git.test/o/p", "main"),
        git("https://git.test/o/p", None),
        git("https://git.test/o/p", subdirectory="a b"),
        git("https://git.test/o/p", subdirectory=3),
        read("https://git.test/o/p", vcs_info={"vcs": "hg", "commit_id": COMMIT}),
        archive(WHEEL),
        archive(WHEEL, hashes={"md5": "ab"}),
        archive(WHEEL, hash="md5=ab"),
        archive(f"{WHEEL}?X-Amz-Signature=s3cret", hashes={"sha256": SHA256}),
        archive("http://example.org/p.whl", hashes={"sha256": SHA256}),
        git(3),
        read(None),
        *(
            read_origin(VERSION, text, on_pypi=True)
            for text in ("", "[]", "{}", "{", "[" * 100_000)
        ),
    ],
    ids=lambda found: found.url,
)
def test_what_a_container_cannot_get_has_no_requirement(found: Origin):
    assert (found.source, found.requirement) == ("local", None)
    assert "s3cret" not in found.url
