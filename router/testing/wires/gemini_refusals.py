"""What Google's generateContent refuses with status 400, and in which words."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from .base import Json

_KNOWN = frozenset(
    {
        "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent",
        "generationConfig", "labels", "serviceTier", "store", "continuationToken",
    }
)  # fmt: skip
_SKIP = "skip_thought_signature_validator"
_SKIPS = frozenset({_SKIP, b64encode(_SKIP.encode()).decode()})
_GENERATION = re.compile(r"gemini-(\d+(?:\.\d+)?)")
_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts "
    "of the function call turn."
)
_CALL = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response "
    "turn."
)
_RESPONSE = "Please ensure that function response turn comes immediately after a function call turn."

Sign = Callable[[Mapping[str, Any]], str]


def generation(model: str) -> float:
    """The generation in a model's name; that of Gemini 3 for a name without one."""
    found = _GENERATION.search(model)
    return float(found[1]) if found else 3.0


def settings_of(body: Json) -> Json:
    """`generationConfig`, empty where there is none; names may be spelled either way, as JSON of protobuf."""
    settings = body.get("generationConfig") or {}
    thinking = settings.get("thinkingConfig")
    if not isinstance(thinking, Mapping):
        return dict(settings)
    return {**settings, "thinkingConfig": {_camel(name): value for name, value in thinking.items()}}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def refusal(body: Json, model: str, sign: Sign) -> str | None:
    """The message of the refusal; None for a request that is taken."""
    unknown = next((name for name in body if name not in _KNOWN), None)
    if unknown is not None:
        return f'Invalid JSON payload received. Unknown name "{unknown}": Cannot find field.'
    contents = body.get("contents")
    if not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    return _settings(body, model) or _tools(body, model) or _contents(contents, model, sign)


def _settings(body: Json, model: str) -> str | None:
    config = settings_of(body)
    thinking = config.get("thinkingConfig") or {}
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        return "You can only set only one of thinking budget and thinking level."
    if thinking and generation(model) < 2.5:
        return "Thinking is not enabled for this model."
    if level is not None and generation(model) < 3:
        return "Thinking level is not supported for this model."
    if level == "MINIMAL" and generation(model) >= 3.6:
        return "Thinking level MINIMAL is not supported for this model."
    if budget == 0 and "2.5-pro" in model:
        return "Budget 0 is invalid. This model only works in thinking mode."
    if (config.get("candidateCount") or 1) > 1 and generation(model) >= 3:
        return "Multiple candidates is not enabled for this model"
    if "responseJsonSchema" in config and "responseSchema" in config:
        return "response_schema and response_json_schema cannot be set together"
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        return "Schema is only supported with the response mime type 'application/json'"
    return None


def _tools(body: Json, model: str) -> str | None:
    declared = [one for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()]
    if body.get("cachedContent") and any(
        body.get(name) for name in ("systemInstruction", "tools", "toolConfig")
    ):
        return (
            "CachedContent can not be used with GenerateContent request setting system_instruction or tools"
        )
    if any(declaration.keys() >= {"parameters", "parametersJsonSchema"} for declaration in declared):
        return "parameters and parameters_json_schema cannot be set together"
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling and not declared:
        return "Function calling config is set without function_declarations."
    allowed = calling.get("allowedFunctionNames") or ()
    names = {declaration.get("name") for declaration in declared}
    if allowed and calling.get("mode") not in {"ANY", "VALIDATED"}:
        return "Allowed function names should be set only when function calling mode is ANY or VALIDATED."
    if not names.issuperset(allowed):
        return "Allowed function names are not among the declared functions."
    json_wanted = settings_of(body).get("responseMimeType") == "application/json"
    if declared and json_wanted and generation(model) < 3:
        return "Function calling with a response mime type: 'application/json' is unsupported"
    return None


def _contents(contents: list[Json], model: str, sign: Sign) -> str | None:
    waiting: list[str] = []  # names of the calls that have no response yet
    before = ""
    for content in contents:
        role, parts = content.get("role"), content.get("parts") or []
        if role not in {"user", "model"}:
            return "Please use a valid role: user, model."
        if not parts:
            return "* GenerateContentRequest.contents.parts: must include at least one parts field"
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if calls and before not in {"user", "responses"}:
            return _CALL
        if bool(responses) != bool(waiting):
            return _COUNT if waiting else _RESPONSE
        if len(responses) != len(waiting):
            return _COUNT
        if [response.get("name") for response in responses] != waiting:
            return "The name of a function response is not that of its function call."
        message = _signed(parts, model, sign)
        if message is not None:
            return message
        waiting = [str(call.get("name")) for call in calls]
        before = "responses" if responses else "calls" if calls else role
    if waiting:
        return _COUNT
    if before == "model" and generation(model) >= 3.6:
        return "Requests ending with a model turn are not supported."
    return None


def _signed(parts: list[Json], model: str, sign: Sign) -> str | None:
    """Whether the calls of one turn bear the signatures that the models give since Gemini 3."""
    if generation(model) < 3:
        return None
    calls = [part for part in parts if "functionCall" in part]
    for place, part in enumerate(calls):
        signature = part.get("thoughtSignature")
        if signature is None and place == 0:
            return (
                f"Function call is missing a thought_signature in functionCall parts. Function call "
                f"`{part['functionCall'].get('name')}`, position {place + 1}."
            )
        if signature is not None and signature not in _SKIPS | {sign(part["functionCall"])}:
            return "Corrupted thought signature."
    return None
