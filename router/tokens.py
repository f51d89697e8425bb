"""Short-lived tokens from a function of the user's, for providers whose keys end within the hour.

A function, sync or async and without arguments, gives a token as text, or a pair of the token and how long it
lasts: seconds, or the date of its end. It is asked at a provider's first call, and again shortly before the
end (a minute, or a tenth of a shorter life); where no end is told, after a minute, for such functions keep
their tokens themselves. Sync functions run in a worker thread. One call asks at a time and the others wait
for its answer. A token that the provider refuses is forgotten, and the next call asks anew.

Nothing is kept but the token: no task, no lock, nothing of an event loop.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
from pydantic import SecretStr

from turnout.config.connections import check_api_key
from turnout.config.errors import ConfigError
from turnout.config.settings import Settings
from turnout.config.suggestions import did_you_mean
from turnout.providers.dialect import Target
from turnout.providers.dialects.error_reading import clean
from turnout.providers.errors import AttemptTimeoutError, AuthenticationError

from .clock import Clock
from .functions import function_at
from .pipeline import DEADLINE, RunLimited

Token = str | tuple[str, float | datetime]
"""A token, and how long it lasts: in seconds, or until a date, which is UTC's where it names no zone."""
TokenFunction = Callable[[], Token | Awaitable[Token]]
"""Gives a token."""

NO_TOKEN = "no_token"  # noqa: S105 - a word of ours
"""`code` of an error that came before anything could be sent, for want of a token."""
_UNTOLD = 60.0  # seconds that a token is kept whose end nobody tells
_MARGIN = 60.0  # seconds before its end in which a token is not used any more
_SHARE = 0.1  # the same as a share of its life, for short lives
_QUOTED = 200  # characters of a function's own words that a message repeats


class TokenError(AuthenticationError):
    """A provider's token could not be had; nothing was sent."""

    advice = "Check the function that gives the provider's tokens, and the identity that it uses."


class _Asking:
    """One question to the function, which others may be waiting for."""

    def __init__(self) -> None:
        self.over = anyio.Event()
        self.failure: TokenError | None = None


class TokenSource:
    """One provider's tokens."""

    def __init__(self, provider: str, function: TokenFunction, name: str, clock: Clock) -> None:
        self._provider = provider
        self._function = function
        self._name = name
        self._clock = clock
        self._token: SecretStr | None = None
        self._until: datetime | None = None
        self._asking: _Asking | None = None

    async def token(self, target: Target) -> SecretStr:
        """A token that lasts; AuthenticationError where there is none to be had."""
        while True:
            if self._token is not None and (self._until is None or self._clock.now() < self._until):
                return self._token
            asking = self._asking
            if asking is None:
                return await self._ask(target)
            await asking.over.wait()
            if asking.failure is not None:
                raise self._failed(asking.failure.message)

    def asks(self, function: TokenFunction) -> bool:
        """Whether this is the function that gives the tokens."""
        return self._function == function

    def refused(self, token: SecretStr | None) -> None:
        """Forget a token that the provider did not take, unless another has come since."""
        if token is not None and token == self._token:
            self._token = None

    async def _ask(self, target: Target) -> SecretStr:
        asking = self._asking = _Asking()
        try:
            given = await self._given()
            self._token, self._until = self._read(given)
        except _UnusableError as error:
            asking.failure = self._failed(f"the token source {self._name} {error}.")
        except Exception as error:  # noqa: BLE001 - the user's own function may raise anything
            words = clean(str(error), target, limit=_QUOTED)
            what = f"{type(error).__name__}: {words}" if words else type(error).__name__
            asking.failure = self._failed(f"the token source {self._name} failed: {what.rstrip('.')}.")
        else:
            return self._token
        finally:
            # also when this call is cancelled: those who wait then see no failure, and one of them asks
            self._asking = None
            asking.over.set()
        # raised outside the handler: the function's own error may hold a secret
        raise asking.failure

    async def _given(self) -> Any:
        function = self._function
        if _is_async(function):
            return await function()  # type: ignore[misc]  # seen a line above
        # in a tuple, for trio takes no coroutine out of a thread; a lambda around an async function gives one
        from anyio import to_thread  # here: most providers have keys that stay

        (given,) = await to_thread.run_sync(lambda: (function(),), abandon_on_cancel=True)
        return await given if inspect.isawaitable(given) else given

    def _read(self, given: Any) -> tuple[SecretStr, datetime]:
        token, lasts = given if isinstance(given, (tuple, list)) and len(given) == 2 else (given, None)
        if isinstance(token, str):
            token = SecretStr(token)
        if not isinstance(token, SecretStr) or not token.get_secret_value().strip():
            raise _UnusableError("gave no token; return a text, or a pair of a text and how long it lasts")
        try:
            token = check_api_key(token)
        except ValueError:
            raise _UnusableError("gave a token with a space or a character outside ASCII in it") from None
        now = self._clock.now()
        if lasts is None:
            return token, now + timedelta(seconds=_UNTOLD)
        return token, _usable_until(lasts, now)

    def _failed(self, message: str) -> TokenError:
        return TokenError(message, provider=self._provider, code=NO_TOKEN)


