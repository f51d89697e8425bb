"""One provider for each wire format, as a simulator answers for it."""

from __future__ import annotations

from typing import Any

from turnout.testing import Simulator

WIRES: dict[str, tuple[dict[str, Any], str]] = {
    "openai": ({"preset": "deepseek"}, "deepseek-v4-pro"),
    "responses": ({"preset": "openai-responses"}, "gpt-5.5"),
    "anthropic": ({"preset": "anthropic"}, "claude-sonnet-5"),
    "gemini": ({"preset": "gemini"}, "gemini-3.8-flash"),
    "bedrock": ({"preset": "bedrock"}, "us.anthropic.claude-sonnet-5-v1:0"),
    "cohere": ({"preset": "cohere"}, "command-a-reasoning-08-2025"),
    "ollama": ({"preset": "ollama-native"}, "qwen3:8b"),
}
"""Wire -> the provider's settings, and one of its models that thinks and calls tools."""
_ROOTED = frozenset({"anthropic", "gemini", "bedrock", "cohere", "ollama"})
"""Wires whose own paths begin with the version of the API."""


def provider_at(simulator: Simulator, wire: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a provider that the simulator plays."""
    provider = {**given, "base_url": simulator.root if wire in _ROOTED else simulator.url}
    return provider if wire == "ollama" else {**provider, "api_key": "sk-test-key"}
