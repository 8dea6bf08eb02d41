"""The certificate that a peer shows in DTLS, and the fingerprint by which the other side knows it."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

from peerix.core.errors import LocalProtocolError

# By their names in SDP, as hashlib calls them. What is not here is unknown, or too weak.
_HASHES = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}

# RFC 8827 section 6.5 makes ECDHE with P-256 and AES-128-GCM the common ground. CBC suites are left out: no stack
# of the last ten years needs them, and their records differ in size by content.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
)

# One server-side order for SRTP keys: RFC 7714 GCM first, then the profile that everybody has (RFC 5764).
_SRTP_PROFILES = b"SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"

_DTLS_1_2 = 0xFEFD


@dataclass(slots=True, frozen=True)
class Fingerprint:
    """The hash of a certificate as SDP carries it (RFC 8122 section 5).

    `algorithm` is a lower-case hash name ("sha-256"), `value` upper-case hexadecimal pairs joined by colons.
    """

    algorithm: str
    value: str


def has_fingerprint(certificate: crypto.X509, fingerprint: Fingerprint) -> bool:
    """Tell whether a certificate has a fingerprint; never with a hash that is unknown or too weak."""
    name = _HASHES.get(fingerprint.algorithm.lower())
    if name is None:
        return False
    written = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    return hashlib.new(name, written).digest().hex(":").upper() == fingerprint.value.upper()


class Certificate:
    """A certificate with its private key, ready to be used by any number of connections.

    The OpenSSL context is made once and shared by all connections with this certificate: it costs more
    than the key and 16 KiB of memory.

    :raises LocalProtocolError: the key is not the certificate's, or OpenSSL refuses them.
    """

    __slots__ = ("_context", "_fingerprint", "certificate", "private_key")

    def __init__(self, certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.private_key = private_key
        self._context: SSL.Context | None = None
        self._fingerprint = Fingerprint("sha-256", certificate.fingerprint(hashes.SHA256()).hex(":").upper())
        if certificate.public_key() != private_key.public_key():
            message = "the private key does not belong to the certificate"
            raise LocalProtocolError(message)

    @classmethod
    def generate(cls, not_before: dt.datetime, *, days: int = 30) -> Certificate:
        """Make a self-signed P-256 certificate that is valid from a day before `not_before` (UTC) for `days` days."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before - dt.timedelta(days=1))
            .not_valid_after(not_before + dt.timedelta(days=days))
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def from_pem(cls, pem: bytes) -> Certificate:
        """Read a certificate and its unencrypted P-256 private key from one PEM text.

        :raises LocalProtocolError: the text does not hold both.
        """
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            message = f"the PEM text holds no certificate with an unencrypted key: {error}"
            raise LocalProtocolError(message) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            message = "the private key is not an elliptic-curve key"
            raise LocalProtocolError(message)
        return cls(certificate, key)

    def to_pem(self) -> bytes:
        """Write the certificate and its private key, unencrypted, as one PEM text."""
        key = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(Encoding.PEM) + key

    @property
    def expires(self) -> dt.datetime:
        """When the certificate ends to be valid (UTC)."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprints(self) -> list[Fingerprint]:
        """The fingerprints to announce: SHA-256, as every browser does."""
        return [self._fingerprint]

    @property
    def context(self) -> SSL.Context:
        """The shared OpenSSL context: DTLS 1.2, both roles, the peer's certificate wanted and not judged here."""
        if self._context is None:
            self._context = _make_context(self)
        return self._context


def _accept_any(_conn: SSL.Connection, _cert: object, _errno: int, _depth: int, _ok: int) -> bool:
    # Certificates are self-signed; the fingerprint of the description decides, before any byte goes up.
    return True


def _make_context(certificate: Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_max_proto_version(_DTLS_1_2)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any)
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.private_key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(_SRTP_PROFILES)
    # Without OP_NO_QUERY_MTU the MTU that we set is ignored. A session ticket would make the server's last flight
    # longer than one datagram, and flights of one datagram are what makes sending them again work.
    context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context
