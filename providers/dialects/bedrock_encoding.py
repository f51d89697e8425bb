"""A normalized request becomes a request to Converse or ConverseStream.

Source: botocore 1.44.5, shape `ConverseRequest`; Bedrock user guide; read 2026-11-21. What one maker's models
take and another's refuse stands in bedrock.yaml.
"""

from __future__ import annotations

import re

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from ..thinking import Intent
from .bedrock_blocks import Blocks
from .bedrock_caching import Marks, settle_marks
from .bedrock_messages import THOUGHT, WIRE, write_messages, write_system
from .bedrock_tools import plan_form, write_tools
from .draft import Draft, Json
from .tooling import answer_tool, take_format, take_tools
from .turns import Turn, loop_without, take_turns
from .writing import (
    begin,
    compile_intent,
    pass_on,
    posted,
    put,
    put_words,
    settle,
    settle_stream,
    take_max_tokens,
    take_number,
    take_stop,
)

EVENT_STREAM = "application/vnd.amazon.eventstream"
"""The content type of a stream."""
STOPS = 2500
"""Stop sequences that the wire takes; most models take fewer."""
LABELS = 16
"""Pairs of `requestMetadata`."""
PATHS = 10
"""Entries of `additionalModelResponseFieldPaths`."""
_LABEL = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,\-.]{0,256}", re.ASCII)
_TIERS = frozenset({"default", "flex", "priority", "reserved"})
_MODEL = "additionalModelRequestFields"
_ANSWERS = "additionalModelResponseFieldPaths"


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    turns, tooling, wanted = take_turns(draft, WIRE), take_tools(draft), take_format(draft)
    limit = take_max_tokens(draft)
    _settle_budget(draft, turns, limit)
    marks = Marks(draft)
    blocks = Blocks(draft, marks)
    form = plan_form(wanted, tooling, answer_tool(request), draft)
    tools = write_tools(tooling, form, turns, draft, marks)
    system = write_system(turns, blocks)
    if form.line:
        system.append({"text": form.line})
    body: Json = {"messages": write_messages(turns, draft, blocks)}
    said = {"system": system, "toolConfig": tools.body, "outputConfig": form.output}
    body.update({name: value for name, value in said.items() if value})
    settle_marks(body, draft)
    _inference(draft, body, limit)
    _others(draft, body)
    if tools.own:
        put(body, f"{_MODEL}.tool_choice", tools.own)
    put_words(draft, body)
    paths = _wanted_answers(draft)
    pass_on(draft, body)
    if paths:
        body[_ANSWERS] = list(dict.fromkeys([*(body.get(_ANSWERS) or ()), *paths]))[:PATHS]
    settle_stream(request, draft)
    settle(draft)
    return posted(draft, body, {"accept": EVENT_STREAM} if draft.stream else None)


def _settle_budget(draft: Draft, turns: list[Turn], limit: int | None) -> None:
    """A budget for thinking must leave room for the answer, and a tool loop must begin with its thinking."""
    path = draft.thinking.budget
    if not draft.active or path is None or path not in draft.words:
        return
    least = draft.thinking.budget_range[0] if draft.thinking.budget_range else 1
    most = limit or draft.capabilities.output_limit
    if loop_without(THOUGHT, turns):
        _switch_off(draft, "the running tool loop came without its signed thinking")
    elif most is not None and most <= least:
        _switch_off(draft, f"{most} tokens leave no room for {least} of thinking, the least")
    elif most is not None and draft.words[path] >= most:
        draft.words[path] = max(least, most * 3 // 4)
        reason = f"{draft.words[path]} of the {most} tokens are for thinking"
        draft.report(draft.intent.source, "clamped", reason)


def _switch_off(draft: Draft, reason: str) -> None:
    source = draft.intent.source
    compile_intent(Intent("off", source=source), draft)
    draft.report(source, "dropped", f"{reason}; thinking is off for this request")


def _inference(draft: Draft, body: Json, limit: int | None) -> None:
    config: Json = {} if limit is None else {"maxTokens": max(1, limit)}
    samplers: Json = {}
    for name in ("temperature", "top_p", "top_k"):
        if "no_sampling" in draft.flags:
            draft.drop(name, "the model chooses among tokens in its own way")
        elif draft.active and name in draft.thinking.excludes:
            draft.drop(name, "not taken while the model thinks")
        elif name == "top_k":
            _top_k(draft, body)
        elif (value := take_number(draft, name, 0, 1)) is not None:
            samplers[name] = value
    if "one_sampler" in draft.flags and len(samplers) > 1:
        del samplers["top_p"]
        draft.report("top_p", "dropped", "the model takes temperature or top_p; temperature is sent")
    config.update({{"top_p": "topP"}.get(name, name): value for name, value in samplers.items()})
    stops = take_stop(draft, STOPS, blank="claude" not in draft.flags)
    if stops:
        config["stopSequences"] = stops
    if config:
        body["inferenceConfig"] = config


def _top_k(draft: Draft, body: Json) -> None:
    """Not among the wire's own fields, and spelled differently by each maker."""
    place = (
        "top_k" if "top_k" in draft.flags else "inferenceConfig.topK" if "top_k_nova" in draft.flags else ""
    )
    value = draft.payload.get("top_k")
    if place and isinstance(value, int) and not isinstance(value, bool):
        put(body, f"{_MODEL}.{place}", draft.take("top_k"))


def _others(draft: Draft, body: Json) -> None:
    """Labels for logs, and how fast the request is to be served."""
    labels: Json = {}
    for name, value in (draft.take("metadata") or {}).items():
        if name and _LABEL.fullmatch(name) and _LABEL.fullmatch(value) and len(labels) < LABELS:
            labels[name] = value
        else:
            rule = f"at most {LABELS} labels of up to 256 letters, digits and a few signs"
            draft.report(f"metadata.{name}", "dropped", f"the wire takes {rule}")
    if labels:
        body["requestMetadata"] = labels
    tier = draft.take("service_tier")
    if tier in _TIERS:
        body["serviceTier"] = {"type": tier}
    elif tier not in (None, "auto"):
        draft.report("service_tier", "dropped", f"the wire knows {', '.join(sorted(_TIERS))}")


def _wanted_answers(draft: Draft) -> list[str]:
    """What Claude tells only if it is asked: which stop sequence it met, and how long it thought."""
    if "claude" not in draft.flags:
        return []
    return ["/stop_sequence", *(["/usage/output_tokens_details"] if draft.active else [])]
