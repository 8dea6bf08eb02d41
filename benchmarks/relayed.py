"""Signalling whose candidates lead to a relay instead of the end that sends them."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

from benchmarks.wire import Wire

if TYPE_CHECKING:
    from typing import Self

_CANDIDATE = re.compile(r"(candidate:\S+ 1 udp \d+ )(\d+\.\d+\.\d+\.\d+) \d+( typ host.*)", re.IGNORECASE)


class RelayedWire(Wire):
    """Tells the other end one candidate: this end's first host candidate on IPv4, with the port of the relay."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        super().__init__(sock)
        self._port = port
        self._told = False

    @classmethod
    def open(cls, descriptor: int, port: int) -> Self:
        """Take over an inherited descriptor; `port` is the relay's that stands for this end."""
        return cls(socket.socket(fileno=descriptor), port)

    def send(self, kind: str, **fields: str | float | None) -> None:
        """Say something, with other candidates."""
        if kind == "candidate":
            content = json.loads(str(fields["json"]))
            if content is not None:
                changed = self._change(content["candidate"])
                if changed is None:
                    return
                fields["json"] = json.dumps(content | {"candidate": changed})
        elif kind == "description" and "json" in fields:
            content = json.loads(str(fields["json"]))
            fields["json"] = json.dumps(content | {"sdp": self._change_all(content["sdp"])})
        elif kind == "description":
            fields["sdp"] = self._change_all(str(fields["sdp"]))
        super().send(kind, **fields)

    def _change(self, candidate: str) -> str | None:
        found = _CANDIDATE.search(candidate)
        if self._told or found is None:
            return None
        self._told = True
        return f"{found[1]}{found[2]} {self._port}{found[3]}"

    def _change_all(self, sdp: str) -> str:
        lines: list[str] = []
        for line in sdp.splitlines():
            if not line.startswith("a=candidate:"):
                lines.append(line)
            elif (changed := self._change(line)) is not None:
                lines.append("a=" + changed)
        return "\r\n".join(lines) + "\r\n"
