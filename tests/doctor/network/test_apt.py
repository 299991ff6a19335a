"""Packages of an apt repository: there, gone with what comes nearest, and how much they bring."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.servers import Answer, Server, anywhere, package

from poetry_tf.doctor.network.apt import (
    NoRepository,
    PackageRequest,
    check_packages,
    has_release,
    read_index,
    release_files,
)
from poetry_tf.doctor.network.client import survey_client
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, ReadError

PACKAGES = [
    package("cuda-libraries-12-5", "12.5.1-1", 1, "libcublas-12-5 (>= 12.5.3.2), libc6"),
    package("cuda-libraries-12-8", "12.8.0-1", 1),
    package("libcublas-12-5", "12.5.2.13-1", 300),
    package("libcublas-12-5", "12.5.10.1-1", 400, "cuda-toolkit-config-common | other"),
    package("cuda-toolkit-config-common", "12.5.82-1", 20),
    package("libcudnn9-cuda-12", "9.3.0.75-1", 500),
    package("libcudnn9-cuda-12", "9.10.0.56-1", 600),
    package("libcudnn8", "8.9.7.29-1+cuda12.2", 700),
    package("libcudnn8", "8.9.7.29-1+cuda11.8", 700),
]


@pytest.fixture
def url(server: Server) -> str:
    server.repository("/cuda/", PACKAGES)
    return f"{server.url}/cuda/"


def test_what_is_there_is_counted_with_what_it_brings_along(url: str, client: Client):
    """Of each dependency the newest, by its numbers; what is the distribution's is left out."""
    requests = [
        PackageRequest("cuda-libraries-12-5"),
        PackageRequest("libcudnn9-cuda-12", "9.3.0.75-1"),
    ]
    found = check_packages(url, requests, client)
    assert (found.lacking, found.size, found.files) == ((), 1 + 400 + 20 + 500, 4)
    assert found.largest == f"{url}libcudnn9-cuda-12_9.3.0.75-1_amd64.deb"


@pytest.mark.parametrize(
    ("wish", "nearest"),
    [
        (PackageRequest("libcudnn9-cuda-12", "9.4.0.1-1"), "libcudnn9-cuda-12=9.3.0.75-1"),
        (PackageRequest("libcudnn9-cuda-12", "9.9.0.1-1"), "libcudnn9-cuda-12=9.10.0.56-1"),
        (PackageRequest("libcudnn8", "8.6.0.163-1+cuda11.8"), "libcudnn8=8.9.7.29-1+cuda11.8"),
        (PackageRequest("cuda-libraries-12-4"), "cuda-libraries-12-5"),
        (PackageRequest("cuda-libraries-12-9"), "cuda-libraries-12-8"),
        (PackageRequest("something-else", "1"), ""),
    ],
)
def test_what_is_gone_is_reported_with_what_comes_nearest(
    url: str, client: Client, wish: PackageRequest, nearest: str
):
    assert check_packages(url, [wish], client).lacking == ((wish, nearest),)


def test_a_repository_that_is_gone_is_distinguished_from_one_that_refuses(
    server: Server, client: Client
):
    with pytest.raises(NoRepository):
        check_packages(f"{server.url}/old/", [PackageRequest("a")], client)
    server.answers["/shut/Packages.gz"] = Answer(403)
    with pytest.raises(BadResponse, match="closed to where you are"):
        check_packages(f"{server.url}/shut/", [PackageRequest("a")], client)


@pytest.fixture(scope="module")
def lasting():
    with Server() as server:
        yield server, survey_client(anywhere, 2)


fields = st.sampled_from(["Package: a", "Version: 1", "Size: 9", "Size: x", "Depends: a", "", " z"])


@given(
    body=st.binary()
    | st.binary().map(gzip.compress)
    | st.lists(fields | st.text()).map(lambda lines: gzip.compress("\n".join(lines).encode()))
)
def test_no_index_whatever_is_more_than_an_error(lasting, body: bytes):
    server, client = lasting
    server.answers["/p/Packages.gz"] = Answer(200, body)
    try:
        assert (
            check_packages(
                f"{server.url}/p/", [PackageRequest("a", "2"), PackageRequest("a")], client
            ).size
            >= 0
        )
    except ReadError as error:
        assert "list of packages" in str(error)


@given(st.binary())
def test_an_index_is_read_as_far_as_it_makes_sense(text: bytes):
    for name, entries in read_index(text).items():
        assert all(entry.name == name and entry.version for entry in entries)


def test_a_systems_sources_are_read_in_both_forms():
    texts = {
        "/etc/apt/sources.list": "# deb http://no.test/ x main\n"
        "deb [signed-by=/a b=c] http://a.test/debian bookworm main\n"
        "deb-src http://a.test/debian bookworm main\ndeb cdrom:[x]/ bookworm main\n"
        "deb https://flat.test/repo ./\n",
        "/etc/apt/sources.list.d/x.sources": "Types: deb deb-src\nURIs: http://b.test/d/\n"
        "Suites: one two\nComponents: main\n\nTypes: deb-src\nURIs: http://c.test\nSuites: s\n"
        "\nEnabled: no\nTypes: deb\nURIs: http://e.test\nSuites: s\n",
    }
    assert release_files(texts) == [
        "http://a.test/debian/dists/bookworm/InRelease",
        "https://flat.test/repo/./InRelease",
        "http://b.test/d/dists/one/InRelease",
        "http://b.test/d/dists/two/InRelease",
    ]


@given(st.text(), st.sampled_from(["x.list", "x.sources"]))
def test_any_text_is_read_for_sources(text: str, name: str):
    assert all(url.startswith("http") for url in release_files({name: text}))


def test_a_source_is_there_with_either_form_of_its_release_file(server: Server, client: Client):
    server.answers["/new/InRelease"] = Answer()
    server.answers["/old/Release"] = Answer()
    server.answers["/shut/InRelease"] = Answer(403)
    assert has_release(f"{server.url}/new/InRelease", client)
    assert has_release(f"{server.url}/old/InRelease", client)
    assert not has_release(f"{server.url}/archived/InRelease", client)
    with pytest.raises(BadResponse):
        has_release(f"{server.url}/shut/InRelease", client)
