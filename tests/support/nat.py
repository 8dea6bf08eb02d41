"""Network address translators for the simulated network (RFC 4787, RFC 5780 for their kinds)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]

FIRST_PORT = 30_000


class By(Enum):
    """What a mapping, or a filter, depends on beside the private address."""

    NOTHING = "endpoint-independent"
    HOST = "address-dependent"
    PORT = "address- and port-dependent"

    def key(self, other: Address) -> object:
        """What of the other side's address counts."""
        return {By.NOTHING: None, By.HOST: other[0], By.PORT: other}[self]


@dataclass(slots=True)
class Mapping:
    """A public port that stands for a private address, and who may send to it until when."""

    private: Address
    port: int
    key: object
    used_at: float
    admitted: dict[object, float] = field(default_factory=dict)


@dataclass(slots=True)
class Nat:
    """One translator.

    :ivar public: its address outside.
    :ivar inside: the hosts behind it.
    :ivar mapping: when a private address gets another public port.
    :ivar filtering: who may send in: everybody, hosts that were sent to, or their very ports.
    :ivar hairpin: whether those inside reach each other by their public addresses.
    :ivar timeout: seconds after which it forgets what was not used.
    """

    public: str
    inside: frozenset[str]
    mapping: By = By.NOTHING
    filtering: By = By.PORT
    hairpin: bool = False
    timeout: float = 120.0
    mappings: list[Mapping] = field(default_factory=list)
    next_port: int = FIRST_PORT

    def forget(self) -> None:
        """Lose all mappings, as when it is switched off and on again."""
        self.mappings.clear()

    def translate_out(self, source: Address, destination: Address, now: float) -> Address:
        """A datagram goes out: as whose does the other side see it?"""
        self._expire(now)
        key = self.mapping.key(destination)
        mapping = next((item for item in self.mappings if (item.private, item.key) == (source, key)), None)
        if mapping is None:
            mapping = Mapping(source, self.next_port, key, now)
            self.next_port += 1
            self.mappings.append(mapping)
        mapping.used_at = now
        mapping.admitted[self.filtering.key(destination)] = now
        return self.public, mapping.port

    def translate_in(self, source: Address, port: int, now: float) -> Address | None:
        """A datagram comes to a public port: for whom is it, if it is let in?"""
        self._expire(now)
        for mapping in self.mappings:
            if mapping.port == port and self.filtering.key(source) in mapping.admitted:
                mapping.used_at = now  # RFC 4787 REQ-6 wants outgoing packets to do that; incoming ones may
                return mapping.private
        return None

    def _expire(self, now: float) -> None:
        self.mappings = [item for item in self.mappings if now < item.used_at + self.timeout]
        for item in self.mappings:
            item.admitted = {key: at for key, at in item.admitted.items() if now < at + self.timeout}


KINDS: dict[str, tuple[By, By]] = {
    "full cone": (By.NOTHING, By.NOTHING),
    "address-restricted": (By.NOTHING, By.HOST),
    "port-restricted": (By.NOTHING, By.PORT),
    "symmetric": (By.PORT, By.PORT),
}
"""The old names (RFC 3489): mapping and filtering."""
