"""STUN messages (RFC 8489): a total codec, shared by ICE and TURN."""

from __future__ import annotations

from peerix.core.stun.errors import StunError
from peerix.core.stun.message import Message, MessageClass, Method, parse, request, response_to

__all__ = ["Message", "MessageClass", "Method", "StunError", "parse", "request", "response_to"]
