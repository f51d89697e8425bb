"""How every request is begun and ended, whatever its wire: what comes from the call, and what is left over.

A dialect takes the fields that it can say out of the draft's payload and writes them in its own words.
Whatever is still there at the end is what the wire cannot say: `settle` refuses it or drops it, and reports
it, so that no field can be forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from ..auth import posting_headers, request_headers
from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from ..errors import UnsupportedError
from ..thinking import UNSET, Intent, compile_thinking, thinking_intent
from .draft import Draft, Json
from .prefilling import CONTINUES, settle_prefill

SHAPING = frozenset(
    {
        "tools",
        "tool_choice",
        "response_format",
        "n",
        "modalities",
        "audio",
        "stop",
        "logprobs",
        "top_logprobs",
    }
)
"""Fields that shape the answer: refused, not dropped, where a wire cannot say them."""

DEFAULTS: Mapping[str, Any] = {
    "n": 1, "tool_choice": "auto", "parallel_tool_calls": True, "logprobs": False, "top_logprobs": 0,
    "modalities": ["text"], "store": False, "stop": [], "response_format": {"type": "text"},
}  # fmt: skip
"""Values that say no more than leaving the field out; they may always be dropped."""

ROUTER_ONLY = ("cost", "trace", "tags")
"""Words of the router that never go to a provider."""

_THINKING = ("enable_thinking", "reasoning_effort", "thinking_budget")


def begin(request: ChatCompletion, target: Target) -> Draft:
    """A draft with the intent about thinking taken out of the fields and put into the wire's words."""
    fields = {name: value for name, value in request.wire().items() if value is not None and name != "model"}
    draft = Draft.for_target({"model": target.model, **fields}, target)
    for name in ROUTER_ONLY:
        draft.drop(name, "for the router, not for providers")
    draft.intent = thinking_intent(request)
    if CONTINUES in draft.payload:
        settle_prefill(request, draft)
    if draft.intent is UNSET:
        draft.active = draft.thinking.default_on
        return draft
    for name in _THINKING:
        draft.payload.pop(name, None)
    compile_intent(draft.intent, draft)
    return draft


def compile_intent(intent: Intent, draft: Draft) -> None:
    """Put an intent about thinking into the words of the draft's wire, `draft.words` by dotted path."""
    refuse = draft.target.on_unsupported == "refuse"
    try:
        compiled = compile_thinking(intent, draft.thinking, refuse=refuse, model=str(draft.target))
    except UnsupportedError as error:
        error.provider, error.model = draft.target.provider, draft.target.model
        raise
    draft.active, draft.words = compiled.active, compiled.fields
    draft.adaptations.extend(compiled.adaptations)


def settle_stream(request: ChatCompletion, draft: Draft) -> None:
    """Settle whether the answer is asked for as a stream, which some models need in order to think, and some
    hosts in order to stop when nobody waits any more."""
    draft.stream = bool(request.stream)
    if draft.preset.always_stream:
        stream_upstream(draft, "the host would finish a whole answer that nobody waits for")
    if not draft.stream and draft.active and draft.thinking.stream_only:
        stream_upstream(draft, "the model thinks only in streams")


def stream_upstream(draft: Draft, reason: str) -> None:
    """Ask for a stream although the caller wants the whole answer; the router puts it together."""
    if not draft.stream:
        draft.stream = True
        draft.report("stream", "emulated", f"{reason}; the answer is streamed and put together")


def take_max_tokens(draft: Draft) -> int | None:
    """The limit of tokens under either of its names, cut down to what the model can write."""
    new, old = (draft.payload.pop(name, None) for name in ("max_completion_tokens", "max_tokens"))
    wanted: int | None = old if new is None else new
    most = draft.capabilities.output_limit
    if wanted is not None and most is not None and wanted > most:
        name = "max_tokens" if new is None else "max_completion_tokens"
        draft.report(name, "clamped", f"the model writes at most {most} tokens; {most} is sent")
        return most
    return wanted


def take_number(draft: Draft, name: str, low: float, high: float) -> float | None:
    """A number out of the payload, brought between the bounds that the wire takes."""
    value = draft.payload.pop(name, None)
    if value is None:
        return None
    taken: float = min(max(value, low), high)
    if taken != value:
        draft.report(name, "clamped", f"this wire takes {low:g} to {high:g}; {taken:g} is sent")
    return taken


