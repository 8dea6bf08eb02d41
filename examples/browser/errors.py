"""What can be missing, in words for the person at the terminal."""

from __future__ import annotations


class SetupError(Exception):
    """Something that the example needs is not there or does not work; the message says what to do."""
