"""``poetry tf allow``: the hosts on the local network that projects may name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cleo.helpers import argument
from cleo.io.inputs.argument import Argument

from poetry_tf.commands.base import TensorFlowCommand, plain
from poetry_tf.files.documents import DocumentError
from poetry_tf.files.errors import ProjectError
from poetry_tf.files.project import FileReader
from poetry_tf.files.toml import parse_toml
from poetry_tf.files.values import KeyPath
from poetry_tf.http.addresses import allowed_hosts, host_entry
from poetry_tf.index.config import LOCAL_HOSTS, local_hosts, shown_path, user_settings_file
from poetry_tf.index.mirrors import is_public, parse_mirror
from poetry_tf.index.resolve import may_name
from poetry_tf.plan.model import PlanError
from poetry_tf.text import format_list


class AllowCommand(TensorFlowCommand):
    name = "tf allow"
    description = "Lets projects name hosts on your local network."
    arguments: ClassVar[list[Argument]] = [
        argument("host", "HOST, HOST:PORT, or a URL that has the host.", multiple=True)
    ]
    examples: ClassVar[Mapping[str, str]] = {
        "poetry tf allow pypi.lan:8080": "let projects use this server",
    }
    help = """\
A cloned project may name a mirror in its <comment>poetry.toml</>, and registries in its container \
file. poetry-tf contacts those on this machine or on your local network only if you allow the \
host, because the author of the project can't reach it. Your own mirrors are allowed.

Writes <comment>local-hosts</> under <comment>[tf]</> into Poetry's <comment>config.toml</>. \
Without a port, 80 and 443 are allowed. No password is sent to these hosts.
"""

    def act(self) -> int:
        words: list[str] = self.argument("host")
        hosts = [host_entry(word) if "://" in word else word for word in words]
        for word, host in zip(words, hosts, strict=True):
            if not _is_host(host):
                remedy = "Give HOST, HOST:PORT or a URL, for example pypi.lan:8080."
                raise PlanError(f"{word!r} is not a host", remedy)
        allow_hosts(self, hosts)
        return 0


def _is_host(text: str) -> bool:
    """Whether an entry is a host with or without a port; a small number alone is a port."""
    is_port = text.isdecimal() and int(text) < 1 << 16
    names = {name for name, _ in allowed_hosts(text)}
    return all(names or {""}) and not is_port and not {*"/@"} & {*text}


def allow_mirrors(command: TensorFlowCommand, value: str) -> None:
    """Allows the local hosts of mirrors that the user names for a project."""
    urls = [mirror.url for mirror in parse_mirror(value).mirrors if not is_public(mirror)]
    if hosts := [host_entry(url) for url in urls if not may_name(url)]:
        allow_hosts(command, hosts)


def allow_hosts(command: TensorFlowCommand, hosts: Sequence[str]) -> None:
    """Adds hosts to those that projects may name on this machine."""
    file = user_settings_file()
    write_setting(command, file, None, LOCAL_HOSTS, [*dict.fromkeys((*local_hosts(), *hosts))])
    command.line_error(plain(f"Projects may name {format_list(hosts)} ({shown_path(file)})"))


def write_setting(
    command: TensorFlowCommand, file: Path, root: Path | None, path: KeyPath, value: Any
) -> None:
    """Writes a setting into a file of the project at `root`, or of the user."""
    # A settings file is often a link into a folder of such files.
    real = file.resolve()
    if root is None:
        try:
            real.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(real.parent, f"could not be created: {error.strerror}") from None
    base = real.parent if root is None else root
    command.recover(base)
    target, reader = real if root is None else file, FileReader()
    document = parse_toml(file, reader.read(target) or "")
    try:
        changed = document.set(path, value)
    except DocumentError as error:
        position = error.position or document.nearest(path)
        raise ProjectError(file, error.message, position) from None
    is_new = not real.exists()
    command.write_files(base, {target: changed.text}, reader.files)
    if is_new and root is None:
        real.chmod(0o600)  # as Poetry makes it: it may hold passwords
