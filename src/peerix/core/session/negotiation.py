"""Descriptions, candidates and what they say of the transport: the W3C side of offer and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.errors import IceCandidateError
from peerix.core.ice import Candidate, CandidateError
from peerix.core.jsep import NO_MEDIA, LocalTransport, Negotiator, SignalingState
from peerix.core.sdp import Fingerprint, IceCandidate, SessionDescription
from peerix.core.session.events import (
    IceGatheringState,
    NegotiationNeeded,
    SessionEvent,
    SignalingStateChanged,
)
from peerix.core.session.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerix.core.ice import IceAgent
    from peerix.core.jsep import Applied, MediaCapabilities

MAX_EARLY_CANDIDATES = 100
"""Remote candidates kept that arrive before the first remote description."""


class Negotiation:
    """What the two sides have agreed on, and what is still to be agreed on.

    :param emit: takes the events.
    :param capabilities: what media are offered and taken.
    :ivar data_agreed: whether there was a data section that both sides have; then SCTP goes on for ever.
    """

    __slots__ = (
        "_early_candidates",
        "_emit",
        "_fingerprints",
        "_ice",
        "_needed",
        "_restart_wanted",
        "closed",
        "data_agreed",
        "gathering",
        "negotiator",
    )

    def __init__(
        self,
        ice: IceAgent,
        fingerprints: Sequence[tuple[str, str]],
        random_bytes: Callable[[int], bytes],
        emit: Callable[[SessionEvent], None],
        capabilities: MediaCapabilities = NO_MEDIA,
    ) -> None:
        self.negotiator = Negotiator(random_bytes=random_bytes, capabilities=capabilities)
        self.gathering = Gathering(ice, self.negotiator, random_bytes, emit)
        self.closed = False
        self.data_agreed = False
        self._ice = ice
        self._fingerprints = [Fingerprint(algorithm, value) for algorithm, value in fingerprints]
        self._emit = emit
        self._needed = False
        self._restart_wanted = False
        self._early_candidates: list[IceCandidate | None] = []

    # -- offer and answer

    def _local_transport(self) -> LocalTransport:
        parameters = self._ice.local_parameters
        return LocalTransport(
            ufrag=parameters.ufrag,
            pwd=parameters.pwd,
            fingerprints=self._fingerprints,
            candidates=[candidate.to_sdp() for candidate in self._ice.local_candidates],
            end_of_candidates=self.gathering.state is IceGatheringState.COMPLETE,
        )

    def create_offer(self, now: float) -> SessionDescription:
        """Make an offer of what is wanted now (RFC 9429 section 5.2)."""
        if self._restart_wanted:
            # New credentials belong to the offer; the old path carries data until the new one is nominated.
            self._restart_wanted = False
            self._ice.restart(now)
        return self.negotiator.create_offer(self._local_transport())

    def create_answer(self) -> SessionDescription:
        """Make an answer to the remote offer (RFC 9429 section 5.3)."""
        return self.negotiator.create_answer(self._local_transport())

    def set_local(self, description: SessionDescription | None, now: float) -> Applied:
        """Apply a local description; None makes the one that the state asks for."""
        before = self.negotiator.signaling_state
        if description is None and self._restart_wanted and before is not SignalingState.HAVE_REMOTE_OFFER:
            self._restart_wanted = False
            self._ice.restart(now)
        applied = self.negotiator.set_local(description, self._local_transport())
        self._after(before)
        return applied

    def set_remote(self, description: SessionDescription) -> Applied:
        """Apply a remote description."""
        before = self.negotiator.signaling_state
        applied = self.negotiator.set_remote(description)
        self._after(before)
        return applied

    def _after(self, before: SignalingState) -> None:
        state = self.negotiator.signaling_state
        if state is not before:
            self._emit(SignalingStateChanged(state))
        if state is SignalingState.STABLE:
            self._needed = False
            self.update_needed()

    @property
    def local_description(self) -> SessionDescription | None:
        """Our description with the candidates known so far."""
        self.negotiator.update_candidates(self._local_transport())
        return self.negotiator.local_description

    def close(self) -> None:
        """End it: nothing is negotiated or needed any more."""
        self.closed = True
        self.negotiator.close()

    def restart_ice(self) -> None:
        """Ask for an ICE restart with the next offer (W3C section 4.4.2)."""
        self._restart_wanted = True
        self.negotiator.restart_ice()
        self.update_needed()

    def update_needed(self) -> None:
        """Say that an offer is needed, once, when there is something to agree on (W3C section 4.7.3)."""
        if self.closed or self.negotiator.signaling_state is not SignalingState.STABLE:
            return
        if not self.negotiator.negotiation_needed():
            self._needed = False
        elif not self._needed:
            self._needed = True
            self._emit(NegotiationNeeded())

    # -- remote candidates

    def add_remote(self, candidate: IceCandidate | None, now: float) -> None:
        """Take a candidate of the other side; None, and one without text, is the end of them.

        :raises IceCandidateError: the text is no candidate.
        """
        if self._ice.remote_parameters is None:
            if len(self._early_candidates) < MAX_EARLY_CANDIDATES:
                self._early_candidates.append(candidate)
            return
        if candidate is not None and not self.negotiator.add_remote_candidate(candidate):
            return  # of a section that was not bundled into our transport
        if candidate is None or not candidate.candidate:
            self._ice.end_of_remote_candidates(now)
            return
        try:
            parsed = Candidate.parse(candidate.candidate)
        except CandidateError as error:
            raise IceCandidateError(str(error)) from error
        if parsed.ufrag is None and candidate.username_fragment:
            parsed = parsed.with_ufrag(candidate.username_fragment)
        self._ice.add_remote_candidate(parsed, now)

    def take_early_candidates(self, now: float) -> None:
        """The remote description has come: use what was kept. A bad one among them loses only itself."""
        early, self._early_candidates = self._early_candidates, []
        for candidate in early:
            try:
                self.add_remote(candidate, now)
            except IceCandidateError:
                continue
