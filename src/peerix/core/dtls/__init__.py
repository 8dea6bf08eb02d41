"""DTLS 1.2 over datagrams (RFC 6347), behind a seam that simulations can replace."""
