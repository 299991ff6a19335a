"""Writes what README.md says of the rules, between its markers, from the rules' own docstrings.

    python .ci/rules_page.py [--check]

With `--check` nothing is written, and the status is 1 where the page is out of date.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from poetry_tf.checks.findings import Rule, rules

README = Path(__file__).parent.parent / "README.md"
SECTION = re.compile(r"(?<=<!-- rules: begin -->\n).*?(?=<!-- rules: end -->)", re.DOTALL)


def page() -> str:
    """A table of the rules, and the explanation of each."""
    known = rules()
    return "".join(
        [
            "\n| code | finds | severity | `--fix` |\n| --- | --- | --- | --- |\n",
            *map(row, known),
            "\n",
            *map(explanation, known),
        ]
    )


def row(rule: Rule) -> str:
    mends = "yes" if rule.fixable else "no"
    return f"| [{rule.code}](#{rule.code.lower()}) | {rule.title} | {rule.severity} | {mends} |\n"


def explanation(rule: Rule) -> str:
    title = textwrap.fill(f"**{rule.title}.**", 100)
    paragraphs = [textwrap.fill(text, 100, break_on_hyphens=False) for text in rule.explanation]
    return "\n\n".join([f"#### {rule.code}", title, *paragraphs]) + "\n\n"


def main() -> int:
    text = README.read_text("utf-8")
    new = SECTION.sub(lambda _: page(), text)
    if "--check" in sys.argv[1:]:
        print("up to date" if new == text else "run python .ci/rules_page.py")
        return int(new != text)
    README.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
