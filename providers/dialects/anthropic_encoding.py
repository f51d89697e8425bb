"""A normalized request becomes a request to Anthropic's Messages.

Source: request types of anthropic 2.12; Claude docs on the Messages API, thinking, effort and beta headers,
read 2026-11-21. What one generation of models takes and another refuses stands in anthropic.yaml.
"""

from __future__ import annotations

from typing import Any

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .anthropic_caching import Marks
from .anthropic_messages import WIRE, write_messages, write_system
from .anthropic_thinking import settle_thinking
from .anthropic_tools import plan_form, write_choice, write_tools
from .draft import Draft, Json
from .tooling import answer_tool, take_format, take_tools
from .turns import take_turns
from .writing import (
    begin,
    pass_on,
    posted,
    put_words,
    settle,
    settle_stream,
    stream_upstream,
    take_max_tokens,
    take_number,
    take_stop,
)

DEFAULT_LIMIT = 8192
"""Tokens of an answer where neither the request nor the row says a limit, which the wire requires."""
LONG_ANSWER = 21_333
"""Tokens beyond which a whole answer may take more than ten minutes, longer than networks keep still."""
STOPS = 16
"""More stop sequences than the contract allows, so that none is ever lost; the wire names no limit."""
BETA = "anthropic-beta"
"""The header that lists beta features."""
INTERLEAVED = "interleaved-thinking-2025-05-14"
"""The beta that lets models of the first thinking generations think between their tool calls."""

_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    given = [dict(tool) for tool in draft.payload.get("tools") or ()]
    turns, tooling, wanted = take_turns(draft, WIRE), take_tools(draft), take_format(draft)
    limit = take_max_tokens(draft) or draft.capabilities.output_limit or DEFAULT_LIMIT
    body: Json = {} if "{model}" in target.preset.path else {"model": target.model}
    body["max_tokens"] = limit
    settle_thinking(draft, turns, limit, body)
    marks, name = Marks(draft), answer_tool(request)
    form = plan_form(wanted, tooling, name, draft)
    tools = write_tools(tooling, given, form, wanted, name, draft, marks)
    choice = write_choice(tooling, form, name, draft, tools)
    system = write_system(turns, draft, marks, form.line)
    body["messages"] = write_messages(turns, draft, marks)
    marks.settle(automatic=bool(draft.payload.get("cache_control")))
    body.update({key: value for key, value in (("system", system), ("tools", tools)) if value})
    if choice is not None:
        body["tool_choice"] = choice
    if form.way == "compiled":
        body["output_config"] = {"format": {"type": "json_schema", "schema": form.schema}}
    _sampling(draft, body)
    _others(draft, body)
    put_words(draft, body)
    pass_on(draft, body)
    _calm(draft, body)
    headers = _headers(draft, body)
    _stream(request, draft, body)
    settle(draft)
    return posted(draft, body, headers)


def _sampling(draft: Draft, body: Json) -> None:
    for name in ("temperature", "top_p", "top_k"):
        if "no_sampling" in draft.flags:
            draft.drop(name, "the model chooses among tokens in its own way")
        elif draft.active and name in draft.thinking.excludes:
            draft.drop(name, "not taken while the model thinks")
        elif name == "top_p" and "temperature" in body and "one_sampler" in draft.flags:
            draft.drop(name, "the model takes temperature or top_p; temperature is sent")
        elif name == "top_k":
            _top_k(draft, body)
        elif (value := take_number(draft, name, 0, 1)) is not None:
            body[name] = value


def _top_k(draft: Draft, body: Json) -> None:
    value = draft.payload.get("top_k")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        body["top_k"] = draft.take("top_k")
    else:
        draft.drop("top_k", "the wire takes a whole number")


def _others(draft: Draft, body: Json) -> None:
    """Stop sequences, who asks, and how fast it is to be served."""
    stops = take_stop(draft, STOPS)
    if stops:
        body["stop_sequences"] = stops
    metadata: dict[str, Any] = draft.take("metadata") or {}
    safety, user = draft.take("safety_identifier"), draft.take("user")
    own = metadata.pop("user_id", None)
    person = safety or user or own
    if person:
        body["metadata"] = {"user_id": person}
    for source, value in (("user", user), ("metadata.user_id", own)):
        if value and value != person:
            draft.report(source, "dropped", "the wire takes one id of who asks")
    if metadata:
        draft.report("metadata", "dropped", "the wire takes no labels")
    tier = draft.take("service_tier")
    if tier in _TIERS:
        body["service_tier"] = _TIERS[tier]
    elif tier is not None:
        draft.report("service_tier", "dropped", "the wire knows auto and default")


def _calm(draft: Draft, body: Json) -> None:
    """Some models refuse the highest efforts while they do not think."""
    config = body.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if "calm_off" in draft.flags and draft.active is False and effort in {"xhigh", "max"}:
        body["output_config"] = {**config, "effort": "high"} if isinstance(config, dict) else config
        draft.report("output_config.effort", "clamped", "no more than high is taken while thinking is off")


def _headers(draft: Draft, body: Json) -> dict[str, str]:
    """The beta features: the row's, the user's, the request's, and what this request needs."""
    fixed = {name.lower(): value for name, value in draft.preset.headers.items()}
    fixed |= {name.lower(): value.get_secret_value() for name, value in draft.target.headers.items()}
    wanted = fixed.get(BETA, "").split(",")
    for name in ("anthropic_beta", "betas"):
        value = draft.take(name)
        wanted += value.split(",") if isinstance(value, str) else map(str, value or ())
    thinking = body.get("thinking")
    budget = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    if budget and body.get("tools") and "interleaved" in draft.flags:
        wanted.append(INTERLEAVED)
    names = dict.fromkeys(name.strip() for name in wanted if name.strip())
    return {BETA: ",".join(names)} if names else {}


def _stream(request: ChatCompletion, draft: Draft, body: Json) -> None:
    settle_stream(request, draft)
    if body["max_tokens"] > LONG_ANSWER:
        stream_upstream(draft, f"whole answers of more than {LONG_ANSWER} tokens may outlast the connection")
    if draft.stream:
        body["stream"] = True
