"""The sessions of an agent: the one in progress, and during a restart the one before, which still carries data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerix.core.deadlines import earliest
from peerix.core.ice.consent import Liveness
from peerix.core.ice.events import IceState, RoleChanged
from peerix.core.ice.pair import PairState
from peerix.core.ice.parameters import IceParameters
from peerix.core.ice.session import IceSession

if TYPE_CHECKING:
    from peerix.core.ice.context import Context


class Sessions:
    """At most two sessions (RFC 8445 9)."""

    __slots__ = ("_context", "current", "previous")

    def __init__(self, context: Context) -> None:
        self._context = context
        self.current = IceSession(context, IceParameters.generate(context.random_bytes))
        self.previous: IceSession | None = None

    def all(self) -> list[IceSession]:
        """Every session there is."""
        return [self.current] if self.previous is None else [self.current, self.previous]

    def find(self, local_ufrag: str) -> IceSession | None:
        """Return the session that we named so."""
        for session in self.all():
            if session.local_parameters.ufrag == local_ufrag:
                return session
        return None

    def carrier(self) -> IceSession:
        """Return the session whose path carries data: the old one until the new one has selected its pair."""
        previous = self.previous
        if previous is None or self.current.selection.pair is not None:
            return self.current
        if previous.consent.liveness is Liveness.ALIVE or self.current.path is None:
            return previous
        return self.current

    def restart(self) -> None:
        """Begin a new session."""
        if self.current.path is not None:
            self.drop_previous()
            self.previous = self.current
        else:
            self._context.transactions.remove_session(self.current.local_parameters.ufrag)
        self.current = IceSession(self._context, IceParameters.generate(self._context.random_bytes))

    def cancel_restart(self) -> None:
        """Go back to the old session when the new one has not begun."""
        if self.previous is not None and not self.current.progress.is_started:
            self.current, self.previous = self.previous, None

    def drop_previous(self) -> None:
        """Forget the old session."""
        if self.previous is not None:
            self._context.transactions.remove_session(self.previous.local_parameters.ufrag)
            self.previous = None

    def switch_role(self, *, controlling: bool, new_tie_breaker: bool = False) -> None:
        """Take the other role because the protocol says so, and report it."""
        if controlling != self._context.role.controlling:
            self._context.role.switch(controlling=controlling, new_tie_breaker=new_tie_breaker)
            self.current.handle_role_switch()
            self._context.events.append(RoleChanged(controlling))

    def advance(self, now: float) -> None:
        """Do what is due in both."""
        self.current.advance(now)
        if self.previous is None:
            return
        if not self.previous.keep_alive(now) or self.current.selection.pair is not None:
            self.drop_previous()

    def next_timeout(self, now: float) -> float | None:
        """Return when `advance` has something to do."""
        deadlines = [self.current.next_timeout(now)]
        if self.previous is not None:
            deadlines.append(self.previous.consent.next_timeout())
        return earliest(deadlines)

    def state(self, before: IceState) -> IceState:
        """Return the state that the agent is in, when it was in `before`."""
        session, previous = self.current, self.previous
        if session.progress.was_connected:
            return self._connected_state(session)
        if previous is not None and previous.consent.liveness in (Liveness.ALIVE, Liveness.DOUBTED):
            return IceState.CONNECTED
        if previous is not None and not session.progress.is_started:
            return IceState.DISCONNECTED
        if session.progress.gave_up and previous is None:
            return IceState.FAILED
        started = session.progress.is_started or before is not IceState.NEW
        return IceState.CHECKING if started else IceState.NEW

    def _connected_state(self, session: IceSession) -> IceState:
        if session.consent.liveness is Liveness.EXPIRED:
            return IceState.FAILED
        if session.consent.liveness is Liveness.SILENT:
            return IceState.DISCONNECTED
        selected = session.selection.pair
        if selected is None or not (session.remote.ended and self._context.local.ended):
            return IceState.CONNECTED
        done = (PairState.SUCCEEDED, PairState.FAILED)
        unfinished = any(pair.priority > selected.priority and pair.state not in done for pair in session.check_list)
        return IceState.CONNECTED if unfinished else IceState.COMPLETED
