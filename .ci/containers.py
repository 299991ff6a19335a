"""Puts the file of every series and mode before the specification and the real container tools.

    python .ci/containers.py --schema FOLDER --cli DEVCONTAINER

With a folder of schemas each file has to be valid by the specification's (jsonschema has to be
there). With the devcontainer CLI each is read by `read-configuration`, and several series of each
mode, one of them in each kind, go through `up`: the engine is a stand-in that records what it is
asked, features come from a registry on this machine. What reaches the features, the engine and the
commands is compared with the plan. Either may be left out.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.version import Version

from poetry_tf.devcontainer.changes import synchronize
from poetry_tf.devcontainer.origin import Origin
from poetry_tf.devcontainer.spec import ContainerSpec
from poetry_tf.files.jsonc import JsoncDocument
from poetry_tf.plan.derive import make_plan
from poetry_tf.plan.model import Plan, PlanError
from poetry_tf.plan.settings import Settings
from poetry_tf.releases import load
from poetry_tf.releases.images import Feature, load_images
from poetry_tf.releases.nvidia import overlooked_folders

IMAGES = load_images()
KINDS = {
    "docker": Settings(),
    "podman": Settings(engine="podman"),
    "gpu-required": Settings(gpu_required=True),
    "registry": Settings(registry=IMAGES.registry),
}
# Where poetry-tf comes from, by the kind.
VERSION = Version("0.1.0")
ORIGINS = {
    "docker": Origin(VERSION),
    "podman": Origin(
        VERSION, "git", f"git+https://example.org/owner/poetry-tf@{'a' * 40}#subdirectory=plugin"
    ),
    "gpu-required": Origin(VERSION, "local", "file:///home/jane/poetry-tf"),
    "registry": Origin(
        VERSION,
        "archive",
        f"https://example.org/poetry_tf-0.1.0-py3-none-any.whl#sha256={'b' * 64}",
    ),
}
# What goes through `up`, by the mode; in every kind where that is the second.
STARTED = {
    "system": ("2.12", "2.18", "2.15", "2.19", "2.21"),
    "pip": ("2.16", "2.18", "2.17", "2.20", "2.21"),
    "none": ("2.8", "2.11", "2.18"),
}
# What the specification's schema is called among those of the folder.
SCHEMA = "devContainer.base.schema.json"


@dataclass(frozen=True)
class Made:
    """A file as `poetry tf devcontainer` writes it."""

    series: str
    kind: str
    wanted: ContainerSpec

    @property
    def text(self) -> str:
        path = Path("project/.devcontainer/devcontainer.json")
        return synchronize(path, JsoncDocument.parse("{}\n"), self.wanted).text

    @property
    def plan(self) -> Plan:
        assert self.wanted.plan is not None
        return self.wanted.plan

    @property
    def is_started(self) -> bool:
        several = STARTED[self.plan.gpu.mode]
        return self.series == several[1] or (self.kind == "docker" and self.series in several)

    @property
    def name(self) -> str:
        return f"{self.series} {self.plan.gpu.mode} {self.kind}"


def every_file() -> Iterator[Made]:
    catalog = load()
    for series in catalog.series[catalog.series.index("2.8") :]:
        release = catalog.newest(series)
        assert release is not None
        for mode in ("system", "pip", "none"):
            try:
                plan = make_plan(catalog, IMAGES, release, Settings(mode), None)
            except PlanError:
                continue
            wanted = ContainerSpec(
                name=f"ci (TensorFlow {series})",
                plan=plan,
                images=IMAGES,
                poetry=Version("2.4.1"),
                poetry_tf=ORIGINS["docker"],
                git_lfs=True,
                whole=True,
            )
            for kind, settings in KINDS.items():
                yield Made(
                    series, kind, replace(wanted, settings=settings, poetry_tf=ORIGINS[kind])
                )


# -- the specification ----------------------------------------------------------------------


def invalid(schema: dict[str, Any], made: Made) -> Iterator[str]:
    import jsonschema

    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in validator.iter_errors(JsoncDocument.parse(made.text).data):
        yield f"{made.name}: {error.json_path}: {error.message}"


# -- the container tools --------------------------------------------------------------------

ENGINE = """\
#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
with open({record!r}, "a") as file:
    file.write(json.dumps(arguments) + "\\n")
    if arguments[:1] == ["build"]:
        for path in pathlib.Path(arguments[-1]).rglob("devcontainer-features.env"):
            file.write(json.dumps(["feature", path.parent.name, path.read_text()]) + "\\n")
