"""Offers, answers and candidates of one connection: perfect negotiation by a queue.

Everything that touches the connection's descriptions goes through one queue, one task at a time; so an
incoming offer never lands in the middle of making our own. Two offers that cross are a collision: the
impolite side ignores the other's, the polite side takes its own back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from .candidates import DEBOUNCE, CandidateBatcher
from .control import write_signal
from .descriptions import CandidateInit, SignalDescription
from .signaling import SignalType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .json import JsonValue

MAX_TASKS = 256
"""Descriptions and candidates that wait for their turn; further ones are dropped."""

MAX_PENDING_CANDIDATES = 100
"""Candidates that wait for a first remote description; the oldest goes first."""

MAX_LABELS = 256
"""Streams that the other side can give a label to."""

MAX_LABEL_LENGTH = 1024
"""Characters of a stream's id or label; longer ones are left out."""

STABLE = "stable"


@dataclass(slots=True)
class MakeOffer:
    """Set the implicit local description, then give it to `send_description`."""


@dataclass(slots=True)
class AcceptOffer:
    """Roll back first when told so; set it, set the implicit answer, and give that to `send_description`."""

    description: SignalDescription
    rollback: bool


@dataclass(slots=True)
class AcceptAnswer:
    """Set it as the remote description."""

    description: SignalDescription


@dataclass(slots=True)
class AddCandidate:
    """Add the remote candidate."""

    candidate: CandidateInit


Task: TypeAlias = "MakeOffer | AcceptOffer | AcceptAnswer | AddCandidate"


@dataclass(slots=True)
class SendControl:
    """Send this frame on the control channel."""

    frame: bytes


@dataclass(slots=True)
class SendSignal:
    """Publish it to the remote member."""

    type: SignalType
    payload: Sequence[object]


Output: TypeAlias = "SendControl | SendSignal"

_Item: TypeAlias = "Literal['negotiate'] | SignalDescription | CandidateInit"


class RemoteNegotiation:
    """The negotiation of one connection.

    The shell takes a task by `next_task`, carries it out, and says `task_done`, whatever came of it.

    :param polite: whether this side gives way in a collision.
    :param metadata: our own, sent along with offers over the driver.
    :param debounce: seconds for which local candidates are gathered.
    """

    def __init__(self, *, polite: bool, metadata: object = None, debounce: float = DEBOUNCE) -> None:
        self.polite = polite
        self.control_open = False
        self.remote_labels: dict[str, str] = {}
        """Labels of the remote's streams by stream id, as told with its last offer."""
        self._metadata = metadata
        self._batcher = CandidateBatcher(debounce)
        self._queue: deque[_Item] = deque()
        self._pending: deque[CandidateInit] = deque(maxlen=MAX_PENDING_CANDIDATES)
        self._outputs: list[Output] = []
        self._has_remote_description = False
        self._ignoring = False
        self._busy = False

    def handle_negotiation_needed(self) -> None:
        """The connection wants to offer."""
        if "negotiate" not in self._queue:
            self._enqueue("negotiate")

    def handle_control_open(self) -> None:
        """The control channel is open: from now on it carries everything."""
        self.control_open = True

    def handle_control_closed(self) -> None:
        """The control channel is closed."""
        self.control_open = False

    def handle_description(self, description: SignalDescription, *, labels: JsonValue = None) -> None:
        """An offer or answer came, over the driver or the control channel.

        Labels count at once, even if the offer is ignored later.
        """
        if description.type == "offer" and isinstance(labels, dict):
            self.remote_labels = _read_labels(labels)
        self._enqueue(description)

    def handle_candidate(self, candidate: CandidateInit) -> None:
        """A remote candidate came. An empty one says that there are no more, and is not needed."""
        if candidate.get("candidate"):
            self._enqueue(candidate)

    def _enqueue(self, item: _Item) -> None:
        if len(self._queue) < MAX_TASKS:
            self._queue.append(item)

    def next_task(self, signaling_state: str) -> Task | None:
        """Give what to do now; None while the last task runs, or when there is nothing.

        :param signaling_state: the connection's, by its W3C name.
        """
        if self._busy:
            return None
        if signaling_state == STABLE:
            self._ignoring = False
        while self._queue:
            task = self._task_of(self._queue.popleft(), signaling_state)
            if task is not None:
                self._busy = True
                return task
        return None

    def _task_of(self, item: _Item, signaling_state: str) -> Task | None:
        stable = signaling_state == STABLE
        if item == "negotiate":
            # When not stable the connection asks again by itself as soon as it is.
            return MakeOffer() if stable else None
        if isinstance(item, SignalDescription):
            if item.type == "answer":
                return AcceptAnswer(item)
            if stable or self.polite:
                return AcceptOffer(item, rollback=not stable)
            self._ignoring = True
            self._pending.clear()
            return None
        return self._candidate_task(item)

    def _candidate_task(self, candidate: CandidateInit) -> Task | None:
        if self._ignoring:
            return None
        if not self._has_remote_description:
            self._pending.append(candidate)
            return None
        return AddCandidate(candidate)

    def task_done(self, *, remote_description_set: bool = False) -> None:
        """The task is over.

        :param remote_description_set: it set a remote description, so that candidates are of use.
        """
        self._busy = False
        if remote_description_set:
            self._has_remote_description = True
            self._queue.extendleft(reversed(self._pending))
            self._pending.clear()

    def send_description(self, description: SignalDescription, labels: Mapping[str, str]) -> None:
        """Send our offer or answer. `labels`: of all streams shared with this member, by stream id."""
        is_offer = description.type == "offer"
        content = description.to_json()
        if self.control_open:
            message = [content, dict(labels)] if is_offer else [content]
            self._outputs.append(SendControl(write_signal(message)))
        elif is_offer:
            self._outputs.append(SendSignal(SignalType.OFFER, [content, self._metadata]))
        else:
            self._outputs.append(SendSignal(SignalType.ANSWER, [content]))

    def send_candidate(self, candidate: CandidateInit | None, now: float) -> None:
        """Send a local candidate: at once over the control channel, in batches over the driver.

        None, the end of gathering, is not sent.
        """
        if candidate is None:
            return
        if self.control_open:
            self._outputs.append(SendControl(write_signal([candidate])))
        else:
            self._batcher.push(candidate, now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due."""
        return self._batcher.next_timeout()

    def handle_timeout(self, now: float) -> None:
        """Let a batch of candidates go; over the driver even when the control channel has opened since."""
        batch = self._batcher.take(now)
        if batch:
            self._outputs.append(SendSignal(SignalType.CANDIDATE, batch))

    def poll_outputs(self) -> list[Output]:
        """Take what is to be sent."""
        outputs = self._outputs
        self._outputs = []
        return outputs


def _read_labels(labels: dict[str, JsonValue]) -> dict[str, str]:
    usable = {
        stream: label
        for stream, label in labels.items()
        if isinstance(label, str) and len(label) <= MAX_LABEL_LENGTH and len(stream) <= MAX_LABEL_LENGTH
    }
    return dict(list(usable.items())[:MAX_LABELS])
