"""Messages as one OpenAI-compatible host wants them: roles, content parts, and earlier reasoning."""

from __future__ import annotations

import json
from typing import Any

from .chunks import NATIVE
from .draft import Draft, Json
from .keeping import BLOCK, MODEL, PROVIDER
from .openai_results import placed_results


def write_messages(draft: Draft) -> None:
    """Rewrite the draft's messages in place for its target."""
    draft.payload["messages"] = [
        _message(message, path, draft) for path, message in placed_results(draft.payload["messages"], draft)
    ]


def _message(message: Json, path: str, draft: Draft) -> Json:
    _role(message, path, draft)
    _name(message, path, draft)
    _cache_control(message, path, draft)
    if isinstance(message.get("content"), list):
        message["content"] = _parts(message["content"], f"{path}.content", draft)
    if message["role"] == "assistant":
        _calls(message, path, draft)
        _refusal(message, path, draft)
        _spoken(message, path, draft)
        _reasoning(message, path, draft)
        if message.get("content") is None and draft.preset.empty_content == "empty":
            message["content"] = ""
    allowed = draft.preset.message_only
    if allowed is not None:
        for name in [name for name in message if name not in allowed]:
            _drop(message, name, path, draft, "the wire refuses fields it does not know")
    return {name: value for name, value in message.items() if value is not None}


def _drop(message: Json, name: str, path: str, draft: Draft, reason: str) -> None:
    if message.pop(name, None) is not None:
        draft.report(f"{path}.{name}", "dropped", reason)


def _role(message: Json, path: str, draft: Draft) -> None:
    role, wanted = message["role"], draft.system_role
    if role in {"developer", "system"} and wanted not in {"any", role}:
        message["role"] = wanted
        draft.report(f"{path}.role", "renamed", f"the wire knows no {role} role here; sent as {wanted}")


def _name(message: Json, path: str, draft: Draft) -> None:
    allowed = draft.preset.message_only
    kind = "messages.tool_name" if message["role"] == "tool" else "messages.name"
    misplaced = allowed is not None and message["role"] != "tool"
    if misplaced or draft.lacks(kind) or draft.lacks("messages.name"):
        _drop(message, "name", path, draft, "the wire takes no name here")


def _cache_control(holder: Json, path: str, draft: Draft) -> None:
    if not draft.preset.cache_control:
        _drop(holder, "cache_control", path, draft, "the host takes no cache marks")


def _parts(parts: list[Json], path: str, draft: Draft) -> list[Json] | str:
    kept = []
    for place, part in enumerate(parts):
        here = f"{path}[{place}]"
        _cache_control(part, here, draft)
        written = _part(part, here, draft)
        if written is not None:
            kept.append(written)
    return kept or ""


def _part(part: Json, path: str, draft: Draft) -> Json | None:
    kind = part.get("type")
    if kind == "refusal" and draft.lacks("messages.refusal"):
        draft.report(path, "emulated", "the wire knows no refusal parts; sent as text")
        return {"type": "text", "text": part["refusal"]}
    if draft.lacks(f"messages.{kind}"):
        draft.refuse(path, f"the wire takes no {kind} parts")
        return None
    if kind == "image_url" and draft.lacks("messages.image_url.remote"):
        url = part["image_url"]["url"]
        if not url.lower().startswith("data:"):
            draft.refuse(f"{path}.image_url.url", "the wire only takes images as data URLs")
            return None
    if kind == "file" and any(draft.lacks(f"messages.{word}.remote") for word in ("file", "image_url")):
        data = part["file"].get("file_data") or ""
        if data[:8].lower().startswith(("http://", "https://")):
            draft.refuse(f"{path}.file.file_data", "the wire only takes files as their bytes or an id")
            return None
    return part


