"""What a user may say: providers, routes, defaults and prices, as frozen models that refuse unknown keys."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from .connections import ApiKey, BaseUrl, FunctionName, Headers
from .durations import Count, Duration, Flag, Money
from .nodes import NODE_KEYS, STRATEGIES, ChainNode, Node, PoolNode, RouteNode, TargetNode
from .policies import Breaker, Hedge, Limits, Retry, RetryBudget, SlowStream, Timeouts
from .scalars import resolved
from .sections import FALLBACK_ON, Kind, OnInterrupt, OnUnsupported, Section, unsaid

__all__ = [
    "MODEL_KEYS", "NODE_KEYS", "STRATEGIES", "ChainNode", "Defaults", "KeyNode", "Node", "PoolNode",
    "PriceRow", "PriceTier", "ProviderSettings", "Route", "RouteNode", "Settings", "TargetNode",
]  # fmt: skip

MODEL_KEYS = (
    "thinking", "images", "audio", "files", "tools", "forced_tools", "json_schema", "thinking_off", "prefill",
    "context_window", "output_limit", "unsupported", "only", "rename", "system_role", "dialect", "flags",
)  # fmt: skip
"""What may be said of a model under a provider's `models`; `turnout.providers` knows the values."""


class KeyNode(Section):
    """One of several keys of a provider; a key alone stands for one of weight 1."""

    key: ApiKey
    """The key; an empty one counts as none."""
    weight: Count = Field(default=1, ge=0, le=1_000_000)
    """Its share of the attempts, beside the other keys'; with 0 it rests."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return value if isinstance(value, (Mapping, KeyNode)) else {"key": value}


class ProviderSettings(Section):
    """One account or server, by the name that targets use."""

    preset: str | None = None
    """Row of the catalogue to start from; the provider's own name where neither this nor dialect is given."""
    dialect: str | None = None
    """Wire format, where it is not the preset's."""
    base_url: BaseUrl | None = None
    """Address that the dialect's paths are added to; the preset's when left out."""
    api_key: ApiKey | None = None
    """The key; an empty one counts as none, and the preset's environment variable is then looked up."""
    api_keys: tuple[KeyNode, ...] = ()
    """Several keys in place of api_key, used by turns; one that is refused or at its limit is left alone for
    a while, and the next one is used at once."""
    headers: Headers = Field(default_factory=dict)
    """Headers sent with every request, besides the dialect's own."""
    query: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Query parameters sent with every request."""
    options: Mapping[str, str] = Field(default_factory=dict)
    """Words that the preset's URL names in braces, such as Azure's deployment."""
    quirks: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of the catalogue row to override for this provider."""
    models: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    """What is known of this provider's models, by a pattern of their names where `*` stands for any run of
    characters: how they are told to think, what they can take, what their wire cannot say. It wins over the
    catalogue; the first pattern that says a thing counts."""
    timeouts: Timeouts | None = None
    """Limits for this provider's targets, where they name none."""
    max_response_bytes: Count = Field(default=64 * 1024 * 1024, ge=1024)
    """A longer answer is cut off and counts as malformed."""
    fetch_media: Flag = False
    """Whether images and files that a request names by address are fetched, for wires that take bytes."""
    max_media_bytes: Count = Field(default=20 * 1024 * 1024, ge=1024)
    """The largest image or file that is fetched; all of one call together may be five times as large."""
    token_from: FunctionName | None = None
    """`package.module:function` that gives a short-lived token, sent as Bearer in place of a key."""
    breaker: Breaker | None = None
    """When its targets are left alone for a while; None: as the defaults say."""
    retry_budget: RetryBudget | None = None
    """How much retries and hedges may add to its traffic; None: as the defaults say."""
    limits: Limits | None = None
    """What it may be asked in a minute and at a time."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_said(cls, value: object) -> object:
        return {} if value is None else value

    @field_validator("api_key", mode="after")
    @classmethod
    def _no_empty_key(cls, key: ApiKey | None) -> ApiKey | None:
        return key if key is not None and key.get_secret_value() else None

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        said = [name for name in ("api_key", "api_keys", "token_from") if getattr(self, name)]
        if len(said) > 1:
            raise ValueError(f"{said[0]} and {said[1]} exclude each other; keep the one to be sent")
        return self

    @model_validator(mode="after")
    def _keys_in_use(self) -> Self:
        given = [node for node in self.api_keys if node.key.get_secret_value()]
        if given and not any(node.weight for node in given):
            raise ValueError("api_keys: the weight of every key is 0; leave one above")
        seen: dict[SecretStr, int] = {}
        for place, node in enumerate(self.api_keys, 1):
            if node.key.get_secret_value() and seen.setdefault(node.key, place) != place:
                raise ValueError(f"api_keys: keys {seen[node.key]} and {place} are the same; leave one out")
        return self

    @property
    def keys_in_use(self) -> Mapping[int, KeyNode]:
        """The keys among which attempts are shared out, by their places in `api_keys`, from 1."""
        return {
            place: node
            for place, node in enumerate(self.api_keys, 1)
            if node.weight and node.key.get_secret_value()
        }

    @field_validator("quirks", "models", mode="before")
    @classmethod
    def _plain_quirks(cls, value: object) -> object:
        return resolved(value)


class Route(Section):
    """A name that callers use, standing for a tree of targets."""

    chain: tuple[Node, ...] = Field(min_length=1)
    """Where calls go, in order."""
    deadline: Duration | None = None
    """The whole call, in seconds; None: the defaults'."""
    max_attempts: Count | None = Field(default=None, ge=1, le=100)
    """Attempts over all targets of one call."""
    retry: Retry | None = None
    """Tries of each target that says nothing itself."""
    timeouts: Timeouts | None = None
    """Limits of each target that says nothing itself."""
    fallback_on: tuple[Kind, ...] | None = None
    """Kinds of error after which the next target is tried; None: the defaults'."""
    context_window: tuple[Node, ...] = ()
    """Where to go at once when a target is too small for the request; the call ends there."""
    content_policy: tuple[Node, ...] = ()
    """Where to go at once when a target's content filter refused; the call ends there."""
    on_unsupported: OnUnsupported | None = None
    """What happens to hints that a target cannot express; None: the defaults'."""
    on_interrupt: OnInterrupt | None = None
    """What happens to a stream that breaks after its first word; None: the defaults'."""
    slow_stream: SlowStream | None = None
    """When a stream is too slow to wait for; None: the defaults'."""
    hedge: Hedge | None = None
    """When the next target is started beside the first; None: the defaults'."""
    reject: tuple[FunctionName, ...] = ()
    """`package.module:function`, each asked of every answer whether another target is to be tried instead."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"chain": value} if isinstance(value, (list, tuple)) else value


class Defaults(Section):
    """What every route does unless it says otherwise."""

    deadline: Duration = 120.0
    """The whole call, in seconds."""
    max_attempts: Count = Field(default=4, ge=1, le=100)
    """Attempts over all targets of one call."""
    retry: Retry = Field(default_factory=unsaid(Retry))
    """Tries of each target."""
    timeouts: Timeouts = Field(default_factory=unsaid(Timeouts))
    """Limits of each attempt."""
    fallback_on: tuple[Kind, ...] = FALLBACK_ON
    """Kinds of error after which the next target is tried."""
    on_unsupported: OnUnsupported = "refuse"
    """What happens to hints that a target cannot express."""
    on_interrupt: OnInterrupt = "raise"
    """What happens to a stream that breaks after its first word."""
    slow_stream: SlowStream | None = None
    """When a stream is too slow to wait for; None: never."""
    breaker: Breaker | None = None
    """When a target is left alone for a while; None: never."""
    retry_budget: RetryBudget | None = None
    """How much retries and hedges may add to a provider's traffic; None: as much as each call may."""
    hedge: Hedge | None = None
    """When the next target is started beside the first; None: never."""