def take_stop(draft: Draft, most: int, *, blank: bool = False) -> list[str]:
    """At most `most` stop sequences; `blank` tells whether the wire takes those of white space alone."""
    given = draft.payload.pop("stop", None)
    stops: list[str] = [given] if isinstance(given, str) else list(given or ())
    kept = [stop for stop in stops if (stop if blank else stop.strip())]
    if len(kept) < len(stops):
        draft.refuse("stop", "the wire takes no empty stop sequence")
    if len(kept) > most:
        draft.refuse("stop", f"the wire takes at most {most} stop sequences")
    return kept[:most]


def put_words(draft: Draft, body: Json) -> None:
    """Write the intent's words, and what the row always sends, into a body; what stands there wins."""
    for path, value in draft.words.items():
        if not put(body, path, value):
            draft.report(draft.intent.source, "dropped", f"the request's own {path} is sent instead")
    always = draft.preset.send if draft.active is False else {**draft.preset.send, **draft.thinking.send}
    for path, value in always.items():
        put(body, path, value)


def put(body: Json, path: str, value: Any) -> bool:
    """Set a dotted path of a body where it is free; False where another value stands there."""
    *parents, last = path.split(".")
    place: Any = body
    for key in parents:
        place = place.setdefault(key, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        return False
    return bool(place.setdefault(last, value) == value)


def pass_on(draft: Draft, body: Json, names: Iterable[str] = ()) -> None:
    """Move the wire's own fields, which the request carries as extras, into the body as they are.

    An object joins one that is there already, the caller's keys first.
    """
    for name in (*draft.preset.passes, *names):
        value = draft.payload.pop(name, None)
        if value is None:
            continue
        ours = body.get(name)
        body[name] = {**ours, **value} if isinstance(ours, dict) and isinstance(value, dict) else value


def settle(draft: Draft) -> None:
    """Refuse or drop, and report, whatever the dialect has not taken out of the payload."""
    for name in ("model", "messages", "stream", "stream_options"):
        draft.payload.pop(name, None)
    for name, value in list(draft.payload.items()):
        reason = "this wire has no such field"
        if name in SHAPING and value != DEFAULTS.get(name):
            draft.refuse(name, reason)
        elif name not in DEFAULTS or value != DEFAULTS[name]:
            draft.report(name, "dropped", reason)
        del draft.payload[name]


def posted(draft: Draft, body: Json, headers: Mapping[str, str] | None = None) -> WireRequest:
    """The finished request: the row's path, the target's headers and the body as JSON."""
    every = posting_headers(draft.target, stream=draft.stream)
    elsewhere = draft.prefill.path if draft.prefill is not None else ""
    return WireRequest(
        method="POST",
        url=url_of(draft.target, elsewhere) if elsewhere else posting_url(draft.target, stream=draft.stream),
        headers={**every, **headers} if headers else every,
        body=json_bytes(body),
        adaptations=tuple(draft.adaptations),
        stream=draft.stream,
    )


def posting_url(target: Target, *, stream: bool) -> str:
    """The address that answers come from, put together once for each target."""
    whole, streamed = target.once(_posting)
    return streamed if stream else whole


def _posting(target: Target) -> tuple[str, str]:
    preset = target.preset
    return url_of(target, preset.path), url_of(target, preset.stream_path or preset.path)


def listing(target: Target, path: str | None = None) -> WireRequest:
    """The request that lists the provider's models."""
    url = url_of(target, target.preset.models_path if path is None else path)
    return WireRequest(method="GET", url=url, headers=request_headers(target, body=False), body=b"")


def url_of(target: Target, path: str) -> str:
    """The address of a path under the target's base URL, with its query; a path may bring one of its own."""
    path = path.replace("{model}", quote(target.model, safe=""))
    if not target.query:
        return f"{target.base_url}{path}"
    return f"{target.base_url}{path}{'&' if '?' in path else '?'}{urlencode(target.query)}"


def json_bytes(payload: Json) -> bytes:
    """Compact UTF-8; half a surrogate pair, which UTF-8 has no bytes for, stays escaped.

    TypeError for what is no JSON, ValueError for NaN and infinities among the payload's own values; those
    inside them have been checked with the request.
    """
    for value in payload.values():
        if type(value) is float and not isfinite(value):
            raise ValueError("JSON has no NaN and no Infinity")
    try:
        return to_json(payload)
    except ValueError:
        return _careful_json(payload)


def _careful_json(payload: Json) -> bytes:
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"), allow_nan=False).encode()
