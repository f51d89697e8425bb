"""A chat completion becomes a request of generateContent.

Facts: google-genai 3.4.0 (models.py, types.py) and Google's pages, read 2026-11-21; what differs from
model to model stands in gemini.yaml.
"""

from __future__ import annotations

import re

from ..chat import ChatCompletion
from ..dialect import Target, WireRequest
from .draft import Draft, Json
from .gemini_contents import WIRE, contents, instruction, resolution_of
from .gemini_tools import Wanted, take_wanted
from .turns import Turn, leading_system, take_turns
from .writing import (
    begin,
    pass_on,
    posted,
    put_words,
    settle,
    settle_stream,
    take_max_tokens,
    take_number,
    take_stop,
)

_INT32 = 2**31
_PLAIN = {"temperature": "temperature", "top_p": "topP", "top_k": "topK", "n": "candidateCount"}
"""Request field -> its name in `generationConfig`."""
_GENERATION = (
    "responseModalities", "speechConfig", "imageConfig", "thinkingConfig", "mediaResolution",
    "audioTimestamp", "responseSchema", "routingConfig", "enableEnhancedCivicAnswers",
)  # fmt: skip
"""Fields of `generationConfig` that a request may carry as extras."""
_SPELLINGS = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "tool_config": "toolConfig",
}
"""How Python programs spell the wire's own fields."""
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard", "standard": "standard"}
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def encode(request: ChatCompletion, target: Target) -> WireRequest:
    """The HTTP request for a chat completion; UnsupportedError where the wire cannot say it."""
    draft = begin(request, target)
    for given, wire in _SPELLINGS.items():
        if given in draft.payload:
            draft.payload.setdefault(wire, draft.payload.pop(given))
    wanted = take_wanted(request, draft)
    body = _conversation(take_turns(draft, WIRE), wanted, draft)
    if wanted.tools:
        body["tools"] = wanted.tools
    if wanted.config:
        body["toolConfig"] = wanted.config
    body["generationConfig"] = {
        **body.pop("generationConfig", {}),
        **_generation(draft),
        **wanted.generation,
    }
    headers = _serving(draft, body)
    _least_thinking(draft)
    settle_stream(request, draft)
    pass_on(draft, body, ("generationConfig",))
    body["generationConfig"].update({name: draft.take(name) for name in _GENERATION if name in draft.payload})
    put_words(draft, body)
    if not body["generationConfig"]:
        del body["generationConfig"]
    _with_cache(draft, body)
    settle(draft)
    return posted(draft, body, headers)


def _conversation(turns: list[Turn], wanted: Wanted, draft: Draft) -> Json:
    """`systemInstruction` and `contents`."""
    if draft.system_role == "user":
        for turn in turns:
            if turn.role == "system":
                turn.role = "user"
                draft.report(turn.path, "emulated", "the model knows no instructions; the user says it")
    system = instruction(leading_system(turns), draft)
    if wanted.instruction:
        system.append({"text": wanted.instruction})
    written = contents(turns, draft)
    body: Json = {}
    level = resolution_of(written, draft)
    if level:
        body["generationConfig"] = {"mediaResolution": level}
    if not written and system:
        written, system = [{"role": "user", "parts": system}], []
        draft.report("messages", "emulated", "the instruction alone is sent as the user's words")
    if system:
        body["systemInstruction"] = {"parts": system}
    body["contents"] = written or [{"role": "user", "parts": [{"text": ""}]}]
    return body


def _generation(draft: Draft) -> Json:
    """`generationConfig` without thinking and format."""
    config: Json = {}
    for name in ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"):
        if draft.lacks(name):
            draft.drop(name, "the model does not heed it")
    if draft.lacks("n") and (draft.payload.get("n") or 1) > 1:
        draft.refuse("n", "the model gives one answer")
        draft.take("n")
    if draft.payload.get("n") == 1:
        draft.take("n")
    for name, wire in _PLAIN.items():
        value = draft.take(name)
        if value is not None:
            config[wire] = value
    for name, wire in (("frequency_penalty", "frequencyPenalty"), ("presence_penalty", "presencePenalty")):
        penalty = take_number(draft, name, -2, 2)
        if penalty is not None:
            config[wire] = penalty
    seed = take_number(draft, "seed", -_INT32, _INT32 - 1)
    stops = take_stop(draft, 5, blank=True)
    limit = take_max_tokens(draft)
    given = {"seed": seed, "stopSequences": stops or None, "maxOutputTokens": limit}
    config.update({name: value for name, value in given.items() if value is not None})
    if draft.take("logprobs"):
        config["responseLogprobs"] = True
        top = draft.take("top_logprobs")
        if top:
            config["logprobs"] = top
    config.update(_speech(draft))
    return config


def _speech(draft: Draft) -> Json:
    """The answer as sound, where the model speaks; elsewhere the fields stay and are refused."""
    if "audio" not in (draft.payload.get("modalities") or ()) or "speech" not in draft.flags:
        return {}
    draft.take("modalities")
    audio = draft.take("audio") or {}
    if audio.get("format") != "pcm16":
        draft.report("audio.format", "dropped", "the model answers in 16-bit PCM alone")
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio.get("voice")}}}
    return {"responseModalities": ["AUDIO"], "speechConfig": voice}


def _serving(draft: Draft, body: Json) -> dict[str, str]:
    """Tier, storage and labels; the headers that say what the body cannot."""
    labels = {}
    for key, value in (draft.take("metadata") or {}).items():
        if _LABEL.fullmatch(key) and _LABEL_VALUE.fullmatch(value):
            labels[key] = value
        else:
            draft.report(f"metadata.{key}", "dropped", "labels are small letters, digits, _ and - alone")
    if labels:
        body["labels"] = labels
    if draft.payload.get("store") is not None and not draft.lacks("store"):
        body["store"] = draft.take("store")
    return _tier(draft, body)


def _tier(draft: Draft, body: Json) -> dict[str, str]:
    tier = draft.take("service_tier")
    if tier in (None, "auto"):
        return {}
    known = _TIERS.get(str(tier).lower())
    if known is None:
        draft.report("service_tier", "dropped", f"the wire takes {', '.join(sorted(set(_TIERS)))}")
    elif "tier_headers" not in draft.flags:
        body["serviceTier"] = known
    elif known != "standard":
        return {
            "x-vertex-ai-llm-request-type": "shared",
            "x-vertex-ai-llm-shared-request-type": known,
        }
    return {}


def _least_thinking(draft: Draft) -> None:
    """Say so where the least thinking stands for none."""
    level = draft.words.get(draft.thinking.effort_field)
    if draft.intent.mode == "off" and draft.active is False and level:
        draft.report(draft.intent.source, "emulated", f"the model always may think; {level} is the least")


def _with_cache(draft: Draft, body: Json) -> None:
    """Cached content brings its own instruction and tools, and refuses others."""
    if body.get("cachedContent"):
        for name, field in (
            ("systemInstruction", "messages"),
            ("tools", "tools"),
            ("toolConfig", "tool_choice"),
        ):
            if body.pop(name, None) is not None:
                draft.report(field, "dropped", f"the cached content brings its own {name}")
