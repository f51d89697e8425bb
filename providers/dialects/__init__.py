"""Wire formats, by name; a format's code is imported when it is first used."""

from __future__ import annotations

from turnout.config.errors import ConfigError
from turnout.config.suggestions import did_you_mean

from ..dialect import Dialect

NAMES = ("openai",)
"""The dialects that exist."""


def dialect(name: str) -> Dialect:
    """The dialect of that name; ConfigError where there is none."""
    if name == "openai":
        from .openai import OpenAIDialect

        return OpenAIDialect()
    raise ConfigError(f"there is no dialect {name!r}{did_you_mean(name, NAMES)} Known: {', '.join(NAMES)}.")
