"""The Router: takes calls, and owns what they share (transport, ledger, clock, doors) for its life only.

What comes out of the settings stands in a `Snapshot`, which `reload` replaces in one step.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from logging import DEBUG
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from turnout.config.errors import ConfigError
from turnout.config.loading import load_settings, parse_settings
from turnout.config.sections import OnUnsupported
from turnout.config.settings import Settings
from turnout.config.suggestions import did_you_mean
from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion, ChatResponse, ModelList
from turnout.providers.errors import RequestError
from turnout.providers.http import default_transport
from turnout.providers.transport import Transport

from ._version import __version__
from .accounting import Ledger
from .clock import Clock, SystemClock
from .draining import Doors
from .events import Events
from .finishing import finish
from .listing import listed
from .pipeline import Call, Journal, Reply
from .policies.account import Books
from .snapshot import Premises, Snapshot
from .stream import ChatStream
from .tokens import TokenFunction

if TYPE_CHECKING:
    from .arranging import Arranger
    from .explaining import Explanation
    from .sync import SyncRouter

Request = ChatCompletion | Mapping[str, Any] | None
"""A request as callers may give it; None where its fields are given one by one."""


class Router:
    """Routes chat completions across providers.

    `settings` are Settings or the same as nested mappings, `client` is any object with the interface of
    httpx's AsyncClient (it stays its owner's), `transport` replaces the network altogether, `clock` and
    `seed` make waiting and jitter repeatable, `env` stands for the process's environment. Making a router
    sends nothing; ConfigError tells everything that is wrong with the settings, missing keys included.
    `tokens` are functions that give short-lived tokens, by provider, as `token_from` does in the settings.

    Two routers share nothing. One belongs to one event loop at a time.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any],
        *,
        client: Any = None,
        clock: Clock | None = None,
        seed: int | None = None,
        env: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        logger: Any = None,
        tokens: Mapping[str, TokenFunction] | None = None,
    ) -> None:
        self._env = os.environ if env is None else env
        self.ledger = Ledger()
        """Every attempt of this router, and what they took together."""
        self._clock = clock or SystemClock()
        self._events = Events(logger)
        self._transport = transport or default_transport(client, user_agent=f"turnout/{__version__}")
        self._doors = Doors()
        self._premises = Premises(
            env=self._env,
            tokens=tokens or {},
            books=Books(self.ledger, self._clock, self._events),
            transport=self._transport,
            random=Random(seed),
            doors=self._doors,
        )
        self._arranger: Arranger | None = None  # made by the first call of a route with a pool
        self._snapshot = Snapshot(self._settings_of(settings), self._premises)
        self._reader: Callable[[], Settings] | None = None  # reads the settings anew, from where they came
        self._reloads = count(1)
        self._reloaded = 0  # the number of the latest reload that took effect

    @classmethod
    def from_yaml(cls, path: str | Path, *, env: Mapping[str, str] | None = None, **options: Any) -> Self:
        """A router for the settings in a YAML file; takes the same options as the class. ConfigError."""
        reader = partial(load_settings, path, env=env, presets=catalogue().keys())
        router = cls(reader(), env=env, **options)
        router._reader = reader
        return router

    @property
    def settings(self) -> Settings:
        """What the router goes by just now."""
        return self._snapshot.settings

    async def __aenter__(self) -> Self:
        self._doors.open()
        self._transport.prepare()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self, *, drain: float | None = None) -> None:
        """Take no more calls, let those in flight finish, and close the connections.

        They get `drain` seconds, by default as many as the settings say. Then the rest is cut off: whoever
        waits for an answer gets RouterClosedError, a stream that has begun ends with StreamInterruptedError.
        A client that was given stays open. Entering the router again opens it again.
        """
        try:
            await self._doors.close(self.settings.drain if drain is None else drain)
        finally:
            await self._transport.aclose()

    async def reload(self, settings: Settings | Mapping[str, Any] | None = None) -> None:
        """Go by other settings from now on; without any, read the file of `from_yaml` again.

        Calls in flight finish as they began, and every later call goes by the new settings, all of them at
        once. Breakers, allowances, keys and the like of targets whose provider is set up as before keep their
        state. ConfigError leaves everything as it was. Where two reloads overlap, the later one stays.
        """
        number = next(self._reloads)
        if settings is not None:
            settings = self._settings_of(settings)
        elif self._reader is not None:
            from anyio import to_thread  # here, as below: most routers are never told anew

            settings = await to_thread.run_sync(self._reader)
        else:
            raise ConfigError("reload needs the settings, for this router was not made by from_yaml")
        snapshot = Snapshot(settings, self._premises, self._snapshot)
        if number > self._reloaded:
            self._snapshot, self._reloaded = snapshot, number

    async def complete(
        self,
        request: Request = None,
        /,
        *,
        deadline: float | None = None,
        tags: Mapping[str, str] | None = None,
        on_unsupported: OnUnsupported | None = None,
        **fields: Any,
    ) -> ChatResponse:
        """The whole answer to a request, given as one object or field by field.

        `deadline` is in seconds and replaces the route's, `tags` label the attempts in the ledger,
        `on_unsupported` replaces the route's. With `stream=True` in the request the provider is asked for a
        stream, which is put together here.

        RequestError before anything is sent; UnsupportedError, a ProviderError, AllTargetsFailedError or
        DeadlineExceededError after.
        """
        snapshot = self._snapshot
        call = self._call(snapshot, _checked(request, fields), False, deadline, tags, on_unsupported)
        doors = self._doors
        doors.enter()
        try:
            reply = await snapshot.stacks.handler(call.plan)(call)
            await reply.aclose()
        finally:
            doors.leave()
        return self._finished(call, reply)

    def stream(
        self,
        request: Request = None,
        /,
        *,
        deadline: float | None = None,
        tags: Mapping[str, str] | None = None,
        on_unsupported: OnUnsupported | None = None,
        **fields: Any,
    ) -> ChatStream:
        """The answer in pieces, for `async with`; takes and raises the same as `complete`."""
        snapshot = self._snapshot
        checked = _checked(request, {**fields, "stream": True})
        call = self._call(snapshot, checked, True, deadline, tags, on_unsupported)
        handler = self._doors.letting_in(snapshot.stacks.handler(call.plan))
        return ChatStream(call, handler, self._finished)

    def explain(
        self,
        request: Request = None,
        /,
        *,
        deadline: float | None = None,
        on_unsupported: OnUnsupported | None = None,
        **fields: Any,
    ) -> Explanation:
        """What would be done with a request, and the most that it may take; sends nothing."""
        from .explaining import explain

        checked = _checked(request, fields)
        streaming = bool(checked.stream)
        call = self._call(self._snapshot, checked, streaming, deadline, None, on_unsupported, sending=False)
        return explain(call)

    async def models(self, provider: str) -> ModelList:
        """The models that a provider lists. RequestError for an unknown name; ConfigError, ProviderError."""
        snapshot = self._snapshot
        providers = snapshot.settings.providers
        if provider not in providers:
            hint = did_you_mean(provider, providers) or "."
            raise RequestError(f"no provider is called {provider!r}{hint}", field="provider")
        self._doors.enter()
        try:
            return await listed(snapshot, provider, self._transport, self._clock)
        finally:
            self._doors.leave()

    def sync(self, *, backend: str = "asyncio") -> SyncRouter:
        """The same router for programs without an event loop; a context manager that runs one in a thread."""
        from .sync import SyncRouter

        return SyncRouter(self, backend=backend)

    def _settings_of(self, settings: Settings | Mapping[str, Any]) -> Settings:
        if isinstance(settings, Settings):
            return settings
        return parse_settings(settings, env=self._env, presets=catalogue().keys())

    def _call(
        self,
        snapshot: Snapshot,
        request: ChatCompletion,
        streaming: bool,
        deadline: float | None,
        tags: Mapping[str, str] | None,
        on_unsupported: OnUnsupported | None,
        *,
        sending: bool = True,
    ) -> Call:
        """A call aimed at its first target; what is only explained has its targets as they are listed."""
        plan = snapshot.planner.plan(request.model)
        seconds = plan.deadline if deadline is None else deadline
        if not seconds > 0:
            raise RequestError(f"it is a number of seconds above 0, not {seconds!r}", field="deadline")
        call_id = os.urandom(16).hex()
        told = self._events.wanted(DEBUG)
        order = plan.targets
        if plan.pooled and sending:
            order = self._arranging().order(
                plan, request, streaming=streaming, call_id=call_id, tags=tags, told=told
            )
        now = self._clock.monotonic()
        return Call(
            request,
            streaming,
            plan,
            order[0],
            call_id,
            seconds,
            now + seconds,
            on_unsupported,
            dict(tags) if tags else {},
            len(order) - 1,
            order[1:],
            Journal(now),
            told,
        )

    def _arranging(self) -> Arranger:
        if self._arranger is None:
            from .arranging import Arranger

            self._arranger = Arranger(self._clock, self._premises.random, self._events)
        return self._arranger

    def _finished(self, call: Call, reply: Reply) -> ChatResponse:
        """What has come, with who answered, how the call was routed and what the answer cost."""
        return finish(reply.response, call, reply.target, self._clock, reply.attempt)


def _checked(request: Request, fields: dict[str, Any]) -> ChatCompletion:
    """The request as the contract has it; RequestError names the field that is wrong."""
    if request is None:
        return ChatCompletion.parse(fields)
    if not fields:
        return ChatCompletion.parse(request)
    given = request.wire() if isinstance(request, ChatCompletion) else request
    return ChatCompletion.parse({**given, **fields})
