"""What Converse refuses: conversations out of order, calls without results, thinking that was tampered with.

The texts are the service's own, as users have quoted them; botocore 1.44.5 for names and patterns. Read
2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from .base import Json

_FIELDS = frozenset(
    {
        "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig",
        "additionalModelRequestFields", "promptVariables", "additionalModelResponseFieldPaths",
        "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
    }
)  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LENIENT = ("anthropic.", "qwen.", "zai.", "moonshot")
_ALONE = ("meta.", "mistral.", "writer.")
_MOST_POINTS = 4

Sign = Callable[[str], str]


def faults(body: Json, model: str, sign: Sign) -> Iterator[str]:
    """What is wrong with a request, the service's message for each; `sign` signs a model's thinking."""
    yield from (f"Unknown parameter in input: {name}" for name in body if name not in _FIELDS)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "The messages field is required."
        return
    yield from _order(messages, model)
    yield from _calls(messages, body)
    for place, message in enumerate(messages):
        yield from _content(message["content"], f"messages.{place}.content", model, sign)
    yield from _tools(body)
    yield from _numbers(body)


def _order(messages: list[Json], model: str) -> Iterator[str]:
    if messages[0]["role"] != "user" and not any(maker in model for maker in _LENIENT):
        yield (
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    roles = [message["role"] for message in messages]
    if any(role == after for role, after in pairwise(roles)):
        yield (
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )


def _calls(messages: list[Json], body: Json) -> Iterator[str]:
    waiting: list[str] = []
    used = False
    for place, message in enumerate(messages):
        results = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        missing = [identity for identity in waiting if identity not in results]
        if missing:
            yield (
                f"Expected toolResult blocks at messages.{place}.content "
                f"for the following Ids: {', '.join(missing)}"
            )
        if any(identity not in waiting for identity in results):
            yield (
                f"The number of toolResult blocks at messages.{place}.content "
                "exceeds the number of toolUse blocks of previous turn."
            )
        waiting = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        used = used or bool(waiting or results)
    if used and not body.get("toolConfig"):
        yield "The toolConfig field must be defined when using toolUse and toolResult content blocks."


def _content(content: list[Json], path: str, model: str, sign: Sign) -> Iterator[str]:
    for place, block in enumerate(content):
        if "text" in block and not block["text"].strip():
            yield (
                f"The text field in the ContentBlock object at {path}.{place} is blank. "
                "Add text to the text field, and try again."
            )
        use = block.get("toolUse")
        if use and not (_ID.fullmatch(use["toolUseId"]) and _NAME.fullmatch(use["name"])):
            yield f"Value at '{path}.{place}.member.toolUse' failed to satisfy constraint: regular expression"
        thought = (block.get("reasoningContent") or {}).get("reasoningText")
        if thought and "anthropic." in model and thought.get("signature") != sign(thought["text"]):
            yield f"{path}.{place}: Invalid `signature` in `thinking` block"
    kinds = {kind for block in content for kind in block}
    if "document" in kinds and "text" not in kinds:
        yield "A text block is required when a document is provided."
    if "toolResult" in kinds and len(kinds) > 1 and any(maker in model for maker in _ALONE):
        yield "Conversation blocks and tool result blocks cannot be provided in the same turn."
    if content and "cachePoint" in content[0]:
        yield "Cache point cannot be inserted as the first element in a message."


def _tools(body: Json) -> Iterator[str]:
    config = body.get("toolConfig")
    if config is None:
        return
    tools = config.get("tools") or []
    if not tools:
        yield "Value at 'toolConfig.tools' failed to satisfy constraint: length greater than 0"
    for tool in tools:
        spec = tool.get("toolSpec") or {}
        if spec.get("description") == "":
            yield "Value at 'toolSpec.description' failed to satisfy constraint: length greater than 0"
        if spec and not _NAME.fullmatch(spec["name"]):
            yield "Value at 'toolSpec.name' failed to satisfy constraint: regular expression"


def _numbers(body: Json) -> Iterator[str]:
    lists = [(body.get("toolConfig") or {}).get("tools") or [], body.get("system") or []]
    lists += [message["content"] for message in body["messages"]]
    if sum("cachePoint" in block for blocks in lists for block in blocks) > _MOST_POINTS:
        yield f"You have exceeded the limit of {_MOST_POINTS} cache points."
    config: Mapping[str, Any] = body.get("inferenceConfig") or {}
    for name in ("temperature", "topP"):
        if not 0 <= config.get(name, 0) <= 1:
            yield f"The value of {name} must be between 0 and 1."
    thinking = (body.get("additionalModelRequestFields") or {}).get("thinking") or {}
    if thinking.get("budget_tokens", 0) >= config.get("maxTokens", 10**9):
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."
