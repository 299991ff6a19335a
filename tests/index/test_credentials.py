"""Whose password goes where: decided by addresses alone."""

from __future__ import annotations

import pytest

from poetry_tf.index.credentials import Grant, grant_for, make_grants
from poetry_tf.index.mirrors import MIRRORS, Mirror, parse_mirror

OWN = "https://pypi.example.com/simple"
OTHER = "https://mirror.example.org/simple"


def _mirrors(*urls: str) -> tuple[Mirror, ...]:
    return parse_mirror(list(urls)).mirrors if urls else ()


@pytest.mark.parametrize(
    ("users", "in_force", "holders"),
    [
        ((OWN,), (OWN,), {OWN}),
        ((f"{OWN}/",), (OWN,), {OWN}),
        (("tuna", OWN), ("tuna", OWN), {OWN}),
        ((MIRRORS["tuna"].url.rstrip("/"), OWN), ("tuna", OWN), {OWN}),
        (("tuna", "aliyun"), ("tuna", "aliyun"), set()),
        # A project's own address, alone and beside the user's.
        ((), (OWN,), set()),
        (("tuna",), (OWN,), set()),
        ((OWN,), (OTHER, OWN), {OWN}),
        # The same host is not enough: it may serve many.
        ((OWN,), ("https://pypi.example.com/another/simple",), set()),
        ((OWN, OTHER), (OWN, OTHER), {OWN, OTHER}),
        ((OWN, f"{OWN}/staging"), (OWN, f"{OWN}/staging"), {OWN, f"{OWN}/staging"}),
    ],
)
def test_what_is_kept_for_a_host_is_for_the_addresses_that_the_user_names(
    users: tuple[str, ...], in_force: tuple[str, ...], holders: set[str]
) -> None:
    grants = make_grants(_mirrors(*in_force), _mirrors(*users))
    assert {grant.url for grant in grants if grant.is_users} == holders
    assert all(grant.login is None for grant in grants)


def test_what_stands_in_an_address_is_for_it_whoever_names_it() -> None:
    (grant,) = make_grants(_mirrors("https://me:p%40w@pypi.example.com/simple"), ())
    assert grant == Grant(OWN, login=("me", "p@w"))
    assert "p@w" not in repr(grant)


def test_the_users_login_is_for_the_address_wherever_that_is_set() -> None:
    users = _mirrors("https://me:pw@pypi.example.com/simple/")
    own, other = make_grants(_mirrors(OWN, OTHER), users)
    assert (own.login, other.login) == (("me", "pw"), None)


@pytest.mark.parametrize(
    ("root", "url", "covered"),
    [
        (OWN, "https://pypi.example.com/packages/demo.whl", True),
        (OWN, "https://PYPI.example.com:443/simple/demo/", True),
        (OWN, "http://pypi.example.com/simple/demo/", False),
        (OWN, "https://pypi.example.com:8443/simple/demo/", False),
        (OWN, "https://files.pypi.example.com/demo.whl", False),
        (OWN, "https://pypi.example.com.evil.example/demo.whl", False),
        (OWN, "https://pypi.example.com@evil.example/demo.whl", False),
        (OWN, "https://pypi.example.com:port/demo.whl", False),
        ("http://mirror.lan/simple", "https://mirror.lan/simple/demo/", True),
        ("http://mirror.lan/simple", "https://mirror.lan:8443/simple/demo/", False),
        ("http://mirror.lan:8080/simple", "https://mirror.lan/simple/demo/", False),
    ],
)
def test_an_address_is_covered_on_the_same_host_alone(root: str, url: str, covered: bool) -> None:
    assert (grant_for(url, [Grant(root)]) is not None) is covered


def test_of_several_on_one_host_the_nearest_is_meant_and_then_the_first() -> None:
    first, second = Grant("https://a.example/one/simple"), Grant("https://a.example/two/simple")
    assert grant_for("https://a.example/two/files/demo.whl", [first, second]) == second
    assert grant_for("https://a.example/files/demo.whl", [first, second]) == first
