"""A network that can be cut, for the peers of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerix.core.ice import consent
from peerix.rtc.datagram_socket import DatagramSocket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerix import Peer


class Network:
    """The network of this process; while it is cut, every datagram is lost.

    Times are shortened only while it is cut: a connection on a busy machine would miss them.
    """

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._is_cut = False

    def cut(self, *peers: Peer, give_up_after: float | None = None) -> None:
        """Lose everything from now on; everybody notices within half a second.

        :param peers: those who give their present connections up after so many seconds, and not after their
            `connection_timeout`.
        """
        self._is_cut = True
        self.notice_soon(*peers, give_up_after=give_up_after)

    def notice_soon(self, *peers: Peer, give_up_after: float | None = None) -> None:
        """Let everybody notice soon that nobody answers."""
        self._patch.setattr(consent, "DISCONNECTED_AFTER", 0.3)
        self._patch.setattr(consent, "UNANSWERED_GRACE", 0.2)
        if give_up_after is not None:
            for link in (link for peer in peers for link in peer._links()):
                link._watch._timeout = give_up_after

    def mend(self) -> None:
        """Lose nothing any more, and be patient again."""
        self._is_cut = False
        self._patch.undo()

    def carries(self) -> bool:
        """Whether a datagram arrives."""
        return not self._is_cut


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The network that a test may cut."""
    network = Network()
    send = DatagramSocket.send

    def send_or_lose(self: DatagramSocket, destination: tuple[str, int], buffer: bytes, segment_size: int) -> int:
        return send(self, destination, buffer, segment_size) if network.carries() else len(buffer)

    monkeypatch.setattr(DatagramSocket, "send", send_or_lose)
    # Many checks do no harm, and the one that shows the cut comes soon.
    monkeypatch.setattr(consent, "CONSENT_PERIOD", 0.1)
    monkeypatch.setattr(consent, "CHECK_GRID", 0.02)
    yield network
    network.mend()
