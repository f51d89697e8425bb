"""What a user may say: providers, routes, defaults and prices, as frozen models that refuse unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from .durations import Duration, Money

Kind = Literal[
    "authentication", "permission", "not_found", "invalid_request", "context_window", "content_policy",
    "rate_limit", "quota", "timeout", "overloaded", "server", "connection", "malformed", "interrupted",
    "empty", "refusal", "unsupported",
]  # fmt: skip
"""The class of an error, as the word that YAML, logs and the ledger use."""

RETRY_ON: tuple[Kind, ...] = ("rate_limit", "overloaded", "server", "connection", "timeout")
FALLBACK_ON: tuple[Kind, ...] = (
    "rate_limit", "quota", "overloaded", "server", "connection", "timeout", "malformed", "interrupted",
    "empty", "context_window", "authentication", "permission", "not_found", "unsupported",
)  # fmt: skip

OnUnsupported = Literal["refuse", "drop", "warn"]


class Section(BaseModel):
    """A frozen part of the settings; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timeouts(Section):
    """Limits of one attempt, in seconds; None means no limit of its own."""

    connect: Duration = 5.0
    """Until the connection stands."""
    first_token: Duration = 60.0
    """From sending until the first text, reasoning or tool call; comments and role chunks do not count."""
    idle: Duration = 30.0
    """Between two pieces of a stream."""
    attempt: Duration | None = None
    """The whole attempt, stream included."""


class Retry(Section):
    """How often one target is tried, for which kinds, and how long to wait between."""

    attempts: int = Field(default=2, ge=1, le=20)
    """Tries of one target, the first included."""
    on: tuple[Kind, ...] = RETRY_ON
    base: Duration = 0.25
    """First backoff ceiling, in seconds; full jitter draws below it."""
    rate_limit_base: Duration = 1.0
    factor: float = Field(default=2.0, ge=1)
    cap: Duration = 8.0
    max_server_wait: Duration = 20.0
    """A longer wait asked for by the server moves on to the next target."""


class ProviderSettings(Section):
    """One account or server, by the name that targets use."""

    preset: str | None = None
    """Row of the catalogue to start from; the provider's own name when neither preset nor dialect is given."""
    dialect: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    query: Mapping[str, str] = Field(default_factory=dict)
    options: Mapping[str, str] = Field(default_factory=dict)
    """Words that the preset's URL names in braces, such as Azure's deployment."""
    quirks: Mapping[str, Any] = Field(default_factory=dict)
    """Fields of the catalogue row to override for this provider."""
    timeouts: Timeouts | None = None
    max_response_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)


class TargetNode(Section):
    """A provider's model with what is particular to it on this route."""

    target: str = Field(pattern=r"^[^/\s]+/\S+$")
    """`provider/model`; the model's name may hold slashes."""
    request: Mapping[str, Any] = Field(default_factory=dict)
    """Request fields set for this target only; null takes the caller's field away."""
    timeouts: Timeouts | None = None
    retry: Retry | None = None

    @property
    def provider(self) -> str:
        """The provider's configured name."""
        return self.target.partition("/")[0]

    @property
    def model(self) -> str:
        """The provider's own name of the model."""
        return self.target.partition("/")[2]


class RouteNode(Section):
    """Another route, standing here with all its targets."""

    route: str


class ChainNode(Section):
    """Nodes tried in order."""

    chain: tuple[Node, ...] = Field(min_length=1)


def _node(value: object) -> object:
    if isinstance(value, str):
        return TargetNode(target=value)
    return value


Node = Annotated[TargetNode | RouteNode | ChainNode, BeforeValidator(_node)]


class Route(Section):
    """A name that callers use, standing for a tree of targets."""

    chain: tuple[Node, ...] = Field(min_length=1)
    deadline: Duration | None = None
    max_attempts: int | None = Field(default=None, ge=1, le=100)
    """Attempts over all targets of one call."""
    retry: Retry | None = None
    timeouts: Timeouts | None = None
    fallback_on: tuple[Kind, ...] | None = None
    context_window: tuple[Node, ...] = ()
    """Where to go, after the chain's own targets were too small, for that kind only."""
    content_policy: tuple[Node, ...] = ()
    on_unsupported: OnUnsupported | None = None
    on_interrupt: Literal["raise"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"chain": value} if isinstance(value, (list, tuple)) else value


class Defaults(Section):
    """What every route does unless it says otherwise."""

    deadline: Duration = 120.0
    max_attempts: int = Field(default=4, ge=1, le=100)
    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    fallback_on: tuple[Kind, ...] = FALLBACK_ON
    on_unsupported: OnUnsupported = "refuse"


class PriceRow(Section):
    """What one model costs, in US dollars per million tokens of each bucket."""

    input: Money
    output: Money
    cached: Money | None = None
    """Prompt tokens read from the provider's cache; None: the input price."""
    cache_write: Money | None = None
    reasoning: Money | None = None
    """None: the output price."""
    audio_input: Money | None = None
    audio_output: Money | None = None
    above: tuple[PriceTier, ...] = ()
    """Other prices for prompts over a number of tokens, smallest first."""


class PriceTier(Section):
    """The prices of a call whose prompt is longer than `prompt_tokens`."""

    prompt_tokens: int = Field(ge=1)
    input: Money
    output: Money
    cached: Money | None = None
    cache_write: Money | None = None
    reasoning: Money | None = None


class Settings(Section):
    """Everything a Router is made from."""

    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    routes: Mapping[str, Route] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    prices: Mapping[str, PriceRow] = Field(default_factory=dict)
    """By `provider/model`, where `*` stands for any run of characters."""


PriceRow.model_rebuild()
ChainNode.model_rebuild()
Route.model_rebuild()
Settings.model_rebuild()
