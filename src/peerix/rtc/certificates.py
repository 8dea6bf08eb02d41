"""The certificate that connections use when their user gives none."""

from __future__ import annotations

import datetime as dt
import threading

from peerix.core.dtls import Certificate

RENEW_BEFORE = dt.timedelta(days=29)
"""A default certificate (valid for 30 days) is used for one day."""

_lock = threading.Lock()
_current: list[Certificate] = []


def default_certificate() -> Certificate:
    """This process's certificate, made anew every day.

    One certificate, and so one OpenSSL context, serves all connections of a process: it halves the time and the memory
    that a connection takes. Whoever must not be linked between connections gives each a `Certificate` of its own.
    """
    now = dt.datetime.now(dt.UTC)
    with _lock:
        if not _current or _current[0].expires - now < RENEW_BEFORE:
            _current[:] = [Certificate.generate(now)]
        return _current[0]
