"""The README as a script: ``python -m tools.readme README.md`` prints what `make fresh` runs.

Every fenced ``sh`` block runs, one after the other, in one shell, as written. A ``python`` block whose first
line is ``# name.py`` is saved under that name first. An HTML comment on the line before a block changes that:

* ``<!-- run: no -->`` leaves the block out;
* ``<!-- run: background -->`` runs it beside the following ones (a second terminal), and it has to end well;
* ``<!-- run: server -->`` the same, and it is stopped at the end.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:<!-- run: (?P<how>\w+) -->\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_FILE = re.compile(r"# (?P<name>\w+\.py)\n")
_WAYS = {"", "no", "background", "server"}


@dataclass(slots=True, frozen=True)
class Block:
    """One fenced block: its language, its text, and how it is to be run."""

    language: str
    text: str
    how: str


def read_blocks(markdown: str) -> list[Block]:
    """Find the fenced blocks.

    :raises ValueError: for a comment that says something else than the ways above.
    """
    blocks = [Block(m["language"], m["text"], m["how"] or "") for m in _BLOCK.finditer(markdown)]
    for block in blocks:
        if block.how not in _WAYS:
            raise ValueError(f"run: {block.how} is none of {sorted(_WAYS)}")
    return blocks


def write_script(blocks: list[Block]) -> str:
    """Make one bash script of the blocks."""
    lines = [
        "set -euo pipefail",
        "waited=() servers=()",
        "trap 'kill \"${servers[@]}\" 2>/dev/null || true' EXIT",
    ]
    for block in blocks:
        text = block.text.rstrip("\n")
        if block.how == "no":
            continue
        if block.language == "python" and (match := _FILE.match(block.text)):
            lines.append(f"cat > {match['name']} <<'END OF FILE'\n{text}\nEND OF FILE")
        elif block.language == "sh" and block.how:
            pids = "waited" if block.how == "background" else "servers"
            lines.append(f"( set -x\n{text}\n) &\n{pids}+=($!)")
        elif block.language == "sh":
            lines.append(f"set -x\n{text}\n{{ set +x; }} 2>/dev/null")
    lines.append('for pid in "${waited[@]}"; do wait "$pid"; done')
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print the script for the named file."""
    sys.stdout.write(write_script(read_blocks(Path(arguments[0]).read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
