"""The steps of a route: targets, other routes, chains and pools, which nest freely."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from .connections import check_function_name
from .durations import Count, Money
from .policies import Retry, Timeouts
from .scalars import resolved
from .sections import Section
from .suggestions import did_you_mean


def _override_name(name: str) -> str:
    if name in ("model", "messages", "stream"):
        raise ValueError(f"{name!r} is the router's own to set; take it out of request")
    return name


class Member(Section):
    """A node, which may be a member of a pool."""

    weight: Count = Field(default=1, ge=0, le=1_000_000)
    """Its share of a pool's traffic, beside the other members'; 0 sends nothing there."""


class TargetNode(Member):
    """A provider's model with what is particular to it on this route."""

    target: str = Field(pattern=r"^[^/\s]+/\S+$")
    """`provider/model`; the model's name may hold slashes."""
    request: Mapping[Annotated[str, AfterValidator(_override_name)], Any] = Field(default_factory=dict)
    """Request fields set for this target only; null takes the caller's field away."""
    timeouts: Timeouts | None = None
    """Limits of this target; otherwise the route's, the provider's, or the defaults."""
    retry: Retry | None = None
    """Tries of this target; otherwise the route's, or the defaults."""

    @field_validator("request", mode="before")
    @classmethod
    def _plain_request(cls, value: object) -> object:
        return resolved(value)

    @property
    def provider(self) -> str:
        """The provider's configured name."""
        return self.target.partition("/")[0]

    @property
    def model(self) -> str:
        """The provider's own name of the model."""
        return self.target.partition("/")[2]


class RouteNode(Member):
    """Another route, standing here with all its targets."""

    route: str = Field(min_length=1)
    """The route's name."""


class ChainNode(Member):
    """Nodes tried in order."""

    chain: "tuple[Node, ...]" = Field(min_length=1)
    """At least one node."""


STRATEGIES = (
    "ordered", "weighted", "round_robin", "least_latency", "least_busy", "least_cost", "sticky"
)  # fmt: skip
"""Names of the strategies that need no path."""


def _strategy_name(name: str) -> str:
    if ":" in name:
        return check_function_name(name)
    if name not in STRATEGIES:
        listed = f"; write one of {', '.join(STRATEGIES)}, or package.module:function for your own"
        raise ValueError(f"{name!r} is no strategy{did_you_mean(name, STRATEGIES) or listed}")
    return name


StrategyName = Annotated[
    str,
    AfterValidator(_strategy_name),
    WithJsonSchema(
        {"anyOf": [{"enum": list(STRATEGIES)}, {"type": "string", "pattern": r"^[\w.]+:[\w.]+$"}]}
    ),
]
"""One of the strategies, or a function of the user's own."""


class PoolNode(Member):
    """Nodes among which a strategy chooses; the others follow in its order if the first one fails."""

    pool: "tuple[Node, ...]" = Field(min_length=1)
    """At least one node."""
    strategy: StrategyName = "ordered"
    """One of the strategies by name, or `package.module:function` for one of your own."""
    by: Literal["user", "session", "prompt"] = "user"
    """What `sticky` holds on to: who asks (`safety_identifier` or `user`), the session (a tag or metadata
    called `session`, or `prompt_cache_key`), or how the prompt begins, up to the user's first message."""
    max_price: Money | None = None
    """US dollars that a call may cost by estimate; `least_cost` leaves out what costs more."""


NODE_KEYS = ("target", "route", "chain", "pool")
"""The keys that say what a node is; each node has exactly one of them."""


def _node(value: object) -> object:
    """The full form of a node's shorthand; an error in plain words where it is none of the three."""
    if isinstance(value, str):
        return {"target": value} if "/" in value else {"route": value}
    if isinstance(value, Member):
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError(
            "node", "write provider/model, a route's name, or a mapping with target, route, chain or pool"
        )
    named = [key for key in NODE_KEYS if key in value]
    if len(named) == 1:
        return value
    said = (
        f"{named[0]} and {named[1]} exclude each other"
        if named
        else "one of target, route, chain or pool is missing"
    )
    near = "" if named else next(filter(None, (did_you_mean(str(key), NODE_KEYS) for key in value)), "")
    raise PydanticCustomError("node", "{said}{near}", {"said": said, "near": near})


def _node_tag(value: object) -> str | None:
    for key in NODE_KEYS:
        if key in value if isinstance(value, Mapping) else hasattr(value, key):
            return f"<{key}>"
    return None


Node = Annotated[
    Annotated[TargetNode, Tag("<target>")]
    | Annotated[RouteNode, Tag("<route>")]
    | Annotated[ChainNode, Tag("<chain>")]
    | Annotated[PoolNode, Tag("<pool>")],
    Discriminator(_node_tag),
    BeforeValidator(_node),
]
"""One step of a chain. Its tags stand in angle brackets so that no error path mistakes them for a key."""
