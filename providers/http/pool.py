"""The idle connections to one origin, the one used last first, and whose turn it is to have one.

Everything costs the same however many connections there are. Nothing runs in the background: what has been
idle for too long is noticed when a connection is taken or given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio

from .connection import Connection

MOST_IDLE = 1_000
"""Idle connections that are kept for one origin."""
KEPT_FOR = 30.0
"""Seconds for which an idle connection is kept."""


class Pool:
    """Connections to one origin. `most` bounds how many are in use at once, None: nothing does."""

    __slots__ = ("_closed", "_idle", "_most", "_now", "_turns", "_used")

    def __init__(self, now: Callable[[], float], most: int | None = None) -> None:
        self._now = now
        self._most = most
        self._used = 0
        self._closed = False
        self._idle: deque[Connection] = deque()
        self._turns: deque[anyio.Event] = deque()

    @property
    def idle(self) -> bool:
        """Whether it holds nothing and nobody waits for anything."""
        return not (self._idle or self._used or self._turns)

    @property
    def is_full(self) -> bool:
        """Whether one has to wait for one's turn."""
        return self._most is not None and (self._used >= self._most or bool(self._turns))

    async def turn(self) -> None:
        """Wait for one's turn, first come, first served; `end_turn` passes it on."""
        if not self.is_full:
            self._used += 1
            return
        turn = anyio.Event()
        self._turns.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.end_turn()  # it came while we were called off
            else:
                self._turns.remove(turn)
            raise

    def begin_turn(self) -> None:
        """Take one's turn without waiting, the pool not being full."""
        self._used += 1

    def end_turn(self) -> None:
        """Pass one's turn on."""
        if self._turns:
            self._turns.popleft().set()
        else:
            self._used -= 1

    def take(self) -> Connection | None:
        """An idle connection whose server has not hung up; None if there is none."""
        idle = self._idle
        if not idle:
            return None
        oldest = self._now() - KEPT_FOR
        while idle:
            connection = idle.pop()
            if connection.idle_since > oldest and connection.is_quiet():
                return connection
            connection.close()
        return None

    def give(self, connection: Connection) -> None:
        """Put a connection aside for later."""
        if self._closed:
            connection.close()
            return
        now = connection.idle_since = self._now()
        idle = self._idle
        idle.append(connection)
        if len(idle) > MOST_IDLE or idle[0].idle_since <= now - KEPT_FOR:
            idle.popleft().close()

    def close(self) -> None:
        """Close what is idle, and what is given back from now on."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
