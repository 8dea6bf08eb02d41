"""The one error that reading STUN raises."""

from __future__ import annotations

from peerix.core.errors import RemoteProtocolError


class StunError(RemoteProtocolError):
    """Bytes that are not a STUN message, or a STUN message that breaks RFC 8489."""
