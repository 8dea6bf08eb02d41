"""The Binding messages of ICE: built and read (RFC 8445 7.1, 7.2, 7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from peerix.core.ice.candidate import COMPONENT, candidate_priority, local_preference_of
from peerix.core.stun import Message, MessageClass, StunError, parse, response_to
from peerix.core.stun.attributes import (
    ERROR_CODE,
    ICE_CONTROLLED,
    ICE_CONTROLLING,
    PRIORITY,
    UNKNOWN_ATTRIBUTES,
    USE_CANDIDATE,
    USERNAME,
    ErrorCode,
)
from peerix.core.stun.credentials import short_term_key
from peerix.core.stun.signed import write_attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.ice.parameters import IceParameters

BAD_REQUEST = 400
UNKNOWN_ATTRIBUTE = 420
ROLE_CONFLICT = 487
"""RFC 8445 16.2."""

MAX_UNKNOWN_NAMED = 16
"""Unknown attributes that an error response names."""

TIE_BREAKER_LENGTH = 8

MAX_PREPARED = 512
"""Checks whose attributes are kept: those of the pairs in use are the same for hours."""


class Role:
    """Who controls, and the number that decides when both sides think they do (RFC 8445 5.2, 7.3.1.1)."""

    __slots__ = ("_random_bytes", "controlling", "tie_breaker")

    def __init__(self, random_bytes: Callable[[int], bytes], *, controlling: bool) -> None:
        self._random_bytes = random_bytes
        self.controlling = controlling
        self.tie_breaker = int.from_bytes(random_bytes(TIE_BREAKER_LENGTH), "big")

    def switch(self, *, controlling: bool, new_tie_breaker: bool = False) -> None:
        """Take the other role; after a 487 the tie-breaker changes too (RFC 8445 7.2.5.1)."""
        self.controlling = controlling
        if new_tie_breaker:
            self.tie_breaker = int.from_bytes(self._random_bytes(TIE_BREAKER_LENGTH), "big")


@dataclass(frozen=True, slots=True)
class Check:
    """A Binding request of the other side whose signature was verified and which was answered."""

    transaction_id: bytes
    priority: int
    remote_ufrag: str
    use_candidate: bool


def receiving_ufrag(data: bytes) -> str | None:
    """Return the user name fragment that a check is for, None when the datagram is no check.

    A UDP port that many agents share tells by it whose check it is. Nothing is verified: the agent does that.
    """
    try:
        message = parse(data)
    except StunError:
        return None
    names = split_username(message) if message.message_class is MessageClass.REQUEST else None
    return None if names is None else names[0]


def split_username(message: Message) -> tuple[str, str] | None:
    """Return the receiver's and the sender's user name fragment of a request (RFC 8445 7.1.3)."""
    local, separator, remote = (message.get(USERNAME) or "").partition(":")
    return (local, remote) if separator else None


@lru_cache(maxsize=MAX_PREPARED)
def check_attributes(
    username: str, local_priority: int, tie_breaker: int, *, controlling: bool, nominate: bool
) -> bytes:
    """Return the attributes of a connectivity check (RFC 8445 7.1)."""
    # What our candidate would be worth if the other side learns it from this check (RFC 8445 7.1.1).
    priority = candidate_priority("prflx", local_preference_of(local_priority), COMPONENT)
    parts = [
        write_attribute(USERNAME, username),
        write_attribute(PRIORITY, priority),
        write_attribute(ICE_CONTROLLING if controlling else ICE_CONTROLLED, tie_breaker),
    ]
    if nominate:
        parts.append(write_attribute(USE_CANDIDATE, True))
    return b"".join(parts)


def build_error(message: Message, code: int, reason: str, local: IceParameters) -> bytes:
    """Return an error answer to a request."""
    answer = response_to(message, error=True).add(ERROR_CODE, ErrorCode(code, reason))
    if code == UNKNOWN_ATTRIBUTE:
        answer.add(UNKNOWN_ATTRIBUTES, message.unknown_attributes[:MAX_UNKNOWN_NAMED])
    return answer.to_bytes(key=short_term_key(local.pwd))


def resolve_role(message: Message, role: Role) -> tuple[bool, bool]:
    """Compare roles with a request: whether to answer 487, and whether to switch (RFC 8445 7.3.1.1).

    Exactly one side of a conflict switches, whatever the order in which their requests cross.
    """
    theirs = message.get(ICE_CONTROLLING if role.controlling else ICE_CONTROLLED)
    if theirs is None:
        return False, False
    ours_wins = role.tie_breaker >= theirs
    return ours_wins == role.controlling, ours_wins != role.controlling
