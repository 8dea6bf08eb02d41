"""Protected media: the keys that DTLS exported, and the session that uses them."""

from __future__ import annotations

from peerix.core.srtp.keys import (
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    EXPORTER_LABEL,
    PROFILES,
    SrtpKeys,
    SrtpProfile,
    exported_length,
    split_exported,
)
from peerix.core.srtp.session import (
    MAX_PLAIN_PACKET,
    MAX_PLAIN_RTCP,
    MAX_PROTECTED_PACKET,
    MAX_SSRCS,
    REPLAY_WINDOW,
    SrtpCounters,
    SrtpSession,
)

__all__ = [
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "AES_CM_128_HMAC_SHA1_80",
    "EXPORTER_LABEL",
    "MAX_PLAIN_PACKET",
    "MAX_PLAIN_RTCP",
    "MAX_PROTECTED_PACKET",
    "MAX_SSRCS",
    "PROFILES",
    "REPLAY_WINDOW",
    "SrtpCounters",
    "SrtpKeys",
    "SrtpProfile",
    "SrtpSession",
    "exported_length",
    "split_exported",
]