def _calls(message: Json, path: str, draft: Draft) -> None:
    """Calls of custom tools become function calls where the wire knows only those; no calls, no key."""
    calls = message.get("tool_calls")
    if not calls:
        message.pop("tool_calls", None)
        return
    for place, call in enumerate(calls):
        for name in [name for name in call if name.startswith(NATIVE)]:
            _drop(call, name, f"{path}.tool_calls[{place}]", draft, "it means something to its origin alone")
        if call.get("type") == "custom" and draft.lacks("tools.custom"):
            custom = call.pop("custom", None) or {}
            arguments = json.dumps({"input": custom.get("input", "")}, ensure_ascii=False)
            call.update(type="function", function={"name": custom.get("name", ""), "arguments": arguments})
            draft.report(
                f"{path}.tool_calls[{place}]",
                "emulated",
                "the wire knows no custom tools; sent as a function",
            )


def _refusal(message: Json, path: str, draft: Draft) -> None:
    if not draft.lacks("messages.refusal"):
        return
    refusal = message.pop("refusal", None)
    if refusal and not message.get("content"):
        message["content"] = refusal
        draft.report(f"{path}.refusal", "emulated", "the wire knows no refusals; sent as content")
    elif refusal:
        draft.report(f"{path}.refusal", "dropped", "the wire knows no refusals")


def _spoken(message: Json, path: str, draft: Draft) -> None:
    if message.get("audio") is not None and (draft.lacks("audio") or draft.lacks("messages.audio")):
        _drop(message, "audio", path, draft, "the wire knows no earlier spoken answers")
        if message.get("content") is None and not message.get("tool_calls"):
            message["content"] = ""


def _reasoning(message: Json, path: str, draft: Draft) -> None:
    """Earlier reasoning under the host's name for it, or left out; signed parts only go home."""
    text = _thought(message)
    details = _own_details(message, path, draft)
    if not _wanted(message, details, draft):
        if text or details:
            draft.report(f"{path}.reasoning", "dropped", "earlier reasoning is not taken back here")
        return
    match draft.preset.replay_field:
        case "reasoning_details":
            message["reasoning_details"] = details or (
                [{"type": "reasoning.text", "text": text}] if text else None
            )
        case "thinking_parts":
            _think_first(message, [item for item in details if "thinking" in item], text)
        case field:
            required = draft.preset.replay == "tool_calls"
            message[field] = text or (draft.preset.replay_blank if required else None)
            if details:
                draft.report(
                    f"{path}.reasoning_details", "dropped", "the wire takes earlier reasoning as text only"
                )


def _thought(message: Json) -> str | None:
    """The plain reasoning of a message; `reasoning_content` is read too, as other clients keep it."""
    texts = [message.pop(name, None) for name in ("reasoning", "reasoning_content")]
    return next((text for text in texts if isinstance(text, str) and text), None)


def _own_details(message: Json, path: str, draft: Draft) -> list[Json]:
    """The signed reasoning that came from this provider's model, its tags taken off; any other is dropped.

    What bears no tags is the caller's own and goes along; a block kept by another wire never does.
    """
    own, strangers = [], set()
    for detail in message.pop("reasoning_details", None) or ():
        if _is_own(detail, draft):
            own.append({key: value for key, value in detail.items() if key not in {PROVIDER, MODEL}})
        else:
            strangers.add(str(detail.get(PROVIDER) or detail.get("type")))
    if strangers:
        names = ", ".join(sorted(strangers))
        draft.report(
            f"{path}.reasoning_details", "dropped", f"signed reasoning of {names} is not for other targets"
        )
    return own


def _is_own(detail: Json, draft: Draft) -> bool:
    target = draft.target
    origin = detail.get(PROVIDER) or target.provider, detail.get(MODEL) or target.model
    return origin == (target.provider, target.model) and not isinstance(detail.get(BLOCK), dict)


def _wanted(message: Json, details: list[Json], draft: Draft) -> bool:
    if draft.thinking.never:
        return False
    match draft.preset.replay:
        case "always":
            return True
        case "tool_calls":
            return bool(message.get("tool_calls")) and draft.active is not False
        case "refuse":
            return draft.preset.replay_field == "thinking_parts" and (bool(details) or draft.active is True)
        case "never":
            return False


def _think_first(message: Json, chunks: list[Json], text: str | None) -> None:
    """Thinking chunks before the content, as a list of parts."""
    if not chunks and text:
        chunks = [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]
    if not chunks:
        return
    content: Any = message.get("content")
    rest = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
    message["content"] = [*chunks, *rest]
