"""Wire formats, by name; a format's code is imported when it is first used."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from turnout.config.errors import ConfigError
from turnout.config.suggestions import did_you_mean

from ..dialect import Dialect

_CLASSES = {
    "openai": "OpenAIDialect",
    "responses": "ResponsesDialect",
    "anthropic": "AnthropicDialect",
    "gemini": "GeminiDialect",
    "bedrock": "BedrockDialect",
    "cohere": "CohereDialect",
    "ollama": "OllamaDialect",
}

NAMES = tuple(_CLASSES)
"""The dialects that exist; each has a module of its name."""


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name; ConfigError where there is none."""
    if name not in _CLASSES:
        raise ConfigError(
            f"there is no dialect {name!r}{did_you_mean(name, NAMES)} Known: {', '.join(NAMES)}."
        )
    found: Dialect = getattr(import_module(f".{name}", __name__), _CLASSES[name])()
    return found
