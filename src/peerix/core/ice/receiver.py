"""What comes in: checks of the other side are verified and answered, answers are matched to our checks (RFC 8445 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.ice.binding import (
    BAD_REQUEST,
    ROLE_CONFLICT,
    UNKNOWN_ATTRIBUTE,
    Check,
    build_error,
    build_success,
    resolve_role,
    split_username,
)
from peerix.core.stun import Message, MessageClass, Method, StunError, parse
from peerix.core.stun.attributes import ERROR_CODE, PRIORITY, USE_CANDIDATE, XOR_MAPPED_ADDRESS
from peerix.core.stun.credentials import short_term_key

if TYPE_CHECKING:
    from peerix.core.ice.context import Context
    from peerix.core.ice.session import IceSession
    from peerix.core.ice.sessions import Sessions
    from peerix.core.ice.transactions import Transaction


class Receiver:
    """Takes datagrams, drops and counts what is not from the other side, and hands the rest to its session."""

    __slots__ = ("_context", "_sessions")

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions

    def receive(self, port: int, source: tuple[str, int], data: bytes, now: float) -> None:
        """Take one datagram."""
        try:
            message = parse(data)
        except StunError:
            self._context.counters.malformed += 1
            return
        if message.method != Method.BINDING:
            self._context.counters.malformed += 1
        elif message.message_class is MessageClass.REQUEST:
            self._receive_request(port, source, message, now)
        elif message.message_class is not MessageClass.INDICATION:
            self._receive_response(port, source, message, now)

    def _receive_request(self, port: int, source: tuple[str, int], message: Message, now: float) -> None:
        names = split_username(message)
        session = self._sessions.find(names[0]) if names is not None else None
        # Without a valid signature nothing is answered: an error would only help who tries passwords.
        if names is None or session is None or not _is_from_peer(session, names[1], message):
            self._context.counters.unauthenticated += 1
            return
        local = session.local_parameters
        priority = message.get(PRIORITY)
        refusal = (BAD_REQUEST, "Bad Request") if priority is None else self._refusal(message)
        if priority is None or refusal is not None:
            self._context.counters.refused_requests += 1
            code, reason = refusal or (BAD_REQUEST, "Bad Request")
            self._context.send(port, source, build_error(message, code, reason, local))
            return
        self._context.remember(port, source)
        self._context.send(port, source, build_success(message, source, local))
        nominates = message.get(USE_CANDIDATE) is not None
        check = Check(message.transaction_id, priority, names[1], use_candidate=nominates)
        session.handle_check(port, source, check, now)

    def _refusal(self, message: Message) -> tuple[int, str] | None:
        if message.unknown_attributes:
            return UNKNOWN_ATTRIBUTE, "Unknown Attribute"
        refuses, switches = resolve_role(message, self._context.role)
        if refuses or switches:
            self._context.counters.role_conflicts += 1
        if switches:
            self._sessions.switch_role(controlling=not self._context.role.controlling)
        return (ROLE_CONFLICT, "Role Conflict") if refuses else None

    def _receive_response(self, port: int, source: tuple[str, int], message: Message, now: float) -> None:
        transaction = self._context.transactions.get(message.transaction_id)
        if transaction is None or (port, source) != (transaction.pair.port, transaction.pair.address):
            self._context.counters.unmatched += 1
            return
        if not message.is_signed_with(transaction.key):
            self._context.counters.unauthenticated += 1
            return
        session = self._sessions.find(transaction.session)
        mapped = message.get(XOR_MAPPED_ADDRESS)
        is_error = message.message_class is MessageClass.ERROR
        if session is None or message.unknown_attributes or (mapped is None and not is_error):
            self._context.counters.malformed += 1
            return
        self._context.remember(port, source)
        self._context.transactions.remove(transaction)
        if mapped is not None and not is_error:
            session.handle_success(transaction, mapped, now)
        else:
            self._receive_error(session, transaction, message)

    def _receive_error(self, session: IceSession, transaction: Transaction, message: Message) -> None:
        error = message.get(ERROR_CODE)
        if error is None or error.code != ROLE_CONFLICT:
            session.handle_failure(transaction)
            return
        self._context.counters.role_conflicts += 1
        # The role may have changed since the request was sent; then the conflict is over (RFC 8445 7.2.5.1).
        if transaction.controlling == self._context.role.controlling:
            self._sessions.switch_role(controlling=not transaction.controlling, new_tie_breaker=True)
        session.handle_role_switch(transaction)


def _is_from_peer(session: IceSession, remote_ufrag: str, message: Message) -> bool:
    remote = session.remote_parameters
    if remote is not None and remote.ufrag != remote_ufrag:
        return False
    return message.is_signed_with(short_term_key(session.local_parameters.pwd))
