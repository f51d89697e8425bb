"""A normalized request becomes the body of Ollama's `/api/chat`.

Sources: ollama's api/types.go (`ChatRequest`, `Message`, `Options`) and server/routes.go, commit fb307609 of
August 2026. The server forgets fields it does not know without a word, so nothing else is ever sent.
"""

from __future__ import annotations

from typing import Any

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .draft import Draft, Json
from .ollama_messages import write_messages
from .tooling import NO_PARAMETERS, Function, take_format, take_tools
from .turns import take_turns
from .writing import begin, pass_on, posted, put, put_words, settle, settle_stream, take_max_tokens, take_stop

OPTIONS = (
    "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "top_k", "min_p", "typical_p",
    "repeat_penalty", "repeat_last_n", "num_predict", "num_ctx", "num_keep", "num_batch", "num_gpu",
    "main_gpu", "num_thread", "use_mmap", "draft_num_predict",
)  # fmt: skip
"""Fields of `options`; those that the contract does not know may be given as extras of a request."""

SPELLINGS = {"repetition_penalty": "repeat_penalty"}
"""What other servers call an option -> its name here."""

STOPS = 64
"""The server sets no bound to stop sequences; the contract has one of its own."""


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    settle_stream(request, draft)
    body: Json = {"model": target.model}
    body["messages"] = write_messages(draft, take_turns(draft, "ollama", reasoning=not draft.thinking.never))
    body |= _tools(draft)
    options = _options(draft)
    if options:
        body["options"] = options
    body |= _logprobs(draft)
    pass_on(draft, body, ("think", "format"))
    _format(draft, body)
    put_words(draft, body)
    body["stream"] = draft.stream  # said either way, since the server streams where it is left out
    settle(draft)
    return posted(draft, body)


def _tools(draft: Draft) -> Json:
    """The functions; nothing is said where none may be called, since the wire has no choice of tools."""
    tooling = take_tools(draft)
    for path, tool in tooling.others:
        draft.refuse(path, f"the wire takes functions alone, no {tool.get('type')} tools")
    if not tooling.functions:
        return {}
    if tooling.choice == "none":
        draft.report("tool_choice", "emulated", "the wire cannot forbid tools; none are sent")
        return {}
    if tooling.forced:
        draft.refuse("tool_choice", f"the wire cannot say a tool choice of {tooling.choice}")
    if tooling.parallel is False:
        draft.report("parallel_tool_calls", "dropped", "the wire cannot forbid several calls at once")
    return {"tools": [_tool(function, draft) for function in tooling.functions]}


def _tool(function: Function, draft: Draft) -> Json:
    if function.cache_control:
        draft.report(f"{function.path}.cache_control", "dropped", "the wire has no cache marks")
    if function.strict is not None:
        draft.report(f"{function.path}.function.strict", "dropped", "the wire knows no strict schemas")
    written: Json = {"name": function.name, "parameters": _parameters(function.parameters)}
    if function.description is not None:
        written["description"] = function.description
    return {"type": "function", "function": written}


def _parameters(schema: Json | None) -> Json:
    """A schema that the server can read: it wants `type` and an object for each property."""
    if not schema:
        return NO_PARAMETERS
    properties = schema.get("properties") or {}
    whole = {name: inner if isinstance(inner, dict) else {} for name, inner in properties.items()}
    return {**schema, "type": "object", "properties": whole}


def _options(draft: Draft) -> Json:
    """The sampling options; what the request itself gives under `options` wins."""
    options: Json = {name: value for name in OPTIONS if (value := draft.take(name)) is not None}
    stops = take_stop(draft, STOPS, blank=True)
    if stops:
        options["stop"] = stops
    limit = take_max_tokens(draft)
    if limit is not None:
        _translate(draft, options, "max_tokens", "num_predict", limit)
    for name, wire in SPELLINGS.items():
        value = draft.take(name)
        if value is not None and _translate(draft, options, name, wire, value):
            draft.report(name, "renamed", f"{wire} is its name here")
    return _with_own(draft, options)


def _translate(draft: Draft, options: Json, name: str, wire: str, value: Any) -> bool:
    """Set an option under the wire's name for it; False, and a note, where the request says another there."""
    if options.setdefault(wire, value) == value:
        return True
    draft.report(name, "dropped", f"the request's own {wire} is sent instead")
    return False


def _with_own(draft: Draft, options: Json) -> Json:
    own = draft.take("options")
    if own is None:
        return options
    if not isinstance(own, dict):
        draft.report("options", "dropped", "the wire takes an object here")
        return options
    for name in options.keys() & own.keys():
        if options[name] != own[name]:
            draft.report(name, "dropped", f"the request's own options.{name} is sent instead")
    return {**options, **own}


def _logprobs(draft: Draft) -> Json:
    wanted, most = draft.take("logprobs"), draft.take("top_logprobs")
    if not wanted:
        return {}
    return {"logprobs": True, "top_logprobs": most} if most else {"logprobs": True}


def _format(draft: Draft, body: Json) -> None:
    """The schema that the answer must follow, or the word for any JSON."""
    wanted = take_format(draft)
    if wanted is None:
        return
    if not put(body, "format", "json" if wanted.kind == "json_object" else wanted.schema):
        draft.report("response_format", "dropped", "the request's own format is sent instead")
