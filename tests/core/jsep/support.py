"""Two negotiators and the transports they would have."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from peerix.core.jsep import Applied, LocalTransport, Negotiator
from peerix.core.sdp import Description, Fingerprint, SessionDescription, parse, write

CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.1 5001 typ host"


def make_transport(name: str = "a", *candidates: str, end: bool = False) -> LocalTransport:
    """A transport whose credentials are made of one letter."""
    fingerprint = Fingerprint("sha-256", "AA:BB:CC")
    return LocalTransport(name * 4, name * 24, [fingerprint], candidates, end_of_candidates=end)


class Endpoint:
    """A negotiator with its transport."""

    def __init__(self, name: str = "a", *, data: bool = False) -> None:
        self.negotiator = Negotiator(random_bytes=Random(name).randbytes)
        self.transport = make_transport(name)
        if data:
            self.negotiator.add_data_section()

    def offer(self, *, ice_restart: bool = False) -> SessionDescription:
        """Make an offer and set it."""
        offer = self.negotiator.create_offer(self.transport, ice_restart=ice_restart)
        self.negotiator.set_local(offer, self.transport)
        return offer

    def answer(self, offer: SessionDescription) -> SessionDescription:
        """Take an offer, answer it, and set the answer."""
        self.take(offer)
        answer = self.negotiator.create_answer(self.transport)
        self.negotiator.set_local(answer, self.transport)
        return answer

    def take(self, description: SessionDescription) -> Applied:
        """Set a description of the other side."""
        return self.negotiator.set_remote(description)

    def local(self) -> Description:
        """Our latest description."""
        return model(self.negotiator.local_description)


def negotiate(offerer: Endpoint, answerer: Endpoint) -> tuple[Description, Description]:
    """Do a whole offer and answer; gives both."""
    offer = offerer.offer()
    answer = answerer.answer(offer)
    offerer.take(answer)
    return model(offer), model(answer)


def connected() -> tuple[Endpoint, Endpoint]:
    """Two sides with a data section, the first of which made the offer."""
    a, b = Endpoint("a", data=True), Endpoint("b", data=True)
    negotiate(a, b)
    return a, b


def model(description: SessionDescription | None) -> Description:
    """Read a description."""
    assert description is not None
    return parse(description.sdp)


def edited(description: SessionDescription, *changes: tuple[str, str]) -> SessionDescription:
    """Replace texts, each of which must be there."""
    sdp = description.sdp
    for old, new in changes:
        assert old in sdp, old
        sdp = sdp.replace(old, new)
    return replace(description, sdp=sdp)


def of(type_: str, description: Description) -> SessionDescription:
    """Write a description."""
    return SessionDescription.from_json({"type": type_, "sdp": write(description)})
