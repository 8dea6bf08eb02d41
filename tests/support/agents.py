"""Programs that run another WebRTC stack and do what a test asks: aiortc, stacks of npm, a page in Chromium."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.support.replies import Replies

if TYPE_CHECKING:
    from collections.abc import Sequence

INTEROP = Path(__file__).parents[1] / "interop"
STOP_TIMEOUT = 10.0  # seconds


class Agent(Protocol):
    """Something that answers requests; `tests/interop/agents/webrtc.js` lists them."""

    async def request(self, op: str, **arguments: Any) -> Any:
        """Ask for an operation.

        :raises ForeignError: it failed.
        """


class ProcessAgent:
    """A process that reads requests as lines of JSON from stdin, and writes the replies to stdout."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._replies = Replies()
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                cwd=INTEROP.parents[1],
            )
        self._log = log
        self._reader = threading.Thread(target=self._read, name=f"replies of {command[-1]}", daemon=True)
        self._reader.start()

    async def request(self, op: str, **arguments: Any) -> Any:
        """Ask for an operation."""
        return await self._replies.ask(lambda number: self._send({"id": number, "op": op, **arguments}))

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # native libraries print what they like
                reply = json.loads(line)
                self._replies.answer(reply["id"], reply.get("result"), reply.get("error"))
        self._replies.end(f"the process ended; it said: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()


def start_aiortc(log: Path) -> ProcessAgent:
    """Start an aiortc peer."""
    return ProcessAgent([sys.executable, "-m", "tests.interop.agents.aiortc_agent"], log)
