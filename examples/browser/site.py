"""A web server for the files of the page, and nothing else: GET, no folders, no files but those that are known."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anyio.abc import ByteStream

MAX_HEAD_SIZE = 16384
"""Bytes of a request's head."""

IDLE_LIMIT = 30.0
"""Seconds in which a request must come and an answer be taken."""

_PATTERNS = ("index.html", "style.css", "icon.svg", "app/*.js", "peerix/*.js", "dist/nats-core.js")
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}
_KINDS = {".js": "text/javascript", ".json": "application/json"}


class Site:
    """The files of the page by path.

    :param extra: what is made and not read, by path
    """

    def __init__(self, folder: Path, extra: Mapping[str, bytes]) -> None:
        self._extra = extra
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": path for pattern in _PATTERNS for path in folder.glob(pattern)
        }
        self._files["/"] = self._files["/index.html"]

    async def serve(self, stream: ByteStream) -> None:
        """Answer one browser, request after request."""
        async with stream:
            buffered = BufferedByteReceiveStream(stream)
            try:
                while True:
                    with anyio.fail_after(IDLE_LIMIT):
                        head = await buffered.receive_until(b"\r\n\r\n", MAX_HEAD_SIZE)
                        await stream.send(await self._answer(head))
            except (TimeoutError, OSError, anyio.EndOfStream, anyio.BrokenResourceError):
                return
            except (anyio.IncompleteRead, anyio.DelimiterNotFound):
                return

    async def _answer(self, head: bytes) -> bytes:
        parts = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if len(parts) != 3:
            return _response(400)
        method, target, _ = parts
        path = target.partition("?")[0]
        if method not in {"GET", "HEAD"}:
            return _response(405)
        if path in self._extra:
            body = self._extra[path]
        elif path in self._files:
            body = await to_thread.run_sync(self._files[path].read_bytes)
        else:
            return _response(404)
        return _response(200, _kind("/index.html" if path == "/" else path), body, head_only=method == "HEAD")


def _kind(path: str) -> str:
    suffix = path[path.rfind(".") :]
    return _KINDS.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _response(status: int, kind: str = "text/plain", body: bytes | None = None, *, head_only: bool = False) -> bytes:
    content = _REASONS[status].encode() if body is None else body
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {kind}; charset=utf-8",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "",
        "",
    )
    head = "\r\n".join(lines).encode()
    return head if head_only else head + content
