"""The short way to the wire, for requests that need no adapting: they are written straight from the models.

Most requests are text messages, a few scalars and perhaps function tools with their calls and results. What
a row and its rules make of such a request depends on which fields it has and not on what stands in them. So
it is worked out once for each target, by sending an example the long way (`openai_drafting`), and kept with
the target. A request that has anything else in it takes the long way, which knows everything; both ways give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..auth import posting_headers
from ..chat import ChatCompletion, Message, TextPart, Tool, ToolCall
from ..dialect import Adaptation, Target, WireRequest
from ..errors import RequestError, UnsupportedError
from ..thinking import RANKS
from .draft import Json, rules_of
from .hooks import BRIEF, HOOKED
from .openai_drafting import drafted
from .writing import json_bytes, posting_url

_PASSED = (
    "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "metadata",
    "modalities", "n", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "user", "seed",
    "service_tier", "stop", "store", "temperature", "tools", "tool_choice", "top_p", "verbosity",
)  # fmt: skip
"""Fields that the long way passes on as they are, unless the row says otherwise; of choices only `auto`."""
_LIMITS = ("max_completion_tokens", "max_tokens")
_ALWAYS = frozenset({"model", "messages", "stream"})
_THINKING = frozenset({"enable_thinking", "reasoning_effort"})
_OWN = frozenset({"stream", "stream_options"}) | _THINKING
"""Fields that are never passed on as they are."""
_OPTIONS = frozenset({"include_usage"})
_SAID = frozenset({"role", "content"})
_CALLED = _SAID | {"tool_calls"}
_RESULT = _SAID | {"tool_call_id"}
_PART = frozenset({"type", "text"})
_TOOL = frozenset({"type", "function"})


Kind = tuple[bool, str | None, bool | None, str | None]
"""What tells kinds of requests apart: whether the caller streams, the name of the limit, and what is said of
thinking as a switch and as an effort, which is one of the words that are known."""


class Form(NamedTuple):
    """What surrounds the ordinary requests of one kind."""

    url: str
    headers: Mapping[str, str]
    adaptations: tuple[Adaptation, ...]
    stream: bool
    limit: str
    """The wire's name for the limit of tokens."""
    rest: Json
    """What stands at the end of the body: words about streaming, and what the row always sends."""


class Shortcut(NamedTuple):
    """What an ordinary request may have in it at one target."""

    names: frozenset[str]
    """Fields."""
    order: tuple[str, ...]
    """Those that are passed on, in the order of the body."""
    roles: frozenset[str]
    """Roles of messages that keep their name."""
    parts: bool
    """Whether a content may be a list of texts."""
    strict: bool
    """Whether functions may be `strict`."""
    calls: bool
    """Whether messages may call functions and bear their results."""
    blank: str | None
    """What stands for the content of a message that only calls."""
    forms: dict[Kind, Form | None]
    """What has been worked out so far; None: the long way has to be taken."""


def shortened(request: ChatCompletion, target: Target) -> WireRequest | None:
    """The HTTP request for an ordinary chat completion; None where the long way has to be taken."""
    shortcut = target.once(_shortcut)
    names = request.__pydantic_fields_set__
    if not names <= shortcut.names:
        return None
    said = request.__dict__
    messages = _messages(said["messages"], shortcut)
    if messages is None:
        return None
    body: Json = {"model": target.model, "messages": messages}
    limit = effort = None
    if len(names) > 2:
        for name in filter(names.__contains__, shortcut.order):
            if (value := said[name]) is not None:
                body[name] = value
        if not _written_tools(body, shortcut) or not _options_are_plain(said["stream_options"]):
            return None
        for name in _LIMITS:
            if said[name] is not None:
                if limit is not None:
                    return None
                limit = name
        effort = said["reasoning_effort"]
        if effort is not None and effort not in RANKS:
            return None
    kind = bool(said["stream"]), limit, said["enable_thinking"], effort
    try:
        form = shortcut.forms[kind]
    except KeyError:
        form = shortcut.forms[kind] = _form(target, kind, shortcut.names)
    if form is None:
        return None
    if limit is not None:
        body[form.limit] = said[limit]
    if form.rest:
        body.update(form.rest)
    return WireRequest("POST", form.url, form.headers, json_bytes(body), form.adaptations, form.stream)


def _messages(messages: list[Message], shortcut: Shortcut) -> list[Json] | None:
    """The messages, where each has nothing but text or calls, and each call its result at once; or None."""
    written: list[Json] = []
    roles = shortcut.roles
    waiting: set[str] = set()  # calls without their result
    for message in messages:
        fields = message.__dict__
        role, content = fields["role"], fields["content"]
        if type(content) is not str and content is not None:
            content = _texts(content) if shortcut.parts else None
            if content is None:
                return None
        if role == "tool":
            call = fields["tool_call_id"]
            if call not in waiting or not _has_only(message, _RESULT):
                return None
            waiting.remove(call)
            written.append({"role": role, "content": content, "tool_call_id": call})
        elif waiting or role not in roles:
            return None
        elif message.__pydantic_fields_set__ == _SAID and content is not None:
            written.append({"role": role, "content": content})
        else:
            said = _unusual(message, content, waiting, shortcut)
            if said is None:
                return None
            written.append(said)
    return None if waiting else written


