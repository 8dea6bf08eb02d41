"""Which congestion control decides is a setting."""

from __future__ import annotations

from peerix.core.sctp import NewReno, SctpConfig
from tests.core.sctp.pairs import START, Pair


class TwoPackets(NewReno):
    """Never more than two packets in flight."""

    def __init__(self, packet_size: int) -> None:
        super().__init__(packet_size)
        self.cwnd = 2 * packet_size

    def receive_acked(self, *_ignored: object, **_named: object) -> None:
        """Whatever arrives, the window stays."""

    def set_packet_size(self, packet_size: int) -> None:
        self.cwnd = 2 * packet_size


def test_another_congestion_control_decides_how_much_is_in_flight() -> None:
    pair = Pair(config=SctpConfig(congestion_control=TwoPackets, path_mtu_discovery=False)).connect()
    pair.send(bytes(200_000))
    # The window may be passed by one packet.
    assert 2 <= len(pair.a.association.packets_to_send(START, 64)) <= 3
