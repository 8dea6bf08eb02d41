"""SCTP over DTLS (RFC 9260, RFC 8261): `Association` is the whole of it.

One part owns each piece of state: `handshake`, `received` (TSNs and SACKs), `reassembly` and `interleaved`, `inbox`
(order), `window`, `outqueue` (turns), `outstanding` (the scoreboard), `loss` (which chunks are lost), `recovery`
(timers), `flow` (how much may leave, and when: `congestion`, `delivery`, `pacing`), `reliability` (giving up), `writer`
(chunks), `reset`, `heartbeat`, `path_mtu` and `shutdown`. `dispatch` brings chunks to them.
"""

from peerix.core.sctp.association import DEFAULT_PACKET_SIZE, Association
from peerix.core.sctp.config import MAX_MESSAGE_SIZE, MAX_STREAMS, SctpConfig, SctpTimers
from peerix.core.sctp.congestion import ALGORITHMS, Bbr, CongestionControl, Cubic, NewReno, find_algorithm
from peerix.core.sctp.counters import Counters, ReceivedCounters, SentCounters
from peerix.core.sctp.events import (
    AssociationClosed,
    AssociationEstablished,
    AssociationEvent,
    MessageAbandoned,
    MessageReceived,
    MessagesReceived,
    StreamsReset,
    StreamsResetDone,
)
from peerix.core.sctp.path_mtu import is_probe
from peerix.core.sctp.state import AssociationState

__all__ = [
    "ALGORITHMS",
    "DEFAULT_PACKET_SIZE",
    "MAX_MESSAGE_SIZE",
    "MAX_STREAMS",
    "Association",
    "AssociationClosed",
    "AssociationEstablished",
    "AssociationEvent",
    "AssociationState",
    "Bbr",
    "CongestionControl",
    "Counters",
    "Cubic",
    "MessageAbandoned",
    "MessageReceived",
    "MessagesReceived",
    "NewReno",
    "ReceivedCounters",
    "SctpConfig",
    "SctpTimers",
    "SentCounters",
    "StreamsReset",
    "StreamsResetDone",
    "find_algorithm",
    "is_probe",
]
