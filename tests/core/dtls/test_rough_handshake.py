"""DTLS handshakes whose flights are several datagrams, on a path that loses, doubles and delays them.

OpenSSL's own timer runs on real time and is the last resort, so this does too.
"""

from __future__ import annotations

import datetime as dt
import time

import pytest

from peerix.core.dtls import Certificate, DtlsRole, DtlsState, OpenSslDtls

NOW = dt.datetime.now(dt.UTC)
CLIENT, SERVER = Certificate.generate(NOW), Certificate.generate(NOW)
DATAGRAMS = 6
"""So many has a handshake at this MTU, all flights together."""
MTU = 400
PATIENCE = 30.0


class Path:
    """Carries datagrams between two ends; something befalls one of them."""

    def __init__(self, victim: int, fate: str) -> None:
        self.client, self.server = OpenSslDtls(CLIENT, mtu=MTU), OpenSslDtls(SERVER, mtu=MTU)
        self.carried = 0
        self._victim = victim
        self._fate = fate
        self._late: list[tuple[OpenSslDtls, bytes]] = []

    def turn(self, now: float) -> None:
        """Carry what is there; what was late comes after it."""
        late, self._late = self._late, []
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            for datagram in sender.datagrams_to_send(now):
                for _ in range(self._copies(receiver, datagram)):
                    receiver.receive(datagram, 0, [], now)
        for receiver, datagram in late:
            receiver.receive(datagram, 0, [], now)

    def _copies(self, receiver: OpenSslDtls, datagram: bytes) -> int:
        self.carried += 1
        if self.carried != self._victim:
            return 1
        if self._fate == "late":
            self._late.append((receiver, datagram))
        return 2 if self._fate == "doubled" else 0

    def connect(self) -> bool:
        """Run until both are connected, and whether they are."""
        started = time.monotonic()
        self.client.start(DtlsRole.CLIENT, SERVER.fingerprints, started)
        self.server.start(DtlsRole.SERVER, CLIENT.fingerprints, started)
        while time.monotonic() - started < PATIENCE:
            now = time.monotonic()
            for end in (self.client, self.server):
                end.handle_timeout(now)
            self.turn(now)
            if self.client.state is self.server.state is DtlsState.CONNECTED:
                return True
            time.sleep(0.001)
        return False


@pytest.mark.parametrize("fate", ["lost", "doubled", "late"])
@pytest.mark.parametrize("victim", range(1, DATAGRAMS + 1))
def test_a_handshake_survives_loss_reordering_and_duplication_of_any_datagram(victim: int, fate: str) -> None:
    path = Path(victim, fate)
    assert path.connect()


def test_a_handshake_has_as_many_datagrams_as_are_tried_above() -> None:
    path = Path(0, "")
    assert path.connect()
    path.turn(time.monotonic())
    assert path.carried == DATAGRAMS
