"""The layer that chooses one of the provider's keys for each attempt."""

from __future__ import annotations

from random import Random

from ..pipeline import Handler, Layer
from .account import Books


def keys(books: Books, random: Random) -> Layer:
    """The layer that chooses one of the provider's keys for each attempt."""

    def layer(inner: Handler) -> Handler:
        return inner

    return layer
