"""Congestion control: one interface, three algorithms, and their names.

`control` has the interface, `newreno` is RFC 9260 section 7.2, `cubic` is RFC 9438, and `bbr` models the path: its
bandwidth and its round trip.
"""

from peerix.core.errors import LocalProtocolError
from peerix.core.sctp.congestion.bbr import Bbr
from peerix.core.sctp.congestion.control import CongestionControl, CongestionControlFactory
from peerix.core.sctp.congestion.cubic import Cubic
from peerix.core.sctp.congestion.newreno import NewReno

ALGORITHMS: dict[str, CongestionControlFactory] = {"bbr": Bbr, "cubic": Cubic, "newreno": NewReno}
"""The controllers by name."""

DEFAULT_ALGORITHM = "bbr"
"""What an association uses that was told nothing else."""


def find_algorithm(name: str) -> CongestionControlFactory:
    """Return the controller of that name.

    :raises LocalProtocolError: there is none.
    """
    found = ALGORITHMS.get(name)
    if found is None:
        known = ", ".join(repr(known) for known in ALGORITHMS)
        message = f"congestion_control is one of {known}, not {name!r}"
        raise LocalProtocolError(message)
    return found


__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHM",
    "Bbr",
    "CongestionControl",
    "CongestionControlFactory",
    "Cubic",
    "NewReno",
    "find_algorithm",
]
