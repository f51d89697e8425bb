"""The seam between a normalized call and a wire format: values in, values out, no socket and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, SecretStr

from turnout.config.policies import Timeouts
from turnout.config.sections import OnUnsupported

from .catalogue import Preset
from .chat import ChatChunk, ChatCompletion, ChatResponse, ModelList
from .errors import ProviderError

Action = Literal["emulated", "clamped", "dropped", "renamed"]
T = TypeVar("T")


class Adaptation(BaseModel, frozen=True, defer_build=True):
    """One change made to a request or a response so that it fits a target."""

    field: str
    """Path of the field in the contract's words, such as `messages[2].reasoning`."""
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """Amazon's access keys, with which a request is signed. No secret shows in its repr."""

    region: str
    """Where the signature holds, such as `eu-central-1`."""
    access_key_id: str = field(repr=False)
    """The public half, which travels with every request."""
    secret_access_key: SecretStr
    """The half that never travels."""
    session_token: SecretStr | None = None
    """Goes with short-lived keys."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One of several ways to prove who we are: a key, and the row that says how it travels."""

    preset: Preset = field(repr=False)
    api_key: SecretStr | None
    credentials: Credentials | None = None


class Workings:
    """Room beside the fields of a target for what has been worked out from them.

    It is no part of the value: it is not compared, shown or copied, and `replace` gives a target without it.
    """

    __slots__ = ("_workings",)
    _workings: dict[Callable[[Any], Any], Any]

    def once(self, work: Callable[[Self], T]) -> T:
        """What `work` makes of this target, worked out the first time that anyone asks.

        `work` is a function of a module, which depends on nothing but the target's fields; its result is
        shared by all calls and must hold nothing of any request.
        """
        try:
            done: T = self._workings[work]
        except AttributeError:
            # frozen for everyone else; where two threads come at once, one result is made twice
            object.__setattr__(self, "_workings", {})
        except KeyError:
            pass
        else:
            return done
        done = self._workings[work] = work(self)
        return done


@dataclass(frozen=True, slots=True)
class Target(Workings):
    """A provider's model with everything needed to speak to it."""

    provider: str
    """The configured name."""
    model: str
    """The provider's own name of the model."""
    preset: Preset
    """The catalogue row, the provider's overrides applied."""
    base_url: str
    """No trailing slash; braces already filled in."""
    api_key: SecretStr | None = None
    keys: tuple[Proof, ...] = ()
    """All of the provider's keys, where it has several; the target's own is the first."""
    credentials: Credentials | None = None
    """Signs each request, where the row's `auth` is `sigv4`."""
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Request fields for this target only; the router applies them before encoding."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    on_unsupported: OnUnsupported = "refuse"
    max_response_bytes: int = 64 * 1024 * 1024
    fetch_media: bool = False
    """Whether images and files may be fetched for a wire that takes none by address."""
    max_media_bytes: int = 20 * 1024 * 1024
    """The largest of them."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    def with_each_key(self) -> tuple[Target, ...]:
        """The target with each of several keys; nothing where it has but one."""
        return self.once(_with_each_key) if self.keys else ()

    def settling(self, on_unsupported: OnUnsupported) -> Target:
        """The target with another way with what it cannot say; the same one for the same word."""
        if on_unsupported == self.on_unsupported:
            return self
        others = self.once(_others)
        if on_unsupported not in others:
            others[on_unsupported] = replace(self, on_unsupported=on_unsupported)
        return others[on_unsupported]

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """Everything that must never stand in a message, should a provider repeat it."""
        keys = self.credentials
        signing = () if keys is None else (keys.secret_access_key, keys.session_token)
        own = (self.api_key, *signing, *(one.api_key for one in self.keys))
        return (*(secret for secret in own if secret is not None), *self.headers.values())


def _with_each_key(target: Target) -> tuple[Target, ...]:
    return tuple(
        replace(target, preset=one.preset, api_key=one.api_key, credentials=one.credentials, keys=())
        for one in target.keys
    )


def _others(target: Target) -> dict[OnUnsupported, Target]:  # noqa: ARG001 - filled when one is asked for
    return {}


@dataclass(slots=True)  # not frozen, which takes five times as long to make, and one is made for each attempt
class WireRequest:
    """One HTTP request, ready to be carried; nobody changes one. Header values never show in its repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    adaptations: tuple[Adaptation, ...] = ()
    stream: bool = False
    """Whether the answer is asked for as a stream, which it may be although the caller wants it whole."""
    address: str | None = None
    """The IP address to connect to, so that the URL's host is not looked up; its name is still the one that
    is asked for and that the server's certificate must bear."""


class Decoder(Protocol):
    """Turns the bytes of one streamed answer into chunks, however they are cut."""

    @property
    def done(self) -> bool:
        """Whether the terminal event has come, so that nobody need wait for the bytes to end."""
        ...

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """Yield the chunks that `data` completes; raise a ProviderError where the wire reports one."""
        ...

    def close(self) -> Iterator[ChatChunk]:
        """Yield what is left when the bytes end; StreamInterruptedError if no terminal event came."""
        ...


class Dialect(Protocol):
    """One wire format."""

    name: str

    def encode(self, request: ChatCompletion, target: Target) -> WireRequest:
        """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
        ...

    def decode(self, body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
        """A whole answer; ProviderError for an error inside it, MalformedResponseError for anything else."""
        ...

    def decoder(self, request: ChatCompletion, target: Target) -> Decoder:
        """A fresh decoder for one streamed answer."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> ProviderError:
        """The typed error of an answer whose status is not 2xx; header names are lower case."""
        ...

    def models_request(self, target: Target) -> WireRequest:
        """The HTTP request that lists the provider's models."""
        ...

    def models(self, body: bytes, target: Target) -> ModelList:
        """The list in the answer to `models_request`; MalformedResponseError where it is none."""
        ...
