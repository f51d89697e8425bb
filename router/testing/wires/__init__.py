"""The wires that the simulator speaks besides OpenAI's Chat Completions, told apart by what is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from .base import Asked, Wire, render

__all__ = ["Asked", "Wire", "listing_wire", "render", "wire_for"]

_CHAT = {
    "responses": r"/responses",
    "anthropic": r"/v1/messages",
    "gemini": r"/models/[^/]+:(?:generate|streamGenerate)Content",
    "bedrock": r"/model/[^/]+/converse(?:-stream)?",
    "cohere": r"/v2/chat",
    "ollama": r"/api/chat",
}
"""Wire -> what the path of its chat ends with; each wire has a module of its name."""
_PATTERNS = tuple((name, re.compile(f"{ending}$")) for name, ending in _CHAT.items())


@cache
def _wire(name: str) -> Wire:
    wire: Wire = import_module(f".{name}", __name__).WIRE
    return wire


def wire_for(path: str) -> Wire | None:
    """The wire that a chat at this path speaks; None for OpenAI's Chat Completions and unknown paths."""
    return next((_wire(name) for name, pattern in _PATTERNS if pattern.search(path)), None)


def listing_wire(path: str, query: str, headers: Mapping[str, str]) -> Wire | None:
    """The wire in which a list of models is asked for; None for OpenAI's."""
    if path.endswith("/foundation-models"):
        return _wire("bedrock")
    if path.endswith("/api/tags"):
        return _wire("ollama")
    if re.search(r"/v1(?:beta1?)?/(?:publishers/google/)?models$", path):
        if "anthropic-version" in headers:
            return _wire("anthropic")
        if "endpoint=" in query:
            return _wire("cohere")
        if "x-goog-api-key" in headers or not path.endswith("/v1/models"):
            return _wire("gemini")
    return None
