"""Namespaces of rooms and peers (signatures; bodies follow)."""


def namespace(name: str, *, hashing: bool = True) -> str:
    """The namespace of a room name or of a peer's id text."""
    ...
