"""Protection profiles and the keys that DTLS gives for them (RFC 5764 section 4.2, RFC 7714)."""

from __future__ import annotations

from dataclasses import dataclass

from peerix.core.errors import LocalProtocolError

EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"
"""RFC 5764 section 4.2."""


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile: sizes in bytes; `overhead` and `rtcp_overhead` are what protection adds at most."""

    name: str
    """As OpenSSL calls it."""
    key: int
    salt: int
    overhead: int
    rtcp_overhead: int


AES_CM_128_HMAC_SHA1_80 = SrtpProfile("SRTP_AES128_CM_SHA1_80", 16, 14, 10, 14)
AEAD_AES_128_GCM = SrtpProfile("SRTP_AEAD_AES_128_GCM", 16, 12, 16, 20)
AEAD_AES_256_GCM = SrtpProfile("SRTP_AEAD_AES_256_GCM", 32, 12, 16, 20)

PROFILES = {profile.name: profile for profile in (AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80)}
"""By the name that the DTLS transport tells, the preferred one first."""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key with master salt behind it, for what we send and for what we receive."""

    profile: SrtpProfile
    send: bytes
    receive: bytes


def exported_length(profile: SrtpProfile) -> int:
    """How many bytes the DTLS exporter is asked for."""
    return 2 * (profile.key + profile.salt)


def split_exported(profile: SrtpProfile, material: bytes, *, is_client: bool) -> SrtpKeys:
    """Split what the exporter gave: client key, server key, client salt, server salt.

    :raises LocalProtocolError: if the material has another length.
    """
    if len(material) != exported_length(profile):
        raise LocalProtocolError(f"{profile.name} takes {exported_length(profile)} bytes of keying material")
    keys, salts = material[: 2 * profile.key], material[2 * profile.key :]
    client = keys[: profile.key] + salts[: profile.salt]
    server = keys[profile.key :] + salts[profile.salt :]
    return SrtpKeys(profile, client, server) if is_client else SrtpKeys(profile, server, client)
