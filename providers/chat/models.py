"""The list of models that a provider, or turnout itself, offers."""

from typing import Annotated, Literal

from .record import NullAsEmptyList, Record, SecondsOrNull, always


class Model(Record):
    """One model."""

    id: str
    """What requests name it by; may hold slashes."""
    object: Annotated[Literal["model"], always("model")] = "model"
    """What this is; providers' other words for it are not kept."""
    created: SecondsOrNull = None
    """When it was made, in Unix seconds; null where the provider does not say."""
    owned_by: str | None = None
    """Who runs or made it."""


class ModelList(Record):
    """All models on offer."""

    object: Annotated[Literal["list"], always("list")] = "list"
    """What this is; providers' other words for it are not kept."""
    data: Annotated[list[Model], NullAsEmptyList] = []
    """The models."""