class PriceRow(Section):
    """What one model costs, in US dollars per million tokens of each bucket."""

    input: Money
    """Prompt tokens."""
    output: Money
    """Tokens of the answer."""
    cached: Money | None = None
    """Prompt tokens read from the provider's cache; None: the input price."""
    cache_write: Money | None = None
    """Prompt tokens written to the provider's cache; None: the input price."""
    cache_write_1h: Money | None = None
    """Prompt tokens written to the cache for an hour; None: the cache_write price."""
    reasoning: Money | None = None
    """Tokens of the reasoning; None: the output price."""
    thinking_output: Money | None = None
    """All output tokens, reasoning included, of an answer with reasoning; None: no such difference."""
    audio_input: Money | None = None
    """Prompt tokens of sound; None: the input price."""
    audio_output: Money | None = None
    """Answer tokens of sound; None: the output price."""
    above: "tuple[PriceTier, ...]" = ()
    """Other prices for prompts over a number of tokens, smallest first."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        """One amount prices input and output alike; two are input and output."""
        if isinstance(value, (list, tuple)) and len(value) == 2:
            return {"input": value[0], "output": value[1]}
        if isinstance(value, (int, float, str, Decimal)):
            return {"input": value, "output": value}
        return value

    @field_validator("above", mode="after")
    @classmethod
    def _rising(cls, tiers: "tuple[PriceTier, ...]") -> "tuple[PriceTier, ...]":
        lengths = [tier.prompt_tokens for tier in tiers]
        if lengths != sorted(set(lengths)):
            raise ValueError("list the tiers by rising prompt_tokens, each number once")
        return tiers


class PriceTier(Section):
    """The prices of a call whose prompt is longer than `prompt_tokens`."""

    prompt_tokens: Count = Field(ge=1)
    """The tier begins above this many prompt tokens, cached ones included."""
    input: Money
    """As in PriceRow, and so are the rest."""
    output: Money
    cached: Money | None = None
    cache_write: Money | None = None
    cache_write_1h: Money | None = None
    reasoning: Money | None = None
    thinking_output: Money | None = None


class Settings(Section):
    """Everything a Router is made from."""

    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    """Accounts and servers, by the name that targets use."""
    routes: Mapping[str, Route] = Field(default_factory=dict)
    """Names that callers use as `model`."""
    defaults: Defaults = Field(default_factory=unsaid(Defaults))
    """What holds where nothing nearer says otherwise."""
    prices: Mapping[str, PriceRow] = Field(default_factory=dict)
    """By `provider/model`, where `*` stands for any run of characters."""
    drain: Duration = 10.0
    """Seconds that calls in flight get to finish when the router is closed."""

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, value: object) -> object:
        """A section whose lines are all commented out reads as null and says nothing."""
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value
