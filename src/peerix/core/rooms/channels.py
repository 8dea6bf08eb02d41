"""Who creates which data channel of a connection.

The impolite side creates channels; the polite side asks for them by a control frame and waits until they
arrive. Thus a label that both sides open at the same time is one channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .control import ChannelOptions, write_request

if TYPE_CHECKING:
    from collections.abc import Hashable

MAX_CHANNELS = 256
"""Labels of one connection that the other side can bring into being."""


@dataclass(slots=True)
class CreateChannel:
    """Create the channel, and report it by `handle_channel`."""

    label: str
    options: ChannelOptions


@dataclass(slots=True)
class RequestChannel:
    """Send this frame on the control channel."""

    frame: bytes


ChannelAction: TypeAlias = "CreateChannel | RequestChannel"


class ChannelPlan:
    """The channels of one connection by label.

    :param polite: whether this side is the polite one.
    """

    def __init__(self, *, polite: bool) -> None:
        self._polite = polite
        self._control_open = False
        self._wanted: dict[str, ChannelOptions] = {}
        self._asked: set[str] = set()
        self._existing: dict[str, Hashable] = {}

    def open(self, label: str, options: ChannelOptions) -> list[ChannelAction]:
        """Want a channel. Before the control channel is open this is only noted."""
        self._wanted[label] = options
        return self._bring_about(label, options) if self._control_open else []

    def close(self, label: str) -> None:
        """Want the channel no more; opening it again later makes a new one."""
        self._wanted.pop(label, None)
        self._asked.discard(label)
        self._existing.pop(label, None)

    def handle_control_open(self) -> list[ChannelAction]:
        """Bring about every channel that is wanted."""
        self._control_open = True
        actions: list[ChannelAction] = []
        for label, options in self._wanted.items():
            actions.extend(self._bring_about(label, options))
        return actions

    def handle_request(self, label: str, options: ChannelOptions) -> list[ChannelAction]:
        """The other side asks for a channel; it is not noted for later.

        A polite side should not be asked. It answers by asking in its turn, as browsers do, but once only,
        lest two sides that both think themselves polite never stop.
        """
        return self._bring_about(label, options) if self._has_room else []

    def _bring_about(self, label: str, options: ChannelOptions) -> list[ChannelAction]:
        if label in self._existing or label in self._asked:
            return []
        if not self._polite:
            return [CreateChannel(label, options)]
        self._asked.add(label)
        return [RequestChannel(write_request(label, options))]

    @property
    def _has_room(self) -> bool:
        return len(self._existing) + len(self._asked) < MAX_CHANNELS

    def handle_channel(self, label: str, channel: Hashable) -> bool:
        """`channel`, ours or the other side's, exists now. False when it is one too many: close it.

        A second one with the label replaces the first, which is about to close: the other side has closed and
        opened it again.
        """
        if label not in self._existing and label not in self._asked and not self._has_room:
            return False
        self._asked.discard(label)
        self._existing[label] = channel
        return True

    def handle_channel_closed(self, label: str, channel: Hashable) -> None:
        """`channel` is closed; nothing happens when another one has taken its label."""
        if self._existing.get(label) is channel:
            del self._existing[label]
