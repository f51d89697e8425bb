"""The Router: takes calls, and owns what they share (transport, ledger, plans, clock) for its life only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from logging import DEBUG
from pathlib import Path
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from turnout.config.loading import load_settings, parse_settings
from turnout.config.prices import PriceBook
from turnout.config.sections import OnUnsupported
from turnout.config.settings import Settings
from turnout.config.suggestions import did_you_mean
from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion, ChatResponse, ModelList
from turnout.providers.dialect import Dialect, Target
from turnout.providers.dialects import dialect
from turnout.providers.errors import AuthenticationError, RequestError
from turnout.providers.http import default_transport
from turnout.providers.targets import resolve
from turnout.providers.transport import Transport

from ._version import __version__
from .accounting import Ledger
from .clock import Clock, SystemClock
from .events import Events
from .health.board import Board
from .pipeline import Call, Journal, Reply
from .planning import Planner
from .policies.account import Books
from .stacking import Stacks
from .stream import ChatStream
from .tokens import TokenFunction, Tokens
from .wire import Wire, list_models, within

if TYPE_CHECKING:
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
        self.settings = self._settings_of(settings)
        """What the router was made from."""
        self.ledger = Ledger()
        """Every attempt of this router, and what they took together."""
        self._clock = clock or SystemClock()
        self._random = Random(seed)
        self._events = Events(logger)
        self._transport = transport or default_transport(client, user_agent=f"turnout/{__version__}")
        self._tokens = Tokens(self.settings, tokens, self._clock)
        self._wire = Wire(self._transport, self._clock, tokens=self._tokens)
        self._board = Board()
        prices = PriceBook.seed().with_overrides(self.settings.prices)
        self._planner = Planner(self.settings, self._resolve, prices, self._board)
        self._planner.compile_all()
        self._stacks = Stacks(self._wire, Books(self.ledger, self._clock, self._events), self._random)

    @classmethod
    def from_yaml(cls, path: str | Path, *, env: Mapping[str, str] | None = None, **options: Any) -> Self:
        """A router for the settings in a YAML file; takes the same options as the class. ConfigError."""
        return cls(load_settings(path, env=env, presets=catalogue().keys()), env=env, **options)

    async def __aenter__(self) -> Self:
        self._transport.prepare()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a client that was given stays open."""
        await self._transport.aclose()

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
        call = self._call(_checked(request, fields), False, deadline, tags, on_unsupported)
        reply = await self._stacks.handler(call.plan)(call)
        await reply.aclose()
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
        checked = _checked(request, {**fields, "stream": True})
        call = self._call(checked, True, deadline, tags, on_unsupported)
        return ChatStream(call, self._stacks.handler(call.plan), self._finished)

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
        return explain(self._call(checked, bool(checked.stream), deadline, None, on_unsupported))

    async def models(self, provider: str) -> ModelList:
        """The models that a provider lists. RequestError for an unknown name; ConfigError, ProviderError."""
        if provider not in self.settings.providers:
            hint = did_you_mean(provider, self.settings.providers) or "."
            raise RequestError(f"no provider is called {provider!r}{hint}", field="provider")
        target, wire_format = self._resolve(provider, "")
        target = replace(target, timeouts=self.settings.providers[provider].timeouts or target.timeouts)
        target = await self._tokens.bearing(target, within(target.timeouts.first_token))
        try:
            body = await list_models(self._transport, target, wire_format, self._clock)
        except AuthenticationError:
            self._tokens.refused(target)
            raise
        return wire_format.models(body, target)

    def sync(self, *, backend: str = "asyncio") -> SyncRouter:
        """The same router for programs without an event loop; a context manager that runs one in a thread."""
        from .sync import SyncRouter

        return SyncRouter(self, backend=backend)

    def _settings_of(self, settings: Settings | Mapping[str, Any]) -> Settings:
        if isinstance(settings, Settings):
            return settings
        return parse_settings(settings, env=self._env, presets=catalogue().keys())

    def _resolve(self, provider: str, model: str) -> tuple[Target, Dialect]:
        settings = self.settings.providers[provider]
        target = resolve(provider, settings, model, env=self._env, has_tokens=provider in self._tokens)
        return target, dialect(target.preset.dialect)

    def _call(
        self,
        request: ChatCompletion,
        streaming: bool,
        deadline: float | None,
        tags: Mapping[str, str] | None,
        on_unsupported: OnUnsupported | None,
    ) -> Call:
        plan = self._planner.plan(request.model)
        seconds = plan.deadline if deadline is None else deadline
        if not seconds > 0:
            raise RequestError(f"it is a number of seconds above 0, not {seconds!r}", field="deadline")
        return Call(
            request,
            streaming,
            plan,
            plan.targets[0],
            os.urandom(16).hex(),
            seconds,
            self._clock.monotonic() + seconds,
            on_unsupported,
            dict(tags) if tags else {},
            len(plan.targets) - 1,
            plan.targets[1:],
            Journal(),
            self._events.wanted(DEBUG),
        )

    def _finished(self, call: Call, reply: Reply) -> ChatResponse:
        """What has come, with who answered, how the call was routed and what the answer cost."""
        response = reply.response
        said = response.__dict__
        target = reply.target.target
        known: dict[str, Any] = {"provider": target.provider, "trace": call.trace()}
        if not said["model"]:
            known["model"] = target.model
        if not said["id"]:
            known["id"] = f"chatcmpl-{call.id}"
        if not said["created"]:
            known["created"] = int(self._clock.now().timestamp())
        metadata = call.request.metadata
        if metadata is not None and said["metadata"] is None:
            known["metadata"] = dict(metadata)
        if reply.attempt is not None:
            known["cost"] = reply.attempt.cost
        return _with(response, known)


def _with(response: ChatResponse, known: dict[str, Any]) -> ChatResponse:
    """The response with further fields set, as assigning one after another would, at the cost of one."""
    response.__dict__.update(known)
    response.model_fields_set.update(known)
    return response


def _checked(request: Request, fields: dict[str, Any]) -> ChatCompletion:
    """The request as the contract has it; RequestError names the field that is wrong."""
    if request is None:
        return ChatCompletion.parse(fields)
    if not fields:
        return ChatCompletion.parse(request)
    given = request.wire() if isinstance(request, ChatCompletion) else request
    return ChatCompletion.parse({**given, **fields})
