"""Uses packages of the environment that runs it, each once: `use.py keras probability ...`.

Writes a line of JSON for each: its name, and what came of it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from typing import Any

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
ADDRESS = re.compile(r"TensorBoard (\S+) at http://[^:]+:(\d+)")


def tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def keras() -> str:
    """Takes one step of training."""
    tf = tensorflow()
    model = tf.keras.Sequential([tf.keras.layers.Input((2,)), tf.keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(tf.zeros((4, 2)), tf.zeros((4, 1)), epochs=1, verbose=0)
    # Keras 2 tells its version in a module of its own.
    return getattr(tf.keras, "__version__", None) or f"2 of TensorFlow {tf.__version__}"


def tensorflow_probability() -> str:
    """Samples a distribution."""
    probability = importlib.import_module("tensorflow_probability")
    assert probability.distributions.Normal(0.0, 1.0).sample(3).shape == (3,)
    return str(probability.__version__)


def tensorflow_hub() -> str:
    """Loads a model of a folder."""
    tf, hub = tensorflow(), importlib.import_module("tensorflow_hub")
    module = tf.Module()
    signature = [tf.TensorSpec([], tf.float32)]
    module.double = tf.function(lambda number: number * 2, input_signature=signature)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        assert float(hub.load(folder).double(tf.constant(2.0))) == 4.0
    return str(hub.__version__)


def tensorflow_text() -> str:
    """Tokenizes a sentence."""
    text = importlib.import_module("tensorflow_text")
    assert text.WhitespaceTokenizer().tokenize(["a b"]).to_list() == [[b"a", b"b"]]
    return str(text.__version__)


def tensorboard() -> str:
    """Starts TensorBoard, and asks it for a page."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--port", "0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            lines = []
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    if found := ADDRESS.search(line):
                        address = f"http://localhost:{found[2]}/data/environment"
                        assert urllib.request.urlopen(address, timeout=60).status == 200
                        return found[1]
            finally:
                process.kill()
    raise RuntimeError("".join(lines[-3:]))


def main() -> None:
    for name in sys.argv[1:]:
        try:
            found, ok = globals()[name.replace("-", "_")](), True
        except Exception as error:
            found, ok = f"{type(error).__name__}: {error}", False
        print(json.dumps([name, ok, found]), flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's own threads may hang at the end
