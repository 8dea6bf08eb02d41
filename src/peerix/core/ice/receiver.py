"""What comes in: checks of the other side are verified and answered, answers are matched to our checks (RFC 8445 7)."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from peerix.core.ice.binding import (
    BAD_REQUEST,
    ROLE_CONFLICT,
    UNKNOWN_ATTRIBUTE,
    Check,
    build_error,
    resolve_role,
    split_username,
)
from peerix.core.ice.pair import RepeatedCheck
from peerix.core.stun import Message, MessageClass, Method, StunError, parse
from peerix.core.stun.attributes import ERROR_CODE, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE, XOR_MAPPED_ADDRESS
from peerix.core.stun.message import HEADER_LENGTH
from peerix.core.stun.signed import BINDING_REQUEST, BINDING_SUCCESS, TRAILER_LENGTH, write_mapped, write_signed

if TYPE_CHECKING:
    from peerix.core.ice.context import Context
    from peerix.core.ice.session import IceSession
    from peerix.core.ice.sessions import Sessions
    from peerix.core.ice.transactions import Transaction


_REQUEST = BINDING_REQUEST.to_bytes(2, "big")
_SUCCESS = BINDING_SUCCESS.to_bytes(2, "big")


class Receiver:
    """Takes datagrams, drops and counts what is not from the other side, and hands the rest to its session."""

    __slots__ = ("_context", "_sessions")

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions

    def receive(self, port: int, source: tuple[str, int], data: bytes, now: float) -> bool:
        """Take one datagram, and tell whether it may have changed anything."""
        kind = data[:2]
        if kind == _REQUEST:
            news = self._receive_repeated(port, source, data, now)
        elif kind == _SUCCESS:
            news = self._receive_expected(port, source, data, now)
        else:
            news = None
        if news is not None:
            return news
        self._receive_any(port, source, data, now)
        return True

    def _receive_repeated(self, port: int, source: tuple[str, int], data: bytes, now: float) -> bool | None:
        """Answer a check that differs from the one before only in its transaction id; None: it is another one.

        Most of all checks are such: consent checks of the path in use (RFC 7675).
        """
        context, session = self._context, self._sessions.current
        pair = session.check_list.find(port, source)
        known = None if pair is None else pair.theirs.repeated
        if (
            pair is None
            or known is None
            or known.controlling is not context.role.controlling
            or data[HEADER_LENGTH:-TRAILER_LENGTH] != known.attributes
        ):
            return None
        transaction_id = data[8:HEADER_LENGTH]
        signed = write_signed(BINDING_REQUEST, transaction_id, known.attributes, session.local_key)
        if not compare_digest(signed, data):
            return None
        context.remember(port, source)
        self._succeed(port, source, transaction_id, session)
        if session.is_settled(pair):
            return session.handle_repeated(pair, transaction_id, now)
        check = Check(transaction_id, known.priority, known.remote_ufrag, known.use_candidate)
        session.handle_check(port, source, check, now)
        return True

    def _receive_expected(self, port: int, source: tuple[str, int], data: bytes, now: float) -> bool | None:
        """Take the answer that says what we know: the address that our pair has; None: it is another one."""
        context = self._context
        transaction = context.transactions.get(data[8:HEADER_LENGTH])
        if transaction is None:
            return None
        pair, local = transaction.pair, transaction.pair.local
        if pair.port != port or pair.address != source:
            return None
        session = self._sessions.find(transaction.session)
        mapped = write_mapped(local.host, local.port, transaction.id)
        if session is None or mapped is None:
            return None
        if not compare_digest(write_signed(BINDING_SUCCESS, transaction.id, mapped, transaction.key), data):
            return None
        context.remember(port, source)
        context.transactions.remove(transaction)
        is_settled = session.is_settled(pair) and self._sessions.previous is None
        session.handle_success(transaction, (local.host, local.port), now)
        context.timers_changed = True
        return not is_settled

    def _receive_any(self, port: int, source: tuple[str, int], data: bytes, now: float) -> None:
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
        priority = message.get(PRIORITY)
        refusal = (BAD_REQUEST, "Bad Request") if priority is None else self._refusal(message)
        if priority is None or refusal is not None:
            self._context.counters.refused_requests += 1
            code, reason = refusal or (BAD_REQUEST, "Bad Request")
            self._context.send(port, source, build_error(message, code, reason, session.local_parameters))
            return
        self._context.remember(port, source)
        self._succeed(port, source, message.transaction_id, session)
        nominates = message.get(USE_CANDIDATE) is not None
        check = Check(message.transaction_id, priority, names[1], use_candidate=nominates)
        session.handle_check(port, source, check, now)
        self._expect_again(port, source, message, check)

    def _succeed(self, port: int, source: tuple[str, int], transaction_id: bytes, session: IceSession) -> None:
        """Answer a check: where it came from (RFC 8445 7.3.1.2)."""
        mapped = write_mapped(*source, transaction_id)
        if mapped is not None:
            answer = write_signed(BINDING_SUCCESS, transaction_id, mapped, session.local_key)
            self._context.send(port, source, answer)

    def _expect_again(self, port: int, source: tuple[str, int], message: Message, check: Check) -> None:
        """Note a check that was accepted, if it ends as ours do: then the next one can be told by its bytes."""
        session = self._sessions.current
        pair = session.check_list.find(port, source)
        end = len(message.received) - TRAILER_LENGTH
        if pair is None or session.remote_parameters is None or message.signatures != {MESSAGE_INTEGRITY.code: end}:
            return
        pair.theirs.repeated = RepeatedCheck(
            message.received[HEADER_LENGTH:end],
            check.priority,
            check.remote_ufrag,
            check.use_candidate,
            self._context.role.controlling,
        )

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
        if not message.is_signed_with(transaction.key.raw):
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
    return message.is_signed_with(session.local_key.raw)
