"""The mirrors of PyPI that have a name here, and what the ``tf.mirror`` setting means."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poetry_tf.index.mirrors import (
    ALIASES,
    AUTO_FALLBACK,
    AUTO_MIRROR,
    MIRRORS,
    Mirror,
    MirrorError,
    MirrorSetting,
    is_in_china,
    parse_mirror,
    without_credentials,
)

OFF = MirrorSetting("off")


def named(*names: str) -> MirrorSetting:
    return MirrorSetting("mirror", tuple(MIRRORS[name] for name in names))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, OFF),
        ("", OFF),
        (False, OFF),
        ("off", OFF),
        ("OFF", OFF),
        (" off ", OFF),
        ("pypi", OFF),
        ("none", OFF),
        ("false", OFF),
        ("auto", MirrorSetting("auto")),
        ("Auto", MirrorSetting("auto")),
        *[(name, named(name)) for name in MIRRORS],
        ("TUNA", named("tuna")),
        *[(name, named(key)) for name, key in ALIASES.items()],
        ("Tsinghua", named("tuna")),
        (["tuna"], named("tuna")),
        (["auto"], MirrorSetting("auto")),
        (["off"], OFF),
        ("tuna,aliyun", named("tuna", "aliyun")),
        (" TUNA , aliyun, ", named("tuna", "aliyun")),
        (["aliyun", "tsinghua"], named("aliyun", "tuna")),
        ("tuna,aliyun,tuna", named("tuna", "aliyun")),
        (["tuna", MIRRORS["tuna"].url.rstrip("/")], named("tuna")),
        ("tuna,pypi", named("tuna")),
        (
            ["https://a.example.com/simple/", "tuna"],
            MirrorSetting(
                "mirror",
                (Mirror("a.example.com", "https://a.example.com/simple/"), MIRRORS["tuna"]),
            ),
        ),
        (
            "https://pypi.example.com/simple/",
            MirrorSetting(
                "mirror", (Mirror("pypi.example.com", "https://pypi.example.com/simple/"),)
            ),
        ),
        (
            " http://pypi.example.com:8080/simple ",
            MirrorSetting(
                "mirror", (Mirror("pypi.example.com", "http://pypi.example.com:8080/simple"),)
            ),
        ),
    ],
)
def test_a_value_means_no_mirror_or_one(value: object, expected: MirrorSetting):
    assert parse_mirror(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        True,
        3,
        [],
        {},
        ",",
        [3],
        ["tuna", None],
        [["tuna"]],
        ["tuna,aliyun"],
        "tuna,nowhere",
        "nowhere,tuna",
        "tuna,auto",
        "off,tuna",
        ["auto", "off"],
        ["pypi", "tuna"],
        "tsinghua-mirror",
        "pypi.example.com/simple",
        "ftp://pypi.example.com/simple",
        "https://",
        "file://",
        "file:simple",
        "file://[/simple",
        "http://[",
        "https://[::1/simple",
        "http://a℀b/simple",
        "https://pypi.example.com:port/simple",
        "https://pypi.example.com:99999/simple",
        "https://pypi.example.com/a simple index",
        "https://pypi.exa\nmple.com/simple",
    ],
)
def test_a_value_that_means_nothing_is_refused_with_what_may_be_written(value: object):
    with pytest.raises(MirrorError) as caught:
        parse_mirror(value)
    for known in ("auto", "off", "URL", *MIRRORS):
        assert known in str(caught.value)


@pytest.mark.parametrize("address", ["https://m{}.example.com/simple/", "/mnt/{}"])
def test_a_list_that_no_one_has_is_refused(address: str):
    most = [address.format(number) for number in range(16)]
    assert parse_mirror(most) == parse_mirror(",".join(most))
    for value in ([*most, "tuna"], ",".join([*most, "tuna"])):
        with pytest.raises(MirrorError, match="a list of 17 mirrors is too long"):
            parse_mirror(value)


def test_what_is_wrong_with_an_address_is_said():
    with pytest.raises(MirrorError, match=r"because it has an IPv6 address that is not"):
        parse_mirror(["tuna", "https://me:pw@[::1/simple"])


@settings(deadline=None)
@given(st.text() | st.text().map("https://{}".format))
@example("https://")
def test_any_text_is_understood_or_refused(value: str):
    try:
        setting = parse_mirror(value)
    except MirrorError:
        return
    assert (setting.kind == "mirror") is bool(setting.mirrors)
    for mirror in setting.mirrors:
        assert mirror.name and mirror.fate


WORDS = st.sampled_from([*MIRRORS, *ALIASES, "https://a.example.com/simple", "auto", "off", "?"])


@given(st.lists(WORDS, min_size=1, max_size=5), st.sampled_from([",", ", ", " ,"]))
def test_a_list_and_a_string_with_commas_mean_the_same(words: list[str], comma: str):
    def meaning(value: object) -> object:
        try:
            return parse_mirror(value)
        except MirrorError as error:
            return str(error)

    setting = meaning(words)
    assert meaning(comma.join(words)) == setting
    if isinstance(setting, MirrorSetting) and setting.kind == "mirror":
        order = [parse_mirror(word).mirrors[0] for word in words]
        assert setting.mirrors == tuple(dict.fromkeys(order))
    elif len(words) > 1:
        assert isinstance(setting, str) and {"auto", "off", "?"} & {*words}


def test_every_mirror_that_has_a_name_is_asked_by_https_for_a_simple_index():
    for mirror in MIRRORS.values():
        parts = urlsplit(mirror.url)
        assert parts.scheme == "https"
        assert parts.path.endswith("/simple/")
        assert mirror.name
    assert AUTO_MIRROR in MIRRORS.values()
    assert AUTO_MIRROR.name == "TUNA (Tsinghua)"
    assert not ALIASES.keys() & MIRRORS.keys()


@pytest.mark.parametrize(
    ("value", "is_there"),
    [
        *((name, True) for name in (*MIRRORS, "auto", "https://pypi.example.cn/simple")),
        *((value, False) for value in ("off", "https://pypi.example.org/simple", "./wheels")),
        (["https://pypi.example.org/simple", "aliyun"], True),
    ],
)
def test_a_mirror_in_china_is_known(value: object, is_there: bool):
    assert is_in_china(parse_mirror(value)) == is_there


def test_what_shares_a_fate_is_known():
    fates = {name: mirror.fate for name, mirror in MIRRORS.items()}
    assert fates["bfsu"] == fates["ustc"] == fates["tuna"] == "tuna"
    assert AUTO_FALLBACK.fate not in {"tuna", "pypi"}
    assert {*fates.values()} <= {*MIRRORS}
    (old,) = parse_mirror("https://pypi.mirrors.ustc.edu.cn/simple").mirrors
    assert old.fate == "tuna"
    (own,) = parse_mirror("https://pypi.example.com/simple").mirrors
    assert own.fate == "pypi.example.com"


SECRET = "https://user:s3cr3t@pypi.example.com:8080/simple/?a=b#c"


def test_the_name_of_a_mirror_holds_no_credentials():
    setting = parse_mirror(SECRET)
    (mirror,) = setting.mirrors
    assert (mirror.name, mirror.url) == ("pypi.example.com", SECRET)


@pytest.mark.parametrize(
    "value",
    [
        *[SECRET.replace("https", scheme) for scheme in ("ftp", "htps", "git+https")],
        SECRET.removeprefix("https://"),
        SECRET.replace("s3cr3t", "s3cr3t/with#odd?ones@"),
        SECRET.replace("8080", "no-port"),
        f"{SECRET} {SECRET}",
        ["nowhere", SECRET],
        [SECRET, SECRET.replace("https", "htps")],
        f"tuna,{SECRET.replace('s3cr3t', 'x,s3cr3t')}",
        {"url": SECRET},
    ],
)
def test_a_refusal_shows_no_credentials(value: object):
    with pytest.raises(MirrorError) as caught:
        parse_mirror(value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_refusal_shows_the_rest_of_an_address():
    with pytest.raises(MirrorError, match=r"^'htps://…@pypi\.example\.com:8080/simple/\?a=b#c' is"):
        parse_mirror(SECRET.replace("https", "htps"))
    with pytest.raises(MirrorError, match=r"^'htps://pypi' is not a mirror"):
        parse_mirror("htps://pypi")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SECRET, "https://pypi.example.com:8080/simple/?a=b#c"),
        ("https://token@pypi.example.com/simple/", "https://pypi.example.com/simple/"),
        ("https://a:b@c@pypi.example.com/simple/", "https://pypi.example.com/simple/"),
        ("https://pypi.example.com/simple/", "https://pypi.example.com/simple/"),
        ("https://pypi.example.com/a@b/", "https://pypi.example.com/a@b/"),
        ("user:s3cr3t@pypi.example.com/simple/", "pypi.example.com/simple/"),
        ("https://user:s3cr3t@[", "https://["),
    ],
)
def test_an_address_is_shown_without_credentials(url: str, shown: str):
    assert without_credentials(url) == shown