image = {{"Id": "sha256:0", "Architecture": "amd64", "Os": "linux", "Config": {{
    "User": "vscode", "Env": ["PATH=/usr/bin"], "Labels": {{}}, "Entrypoint": None}}}}
first = arguments[0] if arguments else ""
if first == "inspect":
    print(json.dumps([image]))
elif first == "info":
    print("nvidia-container-runtime")
elif first in ("version", "-v", "--version"):
    print("24.0.0" if first == "version" else {said!r})
sys.exit(first in ("run", "buildx"))
"""


class Registry(BaseHTTPRequestHandler):
    """As much of a registry as the tools ask for a feature; the features do nothing."""

    def do_GET(self) -> None:
        features = {feature.id.partition("/")[2]: feature for feature in features_used()}
        name, _, rest = self.path.removeprefix("/v2/").partition("/manifests/")
        if rest and name in features:
            self.answer(manifest(features[name]), "application/vnd.oci.image.manifest.v1+json")
            return
        name, _, rest = self.path.removeprefix("/v2/").partition("/blobs/")
        if rest and name in features:
            self.answer(archive(features[name]), "application/octet-stream")
            return
        self.send_error(404)

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def features_used() -> tuple[Feature, ...]:
    return IMAGES.cuda, IMAGES.git_lfs


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def archive(feature: Feature) -> bytes:
    booleans = ("install", "autoPull")
    options = {
        name: {"type": "boolean", "default": False}
        if name.startswith(booleans)
        else {"type": "string", "default": ""}
        for name in feature.options
    }
    about = {"id": feature.name, "version": f"{feature.version}.0.0", "options": options}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (
            ("devcontainer-feature.json", json.dumps(about)),
            ("install.sh", "#!/bin/sh\n"),
        ):
            member = tarfile.TarInfo(f"./{name}")
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content.encode()))
    return stream.getvalue()


def manifest(feature: Feature) -> bytes:
    body = archive(feature)
    layer = {
        "mediaType": "application/vnd.devcontainers.layer.v1+tar",
        "digest": digest(body),
        "size": len(body),
    }
    config = {"mediaType": "application/vnd.devcontainers", "digest": digest(b"{}"), "size": 2}
    kind = "application/vnd.oci.image.manifest.v1+json"
    whole = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
    return json.dumps(whole).encode()


def refused(cli: str, made: Made, port: int, *, up: bool) -> Iterator[str]:
    """What the tools make of a file that is other than it should be."""
    with tempfile.TemporaryDirectory() as raw:
        folder, record = Path(raw) / "project", Path(raw) / "record"
        path = folder / ".devcontainer" / "devcontainer.json"
        path.parent.mkdir(parents=True)
        # Only the registry of the features is another.
        host = IMAGES.cuda.id.partition("/")[0]
        path.write_text(made.text.replace(f'"{host}/', f'"localhost:{port}/'), "utf-8")
        engine = Path(raw) / ("podman" if made.kind == "podman" else "docker")
        said = "podman version 5.0.0" if made.kind == "podman" else "Docker version 24.0.0"
        engine.write_text(ENGINE.format(python=sys.executable, record=str(record), said=said))
        engine.chmod(0o755)
        common = ["--workspace-folder", str(folder), "--docker-path", str(engine)]
        command = [cli, "read-configuration", "--include-merged-configuration", *common]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{made.name}: read-configuration: {done.stderr[-500:]}"
            return
        merged = json.loads(done.stdout)["mergedConfiguration"]
        yield from (f"{made.name}: {fault}" for fault in misread(made, merged))
        if not up:
            return
        options = ["--update-remote-user-uid-default", "off", "--user-data-folder", raw]
        environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
        command = [cli, "up", *options, *common]
        subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        calls = [json.loads(line) for line in record.read_text("utf-8").splitlines()]
        run = next((call for call in calls if call[0] == "run"), None)
        if run is None:
            yield f"{made.name}: up asks the engine for no container: {calls[-3:]}"
            return
        yield from (f"{made.name}: {fault}: {run}" for fault in faults(made, run))
        built = {call[1]: call[2] for call in calls if call[0] == "feature"}
        yield from (f"{made.name}: {fault}" for fault in unheard(made, built))


def misread(made: Made, merged: dict[str, Any]) -> Iterator[str]:
    """What the tools understand otherwise than it is meant."""
    hooks = ("onCreateCommands", "updateContentCommands")
    commands = json.dumps([merged.get(hook) for hook in hooks])
    if f"pipx install poetry=={made.wanted.poetry}" not in commands:
        yield f"Poetry {made.wanted.poetry} is not what is installed: {commands}"
    requirement = made.wanted.poetry_tf.requirement
    if requirement is None and "inject" in commands:
        yield f"poetry-tf is installed, though it can't be had: {commands}"
    elif requirement is not None and f"inject poetry {shlex.quote(requirement)} " not in commands:
        yield f"{requirement} is not what is installed: {commands}"
    # Where poetry-tf is installed, it links the libraries in these folders.
    is_named = made.plan.gpu.mode == "pip" and requirement is None
    folders = overlooked_folders(made.plan.release) if is_named else ()
    site = f"/workspaces/project/.venv/lib/python{made.plan.python}/site-packages/nvidia"
    right = [f"{site}/{folder}/lib" for folder in folders]
    path = merged.get("remoteEnv", {}).get("LD_LIBRARY_PATH", "")
    if path.split(":")[: len(right)] != right or bool(path) != bool(right):
        yield f"LD_LIBRARY_PATH is {path}"


def unheard(made: Made, built: dict[str, str]) -> Iterator[str]:
    """What a feature is given otherwise than it is planned, by the name of its folder."""
    gpu = made.plan.gpu
    wanted = {IMAGES.git_lfs.name: {"AUTOPULL": "false"}}
    if gpu.mode == "system":
        versions = {"CUDAVERSION": str(gpu.cuda), "CUDNNVERSION": str(gpu.cudnn)}
        wanted[IMAGES.cuda.name] = {
            **{"INSTALLTOOLKIT": "true", "INSTALLCUDNN": "true", "INSTALLNVTX": "false"},
            **versions,
        }
    for name, options in wanted.items():
        given = next((text for folder, text in built.items() if folder.startswith(name)), "")
        for option, value in options.items():
            if f'{option}="{value}"' not in given.splitlines():
                yield f"{name} is not told {option}={value}: {given!r}"
    if len(built) != len(wanted):
        yield f"{len(built)} features are installed, not {len(wanted)}"


def faults(made: Made, run: list[str]) -> Iterator[str]:
    """What is wrong with the arguments that an engine gets."""
    text = " ".join(run)
    wants = made.plan.gpu.mode != "none"
    podman = made.kind == "podman"
    if text.count("--gpus") != int(wants and not podman):
        yield "--gpus is there twice or not at all"
    if text.count("nvidia.com/gpu=all") != int(wants and podman):
        yield "Podman is not asked for the GPU as it should be"
    if "poetry-tf-cache" not in text or "poetry-tf-venv-" not in text or "${" in text:
        yield "a volume is missing"
    if "/project/.venv" not in text:
        yield "the environment is elsewhere"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schema", type=Path)
    parser.add_argument("--cli")
    arguments = parser.parse_args()
    made = list(every_file())
    wrong: list[str] = []
    if arguments.schema is not None:
        schema = json.loads((arguments.schema / SCHEMA).read_text("utf-8"))
        wrong += [text for item in made for text in invalid(schema, item)]
    started = 0
    if arguments.cli is not None:
        server = ThreadingHTTPServer(("localhost", 0), Registry)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for item in made:
            up = item.is_started
            if up or item.kind == "docker":
                started += up
                wrong += refused(arguments.cli, item, server.server_port, up=up)
        server.shutdown()
    print("\n".join(wrong))
    print(f"{len(made)} files, {started} started, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
