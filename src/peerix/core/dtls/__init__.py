"""DTLS 1.2 over datagrams (RFC 6347, RFC 8827 section 6.5), behind a seam that simulations can replace.

`DtlsTransport` is the seam: `OpenSslDtls` is the real thing. OpenSSL's retransmission timer runs on real time and its
flights differ in size from run to run, so simulations in virtual time put a transparent double in its place.
"""

from peerix.core.dtls.certificate import Certificate, Fingerprint
from peerix.core.dtls.openssl import OpenSslDtls
from peerix.core.dtls.transport import (
    MAX_PLAINTEXT,
    RECORD_OVERHEAD,
    DtlsRole,
    DtlsState,
    DtlsTransport,
)

__all__ = [
    "MAX_PLAINTEXT",
    "RECORD_OVERHEAD",
    "Certificate",
    "DtlsRole",
    "DtlsState",
    "DtlsTransport",
    "Fingerprint",
    "OpenSslDtls",
]
