"""What the states of a connection mean (W3C WebRTC 4.3.3), in virtual time."""

from __future__ import annotations

from peerix.core.dtls import DtlsState
from peerix.core.ice import IceState
from peerix.core.session import ConnectionState
from tests.support.sessions import SimulatedPeer, negotiate
from tests.support.simnet import Link, Network


def peers() -> tuple[Network, SimulatedPeer, SimulatedPeer]:
    network = Network(seed=1, default=Link(latency=0.05), tick=0.001)
    a, b = SimulatedPeer(network, "a", ["10.1.0.1"]), SimulatedPeer(network, "b", ["10.2.0.1"])
    a.open("chat")
    negotiate(a, b)
    return network, a, b


def test_connected_means_that_dtls_is_too() -> None:
    network, a, _ = peers()
    transport, states = a.session.transport, []
    assert network.run(5, lambda: transport.ice.state in (IceState.CONNECTED, IceState.COMPLETED))
    states.append((transport.dtls.state, a.session.connection_state))
    assert network.run(5, lambda: transport.dtls.state is DtlsState.CONNECTED)
    states.append((transport.dtls.state, a.session.connection_state))
    assert states == [
        (DtlsState.CONNECTING, ConnectionState.CONNECTING),
        (DtlsState.CONNECTED, ConnectionState.CONNECTED),
    ]


def test_dtls_begins_before_a_pair_is_nominated() -> None:
    network, _, b = peers()
    assert network.run(5, lambda: b.session.transport.dtls.state is not DtlsState.NEW)
    assert b.session.transport.ice.selected_pair is None
