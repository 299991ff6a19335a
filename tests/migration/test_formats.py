"""Reading lists: Conda's in each of their forms, pip's, and what is none."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from poetry_tf.files.errors import ProjectError
from poetry_tf.migration import read_list
from poetry_tf.migration.conda import parse_specification
from poetry_tf.migration.decoding import read_list_file
from poetry_tf.migration.entries import EntryLocation, PackageList

YML = Path("environment.yml")
TXT = Path("requirements.txt")
HERE = EntryLocation("environment.yml", 1)


def conda(*entries: str) -> PackageList:
    lines = "".join(f"  - {entry}\n" for entry in entries)
    return read_list(f"name: test\ndependencies:\n{lines}".encode(), YML)


def pip(*lines: str) -> PackageList:
    return read_list("\n".join(lines).encode(), TXT)


def refusal(text: str | bytes, path: Path = YML) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ProjectError) as caught:
        read_list(data, path)
    return str(caught.value)


# Conda's specifications, by its own documentation of what each means.
@pytest.mark.parametrize(
    ("written", "specifier", "build"),
    [
        ("numpy", "", ""),
        ("numpy=1.21", "==1.21.*", ""),
        ("numpy=1.21.5", "==1.21.5", ""),
        ("numpy==1.21.5", "==1.21.5", ""),
        ("numpy 1.21.5", "==1.21.5", ""),
        ("numpy=1.21.*", "==1.21.*", ""),
        ("numpy=1.21.5=py37hf2998dd_0", "==1.21.5", "py37hf2998dd_0"),
        ("numpy 1.21.5 py37hf2998dd_0", "==1.21.5", "py37hf2998dd_0"),
        ("python=3.7.12=hb7a2778_100_cpython", "==3.7.12", "hb7a2778_100_cpython"),
        ("tensorflow=2.5.*=mkl*", "==2.5.*", "mkl*"),
        ("numpy>=1.19,<2", ">=1.19,<2", ""),
        ("numpy >= 1.19 , < 2", ">=1.19,<2", ""),
        ("numpy <2.0.0,>=1.26", "<2.0.0,>=1.26", ""),
        ("numpy >=1.19,<=1.21", ">=1.19,<=1.21", ""),
        ("python ~=3.7", "~=3.7", ""),
        ("numpy!=1.20", "!=1.20", ""),
        ("numpy[version='>=1.19,<2']", ">=1.19,<2", ""),
        ("numpy[version='1.21.5', build=py37_0]", "==1.21.5", "py37_0"),
        ("numpy=*", "", ""),
    ],
)
def test_an_entry_of_condas(written: str, specifier: str, build: str) -> None:
    for channel in ("", "conda-forge::", "sleap/label/dev::"):
        found = parse_specification(channel + written, HERE)
        assert found is not None
        assert (found.name, found.build) == (re.split(r"[^a-z]", written)[0], build)
        assert SpecifierSet(found.specifier) == SpecifierSet(specifier)


def test_what_the_standard_has_no_word_for_is_kept_as_it_was_written() -> None:
    found = parse_specification("numpy=1.19|1.21", HERE)
    assert found is not None
    assert (found.specifier, found.untranslated) == (">=1.19", "=1.19|1.21")
    found = parse_specification("openssl=1.1.1n=h166bdaf_0", HERE)
    assert found is not None
    assert found.specifier == ""
    assert "1.1.1n" in found.untranslated


@given(st.text(max_size=60))
def test_no_entry_of_condas_raises(text: str) -> None:
    found = parse_specification(text, HERE)
    if found is not None:
        SpecifierSet(found.specifier)


def test_an_environment_has_its_lines_and_the_list_of_pips() -> None:
    found = read_list(
        b"name: x\nchannels:\n  - conda-forge\ndependencies:\n  - python=3.9  # why\n"
        b"  - pip:\n      - tensorflow==2.10.0\n      # a comment\n      - 'keras-tuner[all]>=1'\n"
        b"  - numpy\nvariables:\n  SECRET: abc\nprefix: /home/me\n",
        YML,
    )
    assert [(item.name, item.manager, str(item.location)) for item in found.entries] == [
        ("python", "conda", "environment.yml:5"),
        ("tensorflow", "pip", "environment.yml:7"),
        ("keras-tuner", "pip", "environment.yml:9"),
        ("numpy", "conda", "environment.yml:10"),
    ]
    assert found.entries[2].extras == ("all",)
    (actionable,) = [line for line in found.skipped if line.actionable]
    assert "SECRET" in actionable.written
    assert "abc" not in actionable.written + actionable.reason


def test_an_explicit_list_and_an_export_are_read_as_well() -> None:
    explicit = (
        "# This file may be used to create an environment using:\n@EXPLICIT\n"
        "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.21.5-py37hf2998dd_0.tar.bz2#abc\n"
        "https://repo.anaconda.com/pkgs/main/linux-64/python-3.7.12-h1_0.conda\n"
    )
    found = read_list(explicit.encode(), Path("spec-file.txt"))
    assert [(item.name, item.specifier, item.location.line) for item in found.entries] == [
        ("numpy", "==1.21.5", 3),
        ("python", "==3.7.12", 4),
    ]
    export = "# platform: linux-64\nnumpy=1.21.5=py37hf2998dd_0\nflask=2.1.1=pypi_0\n"
    found = read_list(export.encode(), Path("package-list.txt"))
    assert [(item.name, item.manager) for item in found.entries] == [
        ("numpy", "conda"),
        ("flask", "pip"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# packages in environment at /opt/conda/envs/tf:\n#\n"
        "# Name                    Version                   Build  Channel\n"
        "python                    3.10.9               h7a1cb2a_2  \n"
        "numpy                     1.23.5          py310hd5efca6_0    conda-forge\n"
        "tensorflow                2.12.0                   pypi_0    pypi\n",
        'List of packages in environment: "/opt/conda/envs/tf"\n\n'
        "  Name        Version  Build            Channel    \n"
        "─────────────────────────────────────────────────\n"
        "  python      3.10.9   h7a1cb2a_2       conda-forge\n"
        "  numpy       1.23.5   py310hd5efca6_0  conda-forge\n"
        "  tensorflow  2.12.0   pypi_0           pypi       \n",
        "python=3.10.9=h7a1cb2a_2\nnumpy=1.23.5=py310hd5efca6_0\ntensorflow=2.12.0=pypi_0\n",
    ],
    ids=["conda list", "mamba list", "export"],
)
@pytest.mark.parametrize("name", ["packages.txt", "requirements.txt", "standard input"])
def test_what_conda_list_prints_is_read(text: str, name: str) -> None:
    found = read_list(text.encode(), Path(name))
    assert [(item.name, item.specifier, item.manager) for item in found.entries] == [
        ("python", "==3.10.9", "conda"),
        ("numpy", "==1.23.5", "conda"),
        ("tensorflow", "==2.12.0", "pip"),
    ]
    assert text.splitlines()[found.entries[1].location.line - 1].split()[0].startswith("numpy")


def test_a_row_that_is_none_is_named() -> None:
    text = "# Name  Version  Build  Channel\nnumpy  1.23.5  py310_0\nwhat is this line about\n"
    assert refusal(text, TXT).startswith(
        "requirements.txt:3:1: 'what is this line about' is not a row"
    )


def test_requirements_of_pips() -> None:
    found = pip(
        "# what we need",
        "-i https://pypi.tuna.tsinghua.edu.cn/simple",
        "tensorflow[and-cuda]==2.15.1 \\",
        "    --hash=sha256:abc",
        'numpy>=1.22 ; python_version < "3.12"  # why',
        "mylib @ git+https://github.com/me/mylib@v1",
        "git+https://github.com/me/other.git@main#egg=other",
        "-e .",
        "./local/folder",
    )
    tensorflow, numpy, mylib, other = found.entries
    assert (tensorflow.specifier, tensorflow.extras) == ("==2.15.1", ("and-cuda",))
    assert (numpy.marker, numpy.location.line) == ('python_version < "3.12"', 5)
    assert mylib.address == "git+https://github.com/me/mylib@v1"
    assert (other.name, other.address) == ("other", "git+https://github.com/me/other.git@main")
    assert [line.location.line for line in found.skipped] == [2, 8, 9]


def test_files_that_a_list_names_are_read_and_bounds_kept(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("numpy\n-c bounds.txt\n", "utf-8")
    bounds = "numpy<2\npandas<3\nother @ https://a.test/other-1.0-py3-none-any.whl\n"
    (tmp_path / "bounds.txt").write_text(bounds, "utf-8")
    path = tmp_path / "requirements.txt"
    (tmp_path / "empty.txt").write_text("", "utf-8")
    path.write_text("-r base.txt\n-r empty.txt\npandas\n", "utf-8")
    found = read_list(read_list_file(path), path)
    assert [item.written for item in found.entries] == ["numpy", "pandas"]
    assert [item.written for item in found.constraints] == ["numpy<2", "pandas<3"]
    assert [(item.location.line, item.reason) for item in found.skipped] == [
        (3, "a constraint to an address: add it with `poetry add`")
    ]
    path.write_text("numpy\n-r requirements.txt\n", "utf-8")
    with pytest.raises(ProjectError, match=r"requirements.txt:2:1.*read already"):
        read_list(read_list_file(path), path)
    path.write_text("-r absent.txt\n", "utf-8")
    with pytest.raises(
        ProjectError, match=r"requirements.txt:1:1.*absent.txt: the file does not exist"
    ):
        read_list(read_list_file(path), path)


def test_a_password_in_an_address_is_never_repeated() -> None:
    found = pip("thing @ https://me:hunter2@host/thing-1-py3-none-any.whl", "numpy")
    reported = str(found)
    assert [item.name for item in found.entries] == ["numpy"]
    assert "hunter2" not in reported


@pytest.mark.parametrize(
    "address",
    [
        "git+ssh://git@host/me/x.git",
        "ssh://git@host/me/x.git",
        "git+https://host/me/x@v1",
        "git+https://host/me/x@me/branch",
    ],
)
def test_a_user_of_ssh_and_a_reference_are_no_password(address: str) -> None:
    found = pip(f"{address}#egg=x", f"y @ {address}")
    assert [item.name for item in found.entries] == ["x", "y"]
    assert {item.address for item in found.entries} == {address}
    assert not found.skipped


@pytest.mark.parametrize(
    "address", ["git+https://hunter2@host/me/x", "git+ssh://me:hunter2@host/me/x"]
)
@pytest.mark.parametrize("line", ["{}#egg=x", "{}", "x @ {}"])
def test_a_token_and_a_password_of_ssh_are_put_aside_unreported(address: str, line: str) -> None:
    found = pip(line.format(address), "numpy")
    assert [item.name for item in found.entries] == ["numpy"]
    assert len(found.skipped) == 1
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),  # PowerShell's `>`
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: f"# 依赖\n{text}".encode("gbk"),  # what Chinese Windows saves
        lambda text: f"# 依赖\n{text}".encode(),
    ],
)
def test_bytes_of_any_editor_and_shell(encode: object) -> None:
    text = "tensorflow==2.10.0\nnumpy\n"
    found = read_list(encode(text), TXT)  # type: ignore[operator]
    assert [item.name for item in found.entries] == ["tensorflow", "numpy"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "environment.yml: is empty"),
        ("\n\n", "environment.yml: is empty"),
        ("a: [", "environment.yml:1:5"),
        (
            "dependencies:\n\t- numpy\n",
            "environment.yml:2:1: is not YAML: the indentation has a tab",
        ),
        ("name: x\n", "environment.yml:1:1: has no dependencies"),
        ("dependencies: numpy\n", "environment.yml:1:15: dependencies is not a list"),
        ("dependencies:\n  - numpy: 1.2\n", "environment.yml:2:5: 'numpy' is a key"),
        ("dependencies:\n  - '!!'\n", "environment.yml:2:5: '!!' is not an entry for Conda"),
        ("- numpy\n", "environment.yml:1:1: is not an environment file"),
        ("package:\n  name: x\nrequirements:\n", "environment.yml:1:1: is a recipe"),
        ("dependencies:\n  - {{ x }}\n", "environment.yml:2:5: is a template"),
        ("dependencies:\n  - pip:\n    - '=='\n", "environment.yml:3:1: '==' is not a requirement"),
        (b"\xff\xfe\x00", "environment.yml"),
        (b"PK\x03\x04\x80\x81", "environment.yml:1:1: byte 0x80 is not UTF-8"),
        (b"a\x00b", "environment.yml:1:1: contains a zero byte"),
    ],
)
def test_what_is_no_list_is_one_error_with_its_place(text: str | bytes, expected: str) -> None:
    assert refusal(text).startswith(expected)


@pytest.mark.parametrize("name", ["Pipfile", "pyproject.toml", "setup.py", "poetry.lock"])
def test_files_of_other_kinds_are_refused_by_name(name: str) -> None:
    assert refusal("x", Path(name)).startswith(f"{name}: is ")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="the file does not exist"):
        read_list_file(tmp_path / "absent.yml")
    with pytest.raises(ProjectError, match="is a folder"):
        read_list_file(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_one_error(data: bytes) -> None:
    for path in (YML, TXT):
        try:
            found = read_list(data, path)
        except ProjectError:
            continue
        assert all(item.name for item in found.entries)


NAMES = st.sampled_from(["numpy", "pandas", "Pillow", "ruamel_yaml", "opencv"])
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "=", "==", ">="]), VERSIONS), min_size=1))
def test_what_is_written_is_read_line_by_line(entries: list[tuple[str, str, str]]) -> None:
    lines = [
        f"{name}{operator}{version}" if operator else name for name, operator, version in entries
    ]
    found = conda(*lines)
    assert [item.name for item in found.entries] == [name for name, _, _ in entries]
    for item, (_, operator, version) in zip(found.entries, entries, strict=True):
        assert SpecifierSet(item.specifier).contains(version) or not operator


@pytest.mark.parametrize(
    "line",
    [
        "six @ http://[::1/six-1.16.0-py2.py3-none-any.whl",
        "https://me:s3cr3t@host:port/six-1.16.0-py2.py3-none-any.whl",
        "-e git+https://[::1/x.git#egg=x",
    ],
)
def test_a_malformed_address_is_an_error_with_its_line(line: str) -> None:
    said = refusal(f"numpy\n{line}\n", TXT)
    assert said.startswith("requirements.txt:2:1: the address ")
    assert "s3cr3t" not in said
    assert refusal(f"dependencies:\n  - pip:\n    - numpy\n    - {line}\n").startswith(
        "environment.yml:4:"
    )


def test_of_an_explicit_list_the_names_are_read_alone() -> None:
    address = "http://[::1/linux-64/six-1.16.0-pyh6c4a22f_0.tar.bz2"
    found = read_list(f"@EXPLICIT\n{address}\n".encode(), Path("list.txt"))
    assert [entry.name for entry in found.entries] == ["six"]
