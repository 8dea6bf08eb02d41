"""Who a member is (signatures; bodies follow)."""

from __future__ import annotations

from collections.abc import Callable


class Identity:
    id: str
    public_key: bytes

    @classmethod
    def generate(cls, random_bytes: Callable[[int], bytes], *, encryption: bool = True) -> Identity: ...
