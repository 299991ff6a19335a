"""Broken files, made of good ones by chance: of their bytes, or of what they say."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Mapping
from random import Random
from typing import Any

from poetry_tf.files.jsonc import JsoncDocument
from tests.robustness.seeds import SEEDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Bits of the formats, and of what stands in them, that a reader may stumble over.
_TOKENS = [
    *("[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "=", ",", ":", ".", "#", "//", "/*"),
    *("\n", "\r", "\r\n", "\t", "\x00", "\ufeff", "\u2028", "\ud7ff", "\U0001f40d", "\\", "\\u"),
    *("null", "true", "inf", "nan", "-0", "1e999", "1979-05-27T07:32:00Z", "0x10", "9" * 5000),
    *("<<<<<<< HEAD\n", "=======\n", ">>>>>>> x\n", "[" * 300, '{"a":' * 300, "a." * 300),
    *("[tool.poetry-tf]\n", "[project]\n", "[[package]]\n", "[metadata]\n", "tensorflow"),
]
_ODD: list[Any] = [
    *("", " ", "*", "x", "^", "~", ">=", "==*", "2.13", "~2.15.7", "||", ">2,<1", "!=2.15.1", "3"),
    *("tensorflow", "tensorflow[", "tensorflow @ x", "tensorflow==2.13;", "tensorflow; x == 'y'"),
    *("sys_platform == 'win32'", "extra == 'a'", "python_version in '3'", "auto", "none", "TF101"),
    *("http://[::1", "http://pypi.douban.com", "https://pypi.tuna.tsinghua.edu.cn/simple", "\n"),
    *("mcr.microsoft.com/devcontainers/python:3", "pipx install poetry", "poetry install '", "$("),
    *("\x7f", "\u202e", "\u0130", "a" * 3000, "1!2.0.post1.dev0+x.y", "v2", "٣.١", "2" * 400),
    *(0, -1, 1 << 70, 1.5, float("inf"), True, False, [], {}, [[]], [{}], {"": {}}, [None], None),
    *([1, "a", {"b": []}], {"version": 3}, {"version": "*", "markers": 3}, {"path": "../x"}),
]
_KEYS = ["", "tensorflow", "version", "markers", "poetry-tf", "name", "a.b", "x" * 300, "python"]


def mutated(number: int) -> dict[str, bytes]:
    """The files of the project of a number, at least one of them broken; the same every time."""
    random = Random(number)
    seed = random.choice(SEEDS)
    files = {name: text.encode() for name, text in seed.items()}
    for name in random.sample(sorted(files), random.choice((1, 1, 1, 2))):
        if random.random() < 0.5:
            files[name] = mutated_bytes(random, files[name])
        else:
            files[name] = _structure(random, name, seed[name])
    return files


# -- bytes ----------------------------------------------------------------------------------


def mutated_bytes(random: Random, content: bytes) -> bytes:
    """A content with a few stretches of it removed, replaced, repeated or mixed with another."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((1, 1, 2, 5, 20, 200)))
        match random.randrange(7):
            case 0:
                del data[start:end]
            case 1:
                data[start:start] = random.choice(_TOKENS).encode("utf-8", "surrogatepass")
            case 2:
                data[start:end] = random.choice(_TOKENS).encode("utf-8", "surrogatepass")
            case 3:
                data[start:end] = random.randbytes(end - start)
            case 4:
                to = random.randrange(len(data) + 1)
                data[to:to] = data[start:end]
            case 5:
                del data[start:]
            case 6:
                other = random.choice(list(random.choice(SEEDS).values())).encode()
                begin = random.randrange(len(other))
                data[start:end] = other[begin : begin + random.choice((5, 50, 500))]
    return bytes(data)


# -- what they say --------------------------------------------------------------------------


def _structure(random: Random, name: str, text: str) -> bytes:
    is_json = name.endswith(".json")
    data = JsoncDocument.parse(text).data if is_json else tomllib.loads(text)
    data = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        _change(random, data)
    written = json.dumps(data) if is_json else _toml(data)
    first = text.partition("\n")[0] + "\n" if text.startswith("#") else ""
    return (first + written).encode("utf-8", "surrogatepass")


def _change(random: Random, data: Any) -> None:
    box, key = data, None
    while isinstance(box, dict | list) and box:
        parent, key = box, random.choice(list(box) if isinstance(box, dict) else range(len(box)))
        box = parent[key]
        if random.random() < 0.25:
            break
    if key is None:
        return
    match random.randrange(5):
        case 0:
            del parent[key]
        case 1:
            parent[key] = [copy.deepcopy(parent[key])]
        case 2:
            if isinstance(parent, dict):
                parent[random.choice(_KEYS)] = parent.pop(key)
            else:
                parent.append(copy.deepcopy(parent[key]))
        case 3 if isinstance(parent[key], str) and parent[key]:
            text, at = parent[key], random.randrange(len(parent[key]))
            parent[key] = text[:at] + random.choice(_TOKENS) + text[at + random.randrange(3) :]
        case _:
            parent[key] = copy.deepcopy(random.choice(_ODD))


def _toml(data: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in data.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {_value(value[key])}' for key in value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    return (
        '""' if value is None else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    )