class _UnusableError(Exception):
    """What a function gave is no token; the text goes on after the function's name."""


def _usable_until(lasts: object, now: datetime) -> datetime:
    if isinstance(lasts, datetime):
        seconds = ((lasts if lasts.tzinfo else lasts.replace(tzinfo=UTC)) - now).total_seconds()
    elif isinstance(lasts, (int, float)) and not isinstance(lasts, bool) and not math.isnan(lasts):
        seconds = float(min(lasts, 1e9))  # some thirty years, which a date can still say
    else:
        raise _UnusableError("did not tell how long its token lasts; return seconds or a datetime beside it")
    if seconds <= 0:
        raise _UnusableError("gave a token that has ended already")
    return now + timedelta(seconds=seconds - min(_MARGIN, seconds * _SHARE))


def _is_async(function: Callable[..., object]) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__ will do too
    )


class Tokens:
    """The token sources of a router, by provider; false where there are none.

    `before` are those of the settings that these replace: a source whose function is the same goes on with
    the token that it has.
    """

    def __init__(
        self,
        settings: Settings,
        given: Mapping[str, TokenFunction] | None,
        clock: Clock,
        *,
        before: Tokens | None = None,
    ) -> None:
        functions = {name: (function, _name_of(function)) for name, function in (given or {}).items()}
        for name in list(functions):
            if name not in settings.providers:
                if before is not None:
                    del functions[name]  # the provider was taken out of the settings since
                    continue
                hint = did_you_mean(name, settings.providers) or "; name one of the providers"
                raise ConfigError(f"tokens: there is no provider {name!r}{hint}")
            if not callable(functions[name][0]):
                raise ConfigError(f"tokens: give a function for the provider {name!r}")
        for name, provider in settings.providers.items():
            if provider.token_from is not None and name not in functions:
                function = function_at(provider.token_from, f"provider {name}: token_from")
                functions[name] = (function, provider.token_from)
        self._sources = {
            name: TokenSource(name, function, called, clock) for name, (function, called) in functions.items()
        }
        for name, known in before._sources.items() if before is not None else ():
            if name in functions and known.asks(functions[name][0]):
                self._sources[name] = known

    def __bool__(self) -> bool:
        return bool(self._sources)

    def __contains__(self, provider: str) -> bool:
        return provider in self._sources

    async def bearing(self, target: Target, run: RunLimited) -> Target:
        """The target with a token as its key, or as it is where its provider has no source.

        AuthenticationError; AttemptTimeoutError when the call's deadline passes.
        """
        source = self._sources.get(target.provider)
        if source is None:
            return target
        try:
            token = await run(lambda: source.token(target))
        except AttemptTimeoutError as error:
            if error.code == DEADLINE:
                raise
            late = "gave no token within the attempt's time limits."
            raise TokenError(
                f"the token source of {target.provider} {late}", provider=target.provider, code=NO_TOKEN
            ) from None
        bearer = target.once(_Bearer)
        if bearer.target.api_key is not token:
            bearer.target = dataclasses.replace(bearer.target, api_key=token)
        return bearer.target

    def refused(self, target: Target) -> None:
        """Take note that a provider did not take the key of a target."""
        source = self._sources.get(target.provider)
        if source is not None:
            source.refused(target.api_key)


class _Bearer:
    """A target that bears the latest token, kept so that what is worked out for it is worked out once."""

    __slots__ = ("target",)

    def __init__(self, target: Target) -> None:
        preset = target.preset
        if preset.auth != "bearer":
            preset = preset.model_copy(update={"auth": "bearer"})
        self.target = dataclasses.replace(target, preset=preset)


def _name_of(function: object) -> str:
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or type(function).__module__}:{name}"
