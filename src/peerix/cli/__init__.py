"""The command `peerix`: chat, files and figures from a terminal."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; never returns. The packages of the extra `cli` are loaded only now."""
    try:
        from peerix.cli.commands import peerix
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in {"click", "rich"}:
            raise
        print(f'the command needs {package}: pip install "peerix[cli]"', file=sys.stderr)
        raise SystemExit(2) from None
    peerix(prog_name="peerix")
