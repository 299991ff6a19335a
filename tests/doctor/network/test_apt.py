"""Packages of an apt repository: there, or gone with what comes nearest."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.servers import Answer, Server, anywhere, package

from poetry_tf.doctor.network.apt import (
    NoRepository,
    PackageRequest,
    missing_packages,
    read_index,
)
from poetry_tf.doctor.network.client import survey_client
from poetry_tf.http.client import Client
from poetry_tf.http.errors import BadResponse, ReadError

PACKAGES = [
    package("cuda-libraries-12-5", "12.5.1-1"),
    package("cuda-libraries-12-8", "12.8.0-1"),
    package("libcudnn9-cuda-12", "9.3.0.75-1"),
    package("libcudnn9-cuda-12", "9.10.0.56-1"),
    package("libcudnn8", "8.9.7.29-1+cuda12.2"),
    package("libcudnn8", "8.9.7.29-1+cuda11.8"),
]


@pytest.fixture
def url(server: Server) -> str:
    server.repository("/cuda/", PACKAGES)
    return f"{server.url}/cuda/"


def test_nothing_is_missing_where_each_package_is_there_in_its_version(url: str, client: Client):
    requests = [
        PackageRequest("cuda-libraries-12-5"),
        PackageRequest("libcudnn9-cuda-12", "9.3.0.75-1"),
    ]
    assert missing_packages(url, requests, client) == ()


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
    assert missing_packages(url, [wish], client) == ((wish, nearest),)


def test_a_repository_that_is_gone_is_distinguished_from_one_that_refuses(
    server: Server, client: Client
):
    with pytest.raises(NoRepository):
        missing_packages(f"{server.url}/old/", [PackageRequest("a")], client)
    server.answers["/shut/Packages.gz"] = Answer(403)
    with pytest.raises(BadResponse, match="block your region"):
        missing_packages(f"{server.url}/shut/", [PackageRequest("a")], client)


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
        requests = [PackageRequest("a", "2"), PackageRequest("a")]
        assert len(missing_packages(f"{server.url}/p/", requests, client)) > 0
    except ReadError as error:
        assert "list of packages" in str(error)


@given(st.binary())
def test_an_index_is_read_as_far_as_it_makes_sense(text: bytes):
    assert all(name and all(versions) for name, versions in read_index(text).items())
