"""Which wire of a host says a request, where the host speaks more than one.

OpenAI's models from GPT-5.4 on take function tools while they think only on the Responses wire, effort `max`
is only known there, and some models are not served on Chat Completions at all. A row of the catalogue names
such a second wire as a twin; `quirks: {twins: {}}` keeps a provider to its first one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from .catalogue import ModelRule, Preset, Thinking, catalogue
from .chat import ChatCompletion
from .dialect import Target
from .dialects.draft import rules_of
from .thinking import thinking_intent

T = TypeVar("T")

_RESPONSES = "responses"
_CHAT_ONLY = ("stop", "audio", "prediction", "logit_bias")
"""Fields that shape the answer and that only Chat Completions can say."""
_TWIN_ONLY = ("reasoning", "include", "max_tool_calls")
"""Fields of the Responses wire's own, which a request carries as extras."""
_SHARED = (
    "auth", "headers", "errors", "error_texts", "statuses", "request_id_headers", "local", "capabilities",
)  # fmt: skip
"""What a provider's quirks say of the host whatever the wire."""


def twin_for(request: ChatCompletion, target: Target) -> str | None:
    """The dialect of the twin that has to carry this request; None: the target's own wire can.

    A request that needs what only Chat Completions can say stays there, and so does one that gains nothing:
    a model that thinks only when it is asked to, or was told not to, takes its tools on either wire.
    RequestError where the request contradicts itself about thinking.
    """
    if not target.preset.twins:
        return None
    choice = target.once(_choice)
    if choice.always is not None or not choice.responses:
        return choice.always
    tools = choice.parts_tools and bool(request.tools)
    effort = request.reasoning_effort is not None and request.reasoning_effort in choice.efforts
    speaks = _speaks_responses(request, target)
    if not (tools or effort or speaks) or _needs_chat(request, target):
        return None
    parted = tools and _tools_and_thoughts(request, rules_of(target).thinking)
    return _RESPONSES if parted or effort or speaks else None


class _Choice(NamedTuple):
    """What decides between the wires of one target."""

    always: str | None
    """The dialect that alone serves the model."""
    responses: bool
    """Whether the host speaks Responses beside its own wire."""
    parts_tools: bool = False
    """Whether the model takes tools while it thinks on the Responses wire alone."""
    efforts: frozenset[str] = frozenset()
    """Efforts that only the Responses wire knows."""


def _choice(target: Target) -> _Choice:
    preset = target.preset
    for rule in preset.rules_of(target.model):
        if rule.dialect in preset.twins:
            return _Choice(rule.dialect, responses=False)
    if _RESPONSES not in preset.twins:
        return _Choice(None, responses=False)
    own, other = rules_of(target).thinking, rules_of(as_twin(target, _RESPONSES)).thinking
    return _Choice(
        None,
        responses=True,
        parts_tools="tools" in own.excludes and "tools" not in other.excludes,
        efforts=frozenset(other.efforts) - frozenset(own.efforts) if own.efforts else frozenset(),
    )


def as_twin(target: Target, dialect: str) -> Target:
    """The same target on another wire of its host, with what its provider's quirks say of the host."""
    twins = target.once(_twins)
    twin = twins.get(dialect)
    if twin is None:
        twin = twins[dialect] = dataclasses.replace(target, preset=twin_row(target, dialect))
    return twin


def _twins(target: Target) -> dict[str, Target]:  # noqa: ARG001 - filled when one is asked for
    return {}


def twin_row(target: Target, dialect: str) -> Preset:
    """The row of a twin, changed as the provider's own row was."""
    own, twin = target.preset, catalogue()[target.preset.twins[dialect]]
    plain = catalogue().get(own.name, own)
    changes = {name: getattr(own, name) for name in _SHARED if getattr(own, name) != getattr(plain, name)}
    if (facts := _leading(own.capabilities, plain.capabilities)) is not None:
        changes["capabilities"] = (*facts, *twin.capabilities)
    rules = _leading(own.thinking_rules, plain.thinking_rules)
    if own.thinking == plain.thinking and rules is not None:
        ours = (
            rule.model_copy(update={"thinking": _on_twin(rule.thinking, twin.thinking)}) for rule in rules
        )
        changes["thinking_rules"] = (*ours, *twin.thinking_rules)
    elif (own.thinking, own.thinking_rules) != (plain.thinking, plain.thinking_rules):
        changes |= {"thinking": _on_twin(own.thinking, twin.thinking), "thinking_rules": ()}
    flags = _flags(own.model_rules, plain.model_rules)
    if flags:
        changes["model_rules"] = (*twin.model_rules, *flags)
    return twin.model_copy(update=changes) if changes else twin


def _flags(own: tuple[ModelRule, ...], plain: tuple[ModelRule, ...]) -> tuple[ModelRule, ...]:
    """The flags of the rules that a user's `models` put behind those of the catalogue."""
    if own[: len(plain)] != plain:
        return ()
    added = (rule for rule in own[len(plain) :] if rule.flags)
    return tuple(ModelRule(models=rule.models, flags=rule.flags) for rule in added)


def _leading(own: tuple[T, ...], plain: tuple[T, ...]) -> tuple[T, ...] | None:
    """The rules that a user's `models` put before those of the catalogue; None where there are none."""
    count = len(own) - len(plain)
    return own[:count] if count > 0 and own[count:] == plain else None


def _on_twin(own: Thinking, twin: Thinking) -> Thinking:
    """A control of thinking that the user described for Chat Completions, in the twin's words."""
    excludes = tuple(name for name in own.excludes if name != "tools")
    field = twin.effort_field if twin.style == "effort" else "reasoning.effort"
    return own.model_copy(update={"effort_field": field, "excludes": excludes})


def _needs_chat(request: ChatCompletion, target: Target) -> bool:
    """Whether the request says what only Chat Completions can, and what this model takes there."""
    lacking = rules_of(target).unsupported
    return any(name not in lacking for name in _chat_words(request))


def _chat_words(request: ChatCompletion) -> Iterator[str]:
    if (request.n or 1) > 1:
        yield "n"
    if "audio" in (request.modalities or ()):
        yield "modalities"
    yield from (name for name in _CHAT_ONLY if getattr(request, name, None))
    contents = (message.content for message in request.messages)
    parts = (part for content in contents if isinstance(content, list) for part in content)
    if any(part.type == "input_audio" for part in parts):
        yield "messages.input_audio"


def _tools_and_thoughts(request: ChatCompletion, thinking: Thinking) -> bool:
    """Whether function tools meet a model that will think, and that does not take them together.

    The choice does not matter: tools that must not be called are refused just the same.
    """
    if "tools" not in thinking.excludes or not any(tool.function for tool in request.tools or ()):
        return False
    mode = thinking_intent(request).mode
    if mode == "unset":
        return bool(thinking.default_on)
    return mode != "off" or not thinking.off


def _speaks_responses(request: ChatCompletion, target: Target) -> bool:
    """Whether the request holds what only the Responses wire understands: its fields, or its kept items."""
    extra = request.model_extra
    if extra and any(extra.get(name) is not None for name in _TWIN_ONLY):
        return True
    for message in request.messages:
        if message.reasoning_details and any(_is_own_item(one, target) for one in message.reasoning_details):
            return True
    return False


def _is_own_item(detail: Mapping[str, Any], target: Target) -> bool:
    """Whether a kept block is one of the Responses wire, of this very model."""
    kind = str(detail.get("type", ""))
    origin = detail.get("provider"), detail.get("model")
    return kind.startswith(f"{_RESPONSES}.") and origin == (target.provider, target.model)
