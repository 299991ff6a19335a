"""Prints the shell block of README.md that stands below the comment ``<!-- run: NAME -->``.

The README's commands are run as they are printed there, so that they can't go stale. A block that
stands in both languages has to be the same in both, but for its comments.
"""

import re
import sys
from pathlib import Path

readme = Path(__file__).parent.parent / "README.md"
name = re.escape(sys.argv[1])
block = rf"<!-- run: {name} -->\s*```sh\n(.*?)```"
blocks = re.findall(block, readme.read_text("utf-8"), re.DOTALL)
if not blocks:
    sys.exit(f"README.md has no command {sys.argv[1]}")
if len({re.sub(r" +#.*", "", text) for text in blocks}) > 1:
    sys.exit(f"README.md has different commands {sys.argv[1]}")
sys.stdout.write(blocks[0])
