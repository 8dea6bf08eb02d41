"""`python -m peerix` is the command `peerix`."""

from __future__ import annotations

from peerix.cli import main

if __name__ == "__main__":
    main()
