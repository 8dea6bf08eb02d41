"""What happens in a room, as lines."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, cast

import anyio

from peerix.cli.presence import CHAT_LABEL
from peerix.cli.readings import Readings
from peerix.cli.text import name_of, one_line, printable, size_text
from peerix.core.errors import EventsLost, PeerixError
from peerix.core.rooms.files import FileInfo, read_file_info
from peerix.events import ChannelErrorEvent, ConnectionEvent, ErrorEvent, MessageEvent, StreamEvent

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerix.cli.file_receiver import FileReceiver
    from peerix.cli.output import Output
    from peerix.core.rooms.json import JsonValue
    from peerix.event_stream import EventStream
    from peerix.events import PeerEvent
    from peerix.remote_peer import RemotePeer

_STATES = {"connected": "is here", "disconnected": "is out of reach", "failed": "is lost", "closed": "has left"}


class RoomView:
    """Shows the events of a room; messages of one remote peer in their order, those of several as they are whole.

    :param files: takes the files, if any are taken
    """

    def __init__(self, output: Output, files: FileReceiver | None, tasks: TaskGroup) -> None:
        self._output = output
        self._files = files
        self._tasks = tasks
        self._last_shown: dict[str, anyio.Event] = {}
        self._readings = Readings()

    async def show(self, events: EventStream[PeerEvent]) -> None:
        """Show events until there are no more."""
        while True:
            try:
                event = await events.receive()
            except EventsLost as error:
                self._output.error(str(error))
                continue
            except anyio.EndOfStream:
                return
            if self._files is not None and await self._files.handle(event):
                continue
            self._show(event)

    def _show(self, event: PeerEvent) -> None:
        if isinstance(event, MessageEvent):
            self._show_message(event)
        elif isinstance(event, ConnectionEvent):
            self._show_state(event)
        elif isinstance(event, StreamEvent):
            self._show_stream(event)
        elif isinstance(event, ChannelErrorEvent | ErrorEvent) and not self._readings.tell(event.error):
            remote = event.remote
            fields: dict[str, object] = {} if remote is None else _fields(remote)
            whose = "" if remote is None else f"{name_of(remote)}: "
            self._output.error(whose + one_line(str(event.error)), kind=str(event.error.code), **fields)

    def _show_state(self, event: ConnectionEvent) -> None:
        state = str(event.state)
        if state in _STATES:
            text = f"{name_of(event.remote)} {_STATES[state]}"
            self._output.remark("connection", text, state=state, **_fields(event.remote))
        if state == "closed":
            self._last_shown.pop(event.remote.id, None)

    def _show_stream(self, event: StreamEvent) -> None:
        kinds = sorted(track.kind for track in event.stream.tracks)
        is_new = event.name == "stream:add"
        does = f"publishes {' and '.join(kinds) or 'a stream'} as" if is_new else "no longer publishes"
        text = f"{name_of(event.remote)} {does} {one_line(event.label)!r}"
        fields = {"state": "added", "kinds": kinds} if is_new else {"state": "removed"}
        self._output.remark("stream", text, label=event.label, **fields, **_fields(event.remote))

    def _show_message(self, event: MessageEvent) -> None:
        file = read_file_info(cast("JsonValue", event.info))
        if file is not None:
            self._show_file(event, file)
            return
        # Each in a task of its own: one that comes slowly must not hold up those of others.
        done = anyio.Event()
        before = self._last_shown.get(event.remote.id)
        self._last_shown[event.remote.id] = done
        self._readings.begin(event.data)
        self._tasks.start_soon(self._read, event, before, done)

    def _show_file(self, event: MessageEvent, file: FileInfo) -> None:
        size = "" if file.size is None else f" ({size_text(file.size)})"
        text = f"{name_of(event.remote)} sends the file {one_line(file.name)!r}{size}; --output takes files"
        self._output.remark("file", text, **file.to_json(), **_fields(event.remote))

    async def _read(self, event: MessageEvent, before: anyio.Event | None, done: anyio.Event) -> None:
        remote = event.remote
        try:
            data, failure = await event.data, None
        except (PeerixError, anyio.ClosedResourceError) as error:
            data, failure = None, error
        self._readings.end(event.data)
        if before is not None:
            await before.wait()
        if failure is None:
            self._show_data(event, data)
        else:
            kind = {"kind": str(failure.code)} if isinstance(failure, PeerixError) else {}
            text = f"a message from {name_of(remote)} failed: {one_line(str(failure))}"
            self._output.error(text, **kind, **_fields(remote))
        done.set()

    def _show_data(self, event: MessageEvent, data: Any) -> None:
        fields = {**_fields(event.remote), "label": event.label, "info": event.info, **_json_data(data)}
        label = "" if event.label == CHAT_LABEL else f" on {one_line(event.label)}"
        self._output.result("message", f"{name_of(event.remote)}{label}: {_text(data)}", **fields)


def _fields(remote: RemotePeer) -> dict[str, object]:
    return {"peer": remote.id, "peer_name": name_of(remote)}


def _json_data(data: Any) -> dict[str, object]:
    if isinstance(data, bytes):
        return {"type": "bytes", "data": base64.b64encode(data).decode()}
    return {"type": "text" if isinstance(data, str) else "json", "data": data}


def _text(data: Any) -> str:
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, bytes):
        return f"({size_text(len(data))} of binary data)"
    return printable(json.dumps(data, ensure_ascii=False))
