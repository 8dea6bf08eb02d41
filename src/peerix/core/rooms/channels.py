"""Who creates which data channel (signatures; bodies follow)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .control import ChannelOptions


@dataclass(slots=True)
class CreateChannel:
    """create_data_channel(label, ...)."""

    label: str
    options: ChannelOptions


@dataclass(slots=True)
class RequestChannel:
    """Send this frame on the control channel."""

    frame: bytes


ChannelAction: TypeAlias = "CreateChannel | RequestChannel"


class ChannelPlan:
    """The labels of one connection: the impolite side creates, the polite side asks."""

    def __init__(self, *, polite: bool) -> None: ...
    def open(self, label: str, options: ChannelOptions) -> list[ChannelAction]: ...
    def close(self, label: str) -> None: ...
    def handle_control_open(self) -> list[ChannelAction]: ...
    def handle_request(self, label: str, options: ChannelOptions) -> list[ChannelAction]: ...
    def handle_channel(self, label: str) -> bool:
        """A channel of this label exists now (data_channel event). False: one too many, close it."""
        ...

    def handle_channel_closed(self, label: str) -> None: ...