def _unusual(message: Message, content: Any, waiting: set[str], shortcut: Shortcut) -> Json | None:
    """A message that calls tools, or that has nulls in it, as answers have that come back as messages."""
    if not _has_only(message, _CALLED):
        return None
    said: Json = {"role": message.role}
    if content is not None:
        said["content"] = content
    elif shortcut.blank is not None:
        said["content"] = shortcut.blank
    if message.tool_calls:
        if not shortcut.calls:
            return None
        said["tool_calls"] = [_call(call) for call in message.tool_calls]
        waiting.update(call.id for call in message.tool_calls)
        if None in said["tool_calls"] or len(waiting) < len(message.tool_calls):
            return None
    return said


def _call(call: ToolCall) -> Json | None:
    function = call.function
    if call.type != "function" or function is None or call.custom is not None or len(call.id) > BRIEF:
        return None
    if call.__pydantic_extra__ or function.__pydantic_extra__:
        return None
    called = {"name": function.name, "arguments": function.arguments}
    return {"id": call.id, "type": "function", "function": called}


def _has_only(message: Message, names: frozenset[str]) -> bool:
    """Whether all of a message that is not null stands in these fields."""
    if message.__pydantic_fields_set__ <= names:
        return True
    extra = message.__pydantic_extra__
    if extra and any(value is not None for value in extra.values()):
        return False
    return all(value is None or name in names for name, value in message.__dict__.items())


def _texts(content: object) -> list[Json] | None:
    """A content of parts where all of them are text and nothing more; otherwise None."""
    if not isinstance(content, list) or not content:
        return None
    for part in content:
        if type(part) is not TextPart or not part.__pydantic_fields_set__ <= _PART:
            return None
    return [{"type": "text", "text": part.text} for part in content]


def _written_tools(body: Json, shortcut: Shortcut) -> bool:
    """Write the tools of a body; False where one is no plain function, or where the model has no free choice.

    Without tools, a word about the choice stays as it is.
    """
    if body.get("tool_choice", "auto") != "auto":
        return False
    tools = body.get("tools")
    if tools is None:
        return True
    written = []
    for tool in tools:
        function = _function(tool, shortcut)
        if function is None:
            return False
        written.append({"type": "function", "function": function})
    body["tools"] = written
    return bool(written)


def _function(tool: Tool, shortcut: Shortcut) -> Json | None:
    if tool.type != "function" or tool.function is None or not tool.__pydantic_fields_set__ <= _TOOL:
        return None
    function = tool.function
    if function.__pydantic_extra__ or (function.strict is not None and not shortcut.strict):
        return None
    return {name: value for name, value in function.__dict__.items() if value is not None}


def _options_are_plain(options: Any) -> bool:
    """Whether options of streaming say nothing but what is asked for in any case."""
    return options is None or options.__pydantic_fields_set__ <= _OPTIONS


def _shortcut(target: Target) -> Shortcut:
    preset, rules = target.preset, rules_of(target)
    hooked = [HOOKED.get(name) for name in preset.encode_hooks]
    changed = {*rules.rename, *preset.limits, *preset.values}
    changed.update(name for names in hooked for name in names or ())
    excludes = rules.thinking.excludes
    may_think = rules.thinking.default_on is not False
    if may_think:
        changed.update(excludes)  # settled for each request, as thinking is
    known = None not in hooked and not changed & {"model", "messages", "stream", "stream_options"}
    if preset.message_only is not None:
        known = known and set(preset.message_only) >= _SAID
    plain: Kind = (False, None, None, None)
    example = _form(target, plain, _ALWAYS) if known else None
    if example is None:
        return Shortcut(frozenset(), (), frozenset(), False, False, False, None, {})
    changed.update(example.rest)
    passed = {name for name in _PASSED if name not in changed and not rules.lack(name)}
    limits = [] if changed & {*_LIMITS, preset.max_tokens_field} else _LIMITS
    calls = "tool_calls" not in changed and (preset.replay != "tool_calls" or rules.thinking.never)
    if preset.message_only is not None:
        calls = calls and set(preset.message_only) >= _CALLED | _RESULT
    thinking = _THINKING if may_think or not excludes else ()
    roles = {"user", "assistant"}
    roles.update(role for role in ("system", "developer") if rules.system_role in ("any", role))
    return Shortcut(
        names=_ALWAYS | passed | {"stream_options", *limits, *thinking},
        order=tuple(name for name in ChatCompletion.model_fields if name in passed),
        roles=frozenset(roles),
        parts=not rules.lack("messages.text"),
        strict=not rules.lack("tools.strict"),
        calls=calls,
        blank="" if preset.empty_content == "empty" else None,
        forms={plain: example},
    )


def _form(target: Target, kind: Kind, names: frozenset[str]) -> Form | None:
    """What the long way makes of an example; None where it does not write it, or writes one of the fields."""
    stream, limit, switch, effort = kind
    example: Json = {"model": "m", "messages": [Message.user("?")], "stream": stream}
    example |= {"enable_thinking": switch, "reasoning_effort": effort}
    if limit is not None:
        example[limit] = 1
    try:
        draft = drafted(ChatCompletion.parse(example), target)
    except (UnsupportedError, RequestError):
        return None
    name = target.preset.max_tokens_field
    left_out = {"model", "messages", *([] if limit is None else [name])}
    rest = {key: value for key, value in draft.payload.items() if key not in left_out}
    if not rest.keys().isdisjoint(names - _OWN):
        return None
    return Form(
        url=posting_url(target, stream=draft.stream),
        headers=posting_headers(target, stream=draft.stream),
        adaptations=tuple(draft.adaptations),
        stream=draft.stream,
        limit=name,
        rest=rest,
    )
