"""The negotiator: which descriptions a connection has, and what may happen to them next (RFC 9429).

It composes pure functions: `offer` and `answer` make descriptions, `remote` reads and checks those of the
other side, `outcome` says what they mean for the transport. What it keeps beside the four descriptions is
little: everything that a rollback has to undo lives in the pending ones, so that dropping them undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from peerix.core.errors import IceCandidateError, LocalProtocolError, NegotiationError
from peerix.core.jsep.answer import create_answer
from peerix.core.jsep.candidates import find_section, gathered, noted
from peerix.core.jsep.capabilities import MediaCapabilities
from peerix.core.jsep.descriptions import Described, Descriptions
from peerix.core.jsep.needed import media_needed
from peerix.core.jsep.offer import Wanted, create_offer
from peerix.core.jsep.origin import SessionOrigin
from peerix.core.jsep.outcome import InForce, Settled, in_force, local_ufrag, outcome, settle
from peerix.core.jsep.parameters import TrackChanges
from peerix.core.jsep.payload_types import Numbering
from peerix.core.jsep.remote import check_answer, check_credentials, check_offer
from peerix.core.jsep.sections import with_candidates
from peerix.core.jsep.state import Side, SignalingState, next_state
from peerix.core.jsep.transceiver import CreatedBy, Transceiver
from peerix.core.jsep.transceivers import Transceivers
from peerix.core.sdp import Direction, SessionDescription, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerix.core.jsep.capabilities import MediaKind
    from peerix.core.jsep.parameters import Applied, LocalTransport
    from peerix.core.sdp import Description, IceCandidate, MediaSection, SdpType

NO_MEDIA = MediaCapabilities()
"""No codecs: audio and video sections are turned off."""

_MAX_MID_DIGITS = 9


class Negotiator:
    """Makes and applies the descriptions of one connection.

    A description that cannot be applied raises and changes nothing. `random_bytes(n)` gives n random bytes.
    `capabilities` are the codecs and header extensions of our media; without any, media sections are turned off.
    """

    __slots__ = (
        "_capabilities",
        "_created",
        "_data_wanted",
        "_descriptions",
        "_in_force",
        "_mid_floor",
        "_origin",
        "_replaced_ufrag",
        "_settled",
        "_state",
        "_transceivers",
    )

    def __init__(self, *, random_bytes: Callable[[int], bytes], capabilities: MediaCapabilities = NO_MEDIA) -> None:
        self._origin = SessionOrigin(random_bytes)
        self._state = SignalingState.STABLE
        self._descriptions = Descriptions()
        self._settled = Settled()
        self._in_force = InForce()
        self._created: _Created | None = None
        self._data_wanted = False
        self._replaced_ufrag: str | None = None
        self._mid_floor = 0
        self._capabilities = capabilities
        self._transceivers = Transceivers(capabilities, random_bytes)

    @property
    def signaling_state(self) -> SignalingState:
        """Whose offer is waiting for whose answer."""
        return self._state

    @property
    def local_description(self) -> SessionDescription | None:
        """Our latest description, proposed or in force, with the candidates known so far."""
        return _session(self._descriptions.local)

    @property
    def remote_description(self) -> SessionDescription | None:
        """Their latest description, proposed or in force, with the candidates known so far."""
        return _session(self._descriptions.remote)

    @property
    def current_local_description(self) -> SessionDescription | None:
        """Our description that is in force."""
        return _session(self._descriptions.current_local)

    @property
    def current_remote_description(self) -> SessionDescription | None:
        """Their description that is in force."""
        return _session(self._descriptions.current_remote)

    @property
    def pending_local_description(self) -> SessionDescription | None:
        """Our description that is proposed."""
        return _session(self._descriptions.pending_local)

    @property
    def pending_remote_description(self) -> SessionDescription | None:
        """Their description that is proposed."""
        return _session(self._descriptions.pending_remote)

    @property
    def transport_section(self) -> tuple[str | None, int]:
        """Mid and index of the section of ours that speaks for the transport: where our candidates belong.

        ``("0", 0)`` as long as we have no description.
        """
        local = self._descriptions.local
        sections = () if local is None else local.model.media
        on = ((section.mid, index) for index, section in enumerate(sections) if not section.rejected)
        return next(on, ("0", 0))

    @property
    def can_trickle_ice_candidates(self) -> bool | None:
        """Whether the other side takes candidates after its description.

        None before it has said (W3C WebRTC 4.4.2).
        """
        remote = self._descriptions.remote
        if remote is None:
            return None
        owners = (remote.model.attributes, *(section.attributes for section in remote.model.media))
        return any("trickle" in value.split() for owner in owners for value in owner.values("ice-options"))

    @property
    def ice_restart_wanted(self) -> bool:
        """Whether `restart_ice` was called and no offer and answer have fulfilled it yet."""
        return self._replaced_ufrag is not None

    def add_data_section(self) -> None:
        """Ask for a data section: a data channel was created."""
        self._data_wanted = True

    @property
    def transceivers(self) -> tuple[Transceiver, ...]:
        """Those that are not stopped, in the order in which they were made."""
        return tuple(self._transceivers.items)

    def add_transceiver(
        self,
        kind: MediaKind,
        *,
        direction: Direction = Direction.SENDRECV,
        track: str | None = None,
        streams: Sequence[str] = (),
        rids: Sequence[str] = (),
        created_by: CreatedBy = CreatedBy.ADD_TRANSCEIVER,
    ) -> Transceiver:
        """Ask for an audio or video section (W3C WebRTC 5.1).

        `track` and `streams` are the ids that the other side will see, `rids` the names of encodings sent at
        the same time.

        :raises LocalProtocolError: if there is no codec of this kind, a name is not a word, or it is closed.
        """
        if self._state is SignalingState.CLOSED:
            raise LocalProtocolError("the connection is closed")
        if not self._capabilities.codecs_of(kind):
            raise LocalProtocolError(f"there is no codec for {kind}")
        return self._transceivers.add(kind, created_by, direction, track=track, streams=streams, rids=rids)

    def restart_ice(self) -> None:
        """Ask for new ICE credentials with the next offer (W3C WebRTC 4.4.2).

        Nothing to do before the first one.
        """
        if self._descriptions.current_local is not None:
            self._replaced_ufrag = local_ufrag(self._descriptions.current_local.model)

    def negotiation_needed(self) -> bool:
        """Check whether an offer has to be made (W3C WebRTC 4.7.3).

        False in any state but `stable`: ask again when it is reached.
        """
        if self._state is not SignalingState.STABLE:
            return False
        if self.ice_restart_wanted:
            return True
        local = self._descriptions.current_local
        # A data section that the other side turned down still counts: asking again would only be turned down again.
        if self._data_wanted and not (local and any(section.is_data for section in local.model.media)):
            return True
        return media_needed(self._transceivers.items, self._descriptions)

    def create_offer(self, transport: LocalTransport, *, ice_restart: bool = False) -> SessionDescription:
        """Make an offer; `set_local` takes it as it is. Made twice it is the same.

        `transport` holds the credentials that the offer shall have: for an ICE restart those of the restarted
        agent.

        :raises LocalProtocolError: if the signalling state forbids an offer, or an ICE restart brings no new
            credentials.
        """
        self._require(Side.LOCAL, "offer")
        current = self._descriptions.current_local
        restart = ice_restart or self.ice_restart_wanted
        if restart and current is not None and local_ufrag(current.model) == transport.ufrag:
            raise LocalProtocolError("an ICE restart needs new credentials: restart the agent first")
        agreed = self._descriptions.agreed
        mids = count(self._mid_floor)
        in_use = (section for each in agreed if each.active for section in (each.local, each.remote))
        wanted = Wanted(
            self._transceivers,
            Numbering(self._capabilities, in_use),
            data=self._data_wanted,
            next_mid=lambda: str(next(mids)),
        )
        offer = create_offer(agreed, transport, wanted)
        return self._remember("offer", offer.description, offer.assigned)

    def create_answer(self, transport: LocalTransport) -> SessionDescription:
        """Answer the offer that was set; `set_local` takes the answer as it is.

        :raises LocalProtocolError: if there is no remote offer to answer.
        :raises NegotiationError: if the offer asks for what cannot be changed any more.
        """
        self._require(Side.LOCAL, "answer")
        offer = self._descriptions.pending_remote
        assert offer is not None  # the state says so
        answer = create_answer(
            offer.model,
            transport,
            role=self._settled.dtls_role,
            serves=self._serves,
            transceivers=self._transceivers,
        )
        return self._remember("answer", answer)

    def set_local(self, description: SessionDescription | None, transport: LocalTransport) -> Applied:
        """Set our description: the one that was created last, or a rollback.

        None, or a description without SDP, creates what fits the state first (W3C WebRTC 4.4.1.5).

        :raises LocalProtocolError: if the signalling state forbids it, or the SDP is not the one that was
            created last.
        :raises NegotiationError: if an implicit answer cannot be made.
        """
        if description is None or (description.type != "rollback" and not description.sdp):
            description = self._create_implicitly(description, transport)
        state = self._require(Side.LOCAL, description.type)
        if description.type == "rollback":
            return self._rollback()
        created = self._created
        if created is None or not created.is_what(description):
            raise LocalProtocolError("set what create_offer or create_answer gave last, unchanged")
        described = Described(description.type, with_candidates(created.described.model, transport))
        return self._apply(state, Side.LOCAL, described)

    def set_remote(self, description: SessionDescription) -> Applied:
        """Set their description, or roll back. An offer, while ours is pending, rolls ours back first.

        :raises NegotiationError: if the description cannot be read, does not fit ours, or the signalling
            state forbids it.
        """
        state = next_state(self._state, Side.REMOTE, description.type)
        if state is None:
            raise NegotiationError(f"{description.type} from the other side in state {self._state}")
        if description.type == "rollback":
            return self._rollback()
        model = parse(description.sdp)
        if description.type == "offer":
            check_offer(model, self._descriptions.agreed)
        else:
            offer = self._descriptions.pending_local
            assert offer is not None  # the state says so
            check_answer(model, offer.model)
            self._check_credentials(model, offer.model)
        return self._apply(state, Side.REMOTE, Described(description.type, model, description))

    def _check_credentials(self, answer: Description, offer: Description) -> None:
        before = self._descriptions
        previous = before.pending_remote
        if previous is None and before.current_local is not None:
            restarted = local_ufrag(before.current_local.model) != local_ufrag(offer)
            previous = None if restarted else before.current_remote
        if previous is not None:
            check_credentials(answer, previous.model)

    def update_candidates(self, transport: LocalTransport) -> None:
        """Put the candidates gathered so far into our descriptions of the same credentials."""
        self._descriptions = gathered(self._descriptions, transport)

    def add_remote_candidate(self, candidate: IceCandidate) -> bool:
        """Note a candidate in their description, and tell whether it is for the transport that we use.

        One whose ufrag is not in the description is not noted, but is for our transport: it belongs to a
        description that is to come, or was replaced. The empty candidate notes the end of candidates.

        :raises IceCandidateError: if there is no remote description, it has no section of that mid or index,
            or the text is not a line.
        """
        remote = self._descriptions.remote
        if remote is None:
            raise IceCandidateError("a candidate before any remote description")
        index = find_section(remote.model, candidate)
        transport = self._used().transport
        if transport is None or not transport.carries(index, remote.model.media[index]):
            return False
        self._descriptions = noted(self._descriptions, transport.index, candidate)
        return True

    def close(self) -> None:
        """End it: nothing can be created or set any more."""
        self._state = SignalingState.CLOSED

    def _require(self, side: Side, type_: SdpType) -> SignalingState:
        state = next_state(self._state, side, type_)
        if state is None:
            raise LocalProtocolError(f"no {side.value} {type_} in state {self._state}")
        return state

    def _create_implicitly(
        self, description: SessionDescription | None, transport: LocalTransport
    ) -> SessionDescription:
        answering = (SignalingState.HAVE_REMOTE_OFFER, SignalingState.HAVE_LOCAL_PRANSWER)
        type_: SdpType = "answer" if self._state in answering else "offer"
        if description is not None:
            type_ = description.type
        if type_ == "offer":
            return self.create_offer(transport)
        return replace(self.create_answer(transport), type=type_)

    def _remember(
        self, type_: SdpType, description: Description, assigned: Sequence[tuple[int, str | None, Transceiver]] = ()
    ) -> SessionDescription:
        described = Described(type_, self._origin.stamp(description))
        self._created = _Created(described, assigned)
        return described.session

    def _apply(self, state: SignalingState, side: Side, described: Described) -> Applied:
        before = self._descriptions
        implicit_rollback = side is Side.REMOTE and described.type == "offer" and before.pending_local is not None
        after = (before.rolled_back() if implicit_rollback else before).applied(side, described)
        # Everything that may raise comes before the first change.
        settled = settle(self._settled, after, side, described)
        was, now = self._in_force, in_force(after, self._serves)
        applied = outcome(state, was, now, after, settled, rolled_back=implicit_rollback)
        receiving = self._transceivers.receiving
        if described.type != "offer":
            self._transceivers.settle(
                after.answered, now.on, answer_is_ours=side is Side.LOCAL, final=described.type == "answer"
            )
        elif side is Side.REMOTE:
            self._transceivers.take_offer(described.model, now.on)
        elif self._created is not None:
            self._transceivers.propose(self._created.assigned)
        self._settled, self._descriptions, self._state, self._created = settled, after, state, None
        self._in_force = now
        if state is SignalingState.STABLE:
            self._become_stable(after)
        return self._with_tracks(applied, receiving)

    def _with_tracks(self, applied: Applied, before: Sequence[Transceiver]) -> Applied:
        after = self._transceivers.receiving
        added = tuple(transceiver for transceiver in after if transceiver not in before)
        removed = tuple(transceiver for transceiver in before if transceiver not in after)
        if not added and not removed:
            return applied
        return replace(applied, tracks=TrackChanges(added, removed))

    def _used(self) -> InForce:
        """What of their description we use; of an offer, our transceivers decide that each time."""
        offered = self._descriptions.pending_remote is not None
        return in_force(self._descriptions, self._serves) if offered else self._in_force

    def _serves(self, section: MediaSection) -> bool:
        return section.is_data or self._transceivers.serves(section)

    def _become_stable(self, descriptions: Descriptions) -> None:
        local = descriptions.current_local
        if local is None:
            return
        if local_ufrag(local.model) != self._replaced_ufrag:
            self._replaced_ufrag = None
        # A mid is not used again even after its section was recycled: late packets still carry it (RFC 9429
        # 5.2.2).
        for section in local.model.media:
            mid = section.mid or ""
            if mid.isascii() and mid.isdigit() and len(mid) <= _MAX_MID_DIGITS:
                self._mid_floor = max(self._mid_floor, int(mid) + 1)

    def _rollback(self) -> Applied:
        before = self._descriptions
        after = before.rolled_back()
        was, now = self._in_force, in_force(after, self._serves)
        applied = outcome(SignalingState.STABLE, was, now, after, self._settled, rolled_back=True)
        receiving = self._transceivers.receiving
        self._transceivers.roll_back()
        self._descriptions, self._state, self._created = after, SignalingState.STABLE, None
        self._in_force = now
        return self._with_tracks(applied, receiving)


def _session(described: Described | None) -> SessionDescription | None:
    return None if described is None else described.session


@dataclass(frozen=True, slots=True)
class _Created:
    """What was created last, and which transceiver has which section of it."""

    described: Described
    assigned: Sequence[tuple[int, str | None, Transceiver]]

    def is_what(self, description: SessionDescription) -> bool:
        """Tell whether this is the description; an answer may also be set as a provisional one."""
        type_ = "answer" if description.type == "pranswer" else description.type
        return (type_, description.sdp) == (self.described.type, self.described.session.sdp)
