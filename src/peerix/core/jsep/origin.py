"""The `o=` line of our descriptions: one session, and a version that grows when the contents do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from peerix.core.sdp import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.sdp import Description

FIRST_VERSION = 2
"""The version of the first description; browsers begin there."""

UNSTAMPED = Origin("-", 0, 0, "IN", "IP4", "127.0.0.1")
"""The origin of a description that is not stamped yet. The address tells nothing (RFC 9429 5.2.1)."""


class SessionOrigin:
    """Stamps descriptions (RFC 9429 5.2.1 and 5.2.2).

    The version does not fall back when an offer is rolled back, and stays while one and the same description
    is made anew, so that asking twice for an offer gives equal ones.
    """

    __slots__ = ("_latest",)

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        # 63 random bits (RFC 9429 5.2.1).
        session_id = int.from_bytes(random_bytes(8), "big") >> 1
        origin = Origin(
            UNSTAMPED.username,
            session_id,
            FIRST_VERSION - 1,
            UNSTAMPED.network_type,
            UNSTAMPED.address_type,
            UNSTAMPED.address,
        )
        self._latest: tuple[Origin, Description | None] = (origin, None)

    def stamp(self, description: Description) -> Description:
        """Give the description with the origin that it shall have."""
        origin, latest = self._latest
        body = description if description.origin is UNSTAMPED else replace(description, origin=UNSTAMPED)
        if body != latest:
            origin = replace(origin, session_version=origin.session_version + 1)
            self._latest = (origin, body)
        return replace(description, origin=origin)
