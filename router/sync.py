"""The router for programs without an event loop: an anyio portal runs one in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from turnout.config.settings import Settings
from turnout.providers.chat import ChatChunk, ChatResponse, ModelList

from .accounting import Ledger, Trace
from .errors import StreamStateError

if TYPE_CHECKING:
    from .core import Request, Router
    from .explaining import Explanation
    from .stream import ChatStream, State


class SyncRouter:
    """A Router whose calls block. Use it as `with router.sync() as router:`; threads may share it.

    Leaving closes the router too. Every method does what the Router's method of the same name does.
    """

    def __init__(self, router: Router, *, backend: str = "asyncio") -> None:
        self._router = router
        self._backend = backend
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        if self._portal is not None:
            raise StreamStateError("this router is running already; enter it once.")
        self._portal = self._stack.enter_context(start_blocking_portal(self._backend))
        self._stack.enter_context(self._portal.wrap_async_context_manager(self._router))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._portal = None
        self._stack.__exit__(exc_type, exc, traceback)

    @property
    def ledger(self) -> Ledger:
        """Every attempt, and what they took together."""
        return self._router.ledger

    def complete(self, request: Request = None, /, **options: Any) -> ChatResponse:
        """The whole answer; see `Router.complete`."""
        return self._running.call(partial(self._router.complete, request, **options))

    def stream(self, request: Request = None, /, **options: Any) -> SyncStream:
        """The answer in pieces, for `with`; see `Router.stream`."""
        return SyncStream(self._router.stream(request, **options), self._running)

    def explain(self, request: Request = None, /, **options: Any) -> Explanation:
        """What would be done; see `Router.explain`."""
        return self._router.explain(request, **options)

    def models(self, provider: str) -> ModelList:
        """The models that a provider lists; see `Router.models`."""
        return self._running.call(self._router.models, provider)

    def reload(self, settings: Settings | Mapping[str, Any] | None = None) -> None:
        """Go by other settings from now on, or read the file again; see `Router.reload`."""
        self._running.call(self._router.reload, settings)

    @property
    def settings(self) -> Settings:
        """What the router goes by just now."""
        return self._router.settings

    @property
    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise StreamStateError("the router is used inside `with router.sync() as router:`.")
        return self._portal


class SyncStream:
    """A ChatStream whose reading blocks."""

    def __init__(self, stream: ChatStream, portal: BlockingPortal) -> None:
        self._stream = stream
        self._portal = portal
        self._context: AbstractContextManager[ChatStream] | None = None

    def __enter__(self) -> Self:
        self._context = self._portal.wrap_async_context_manager(self._stream)
        self._context.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._context is not None:
            self._context.__exit__(exc_type, exc, traceback)

    def __iter__(self) -> Iterator[ChatChunk]:
        while (chunk := self._portal.call(self._stream.receive)) is not None:
            yield chunk

    @property
    def state(self) -> State:
        """Where the stream is in its life."""
        return self._stream.state

    @property
    def response(self) -> ChatResponse:
        """The answer; before the end, what has come of it until now."""
        return self._stream.response

    @property
    def trace(self) -> Trace:
        """How the call was routed until now."""
        return self._stream.trace
