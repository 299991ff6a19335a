"""Prints the shell block of README.md that stands below the comment ``<!-- run: NAME -->``.

The README's commands are run as they are printed there, so that they can't go stale.
"""

import re
import sys
from pathlib import Path

readme = Path(__file__).parent.parent / "README.md"
name = re.escape(sys.argv[1])
block = re.search(rf"<!-- run: {name} -->\s*```sh\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
if block is None:
    sys.exit(f"README.md has no command {sys.argv[1]}")
sys.stdout.write(block[1])
