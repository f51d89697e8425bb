"""A conversation as Ollama's messages: text alone in `content`, images beside it, arguments as objects."""

from __future__ import annotations

from .draft import Draft, Json
from .media import file_of, image_of, text_in
from .tooling import arguments_of
from .turns import Call, Result, Turn, custom_arguments

BETWEEN = "\n\n"
"""Stands between text parts of one message, as the server itself puts it between messages of one role."""


def write_messages(draft: Draft, turns: list[Turn]) -> list[Json]:
    """The messages; never none at all, which the server would take as a wish to load the model."""
    messages: list[Json] = []
    for turn in turns:
        if turn.role == "results":
            messages += [_result(result, draft) for result in turn.results]
        elif turn.role == "assistant":
            messages.append(_assistant(turn, draft))
        else:
            messages.append({"role": turn.role, **_content(turn.parts, draft)})
    return messages or [{"role": "user", "content": ""}]


def _assistant(turn: Turn, draft: Draft) -> Json:
    message: Json = {"role": "assistant", **_content(turn.parts, draft)}
    if turn.reasoning and not draft.thinking.never:
        message["thinking"] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = [_call(call, draft) for call in turn.calls]
    return message


def _call(call: Call, draft: Draft) -> Json:
    if call.custom:
        draft.report(call.path, "emulated", "the wire knows no custom tools; sent as a function")
    for name in call.rest.keys() - {"index"}:
        draft.report(f"{call.path}.{name}", "dropped", "a call has no such field here")
    arguments = arguments_of(custom_arguments(call), f"{call.path}.function.arguments", draft)
    return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}


def _result(result: Result, draft: Draft) -> Json:
    """What came of a call; templates know it by the function's name, some by the call's id."""
    said = _content(result.parts, draft)
    return {"role": "tool", **said, "tool_name": result.call.name, "tool_call_id": result.call.id}


def _content(parts: list[Json], draft: Draft) -> Json:
    """Text and images of a message; all images come after its text, in their order."""
    texts: list[str] = []
    images: list[str] = []
    for part in parts:
        path = part["path"]
        if part.get("cache_control"):
            draft.report(f"{path}.cache_control", "dropped", "the wire has no cache marks")
        match part.get("type"):
            case "text":
                texts.append(part["text"])
            case "image_url":
                images += _image(part, path, draft)
            case "file":
                texts += _file(part, path, draft)
            case kind:
                draft.refuse(path, f"the wire takes no {kind} parts")
    content: Json = {"content": BETWEEN.join(texts)}
    return {**content, "images": images} if images else content


def _image(part: Json, path: str, draft: Draft) -> list[str]:
    media = image_of(part)
    if not media.data:
        draft.refuse(f"{path}.image_url.url", "the wire takes images as base64 alone; give a data URL")
        return []
    if part["image_url"].get("detail") not in (None, "auto"):
        draft.report(f"{path}.image_url.detail", "dropped", "the wire knows no detail of images")
    return [media.data]


def _file(part: Json, path: str, draft: Draft) -> list[str]:
    media = file_of(part)
    text = text_in(media)
    if text is None:
        draft.refuse(f"{path}.file", "the wire takes no files; only text files can stand in the message")
        return []
    draft.report(f"{path}.file", "emulated", "the wire takes no files; its text is sent")
    return [f"{media.name}:\n{text}" if media.name else text]
