"""What a request needs of a model, held against what the model is known to take.

Only a plain "no" of the catalogue or of the user's settings counts; what nobody knows is sent. Which
capabilities can turn a request away before it is sent:

- `images`, `audio`, `files` and `tools` on every wire. A document of plain text counts as a file only where
  the wire sends it as one; other dialects may write its text out.
- `forced_tools` and `json_schema` only on wires where nothing stands in for them: other dialects emulate
  the one with the other, or with an instruction.
- `thinking_off` not here: `thinking.compile_thinking` refuses what cannot be off, or asks for the least.
- `output_limit` not here: dialects cut the limit down to it.
- `context_window` not here either: how long a prompt is can only be guessed, which is the router's part.

Where the user chose to drop or to warn, what the model does not take is left out and reported, as
`Draft.refuse` does for everything that a wire cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .chat import (
    ChatCompletion,
    ContentPart,
    FilePart,
    FileReference,
    ImagePart,
    InputAudioPart,
    ResponseFormat,
    TextPart,
)
from .dialect import Adaptation, Target
from .dialects.draft import Draft, rules_of

AS_THEY_ARE = frozenset({"openai", "responses"})
"""Dialects that put nothing in the place of what a model cannot do."""

_REASONS = {
    "images": "this model takes no images",
    "audio": "this model takes no sound",
    "files": "this model takes no files",
    "tools": "this model takes no tools",
    "forced_tools": "this model cannot be made to call a tool",
    "json_schema": "this model's answers follow no schema",
}
_TEXT_FILES = "text_files"


class Needs(NamedTuple):
    """What one request asks of a model."""

    fields: Mapping[str, str]
    """Capability -> path of the first field that needs it: `images`, `audio`, `files`, `text_files` (those
    that are plain text), `tools`, `forced_tools`, `json_schema`, `thinking_off`."""
    characters: int
    """Length of all text in the messages."""


def needs_of(request: ChatCompletion) -> Needs:
    """What a request needs, by looking at it once."""
    said = request.__dict__  # at once: every other way to a field of a model is ten times as long
    fields: dict[str, str] = {}
    characters = 0
    for place, message in enumerate(said["messages"]):
        content = message.content
        if type(content) is str:
            characters += len(content)
        elif content:
            characters += _characters(content, f"messages[{place}].content", fields)
    if said["tools"] and said["tool_choice"] != "none":
        fields["tools"] = "tools"
        if _is_forced(said["tool_choice"]):
            fields["forced_tools"] = "tool_choice"
    form = said["response_format"]
    if form is not None and form.type == "json_schema":
        fields["json_schema"] = "response_format"
    if said["enable_thinking"] is False:
        fields["thinking_off"] = "enable_thinking"
    elif said["reasoning_effort"] == "none":
        fields["thinking_off"] = "reasoning_effort"
    elif said["thinking_budget"] == 0:
        fields["thinking_off"] = "thinking_budget"
    return Needs(fields, characters)


def _characters(content: str | list[ContentPart], path: str, fields: dict[str, str]) -> int:
    """Length of the text in a content; what else its parts need is put into `fields`."""
    if isinstance(content, str):
        return len(content)
    characters = 0
    for at, part in enumerate(content):
        characters += len(getattr(part, "text", None) or "")
        kind = kind_of(part)
        if kind is not None:
            fields.setdefault(kind, f"{path}[{at}]")
    return characters


def kind_of(part: ContentPart) -> str | None:
    """What a content part needs besides reading: images, audio, files, text_files; None for text."""
    if type(part) is TextPart:
        return None
    if isinstance(part, ImagePart):
        return "images"
    if isinstance(part, InputAudioPart):
        return "audio"
    if isinstance(part, FilePart):
        return _TEXT_FILES if _is_text(part.file) else "files"
    return None


def fit_to_model(
    request: ChatCompletion, target: Target, needs: Mapping[str, str]
) -> tuple[ChatCompletion, tuple[Adaptation, ...]]:
    """The request as far as the target's model can take it, and what was left out of it.

    `needs` are the fields of `needs_of(request)`. UnsupportedError for the first thing that the model is
    known not to take, unless the target's `on_unsupported` says to drop it.
    """
    if not needs and not request.tools:
        return request, ()
    lacking = target.once(_lacking)
    if not lacking:
        return request, ()
    refused = {name: needs[name] for name in lacking if name in needs}
    if not refused and not ("tools" in lacking and request.tools):
        return request, ()
    draft = Draft.for_target({}, target)
    if lacking.keys() & {"images", "audio", "files", _TEXT_FILES} & refused.keys():
        request = _without_parts(request, draft, lacking)
    if "tools" in lacking and request.tools:
        request = _without_tools(request, draft, lacking["tools"])
    elif "forced_tools" in refused:
        draft.refuse("tool_choice", lacking["forced_tools"])
        request = request.model_copy(update={"tool_choice": None})
    if "json_schema" in refused:
        request = _without_schema(request, draft, lacking["json_schema"])
    return request, tuple(draft.adaptations)


def _lacking(target: Target) -> Mapping[str, str]:
    """What the target's model is known not to take -> why, for whoever has to choose another."""
    known = rules_of(target).capabilities
    plain = target.preset.dialect in AS_THEY_ARE
    asked = _REASONS if plain else ("images", "audio", "files", "tools")
    lacking = {name: _REASONS[name] for name in asked if getattr(known, name) is False}
    if plain and "files" in lacking:
        lacking[_TEXT_FILES] = lacking["files"]
    return lacking


def _without_parts(request: ChatCompletion, draft: Draft, lacking: Mapping[str, str]) -> ChatCompletion:
    def fits(part: ContentPart, path: str) -> bool:
        kind = kind_of(part)
        if kind is None or kind not in lacking:
            return True
        draft.refuse(path, lacking[kind])
        return False

    return request.model_copy(update={"messages": _filtered(request, fits)})


def _filtered(request: ChatCompletion, fits: Callable[[ContentPart, str], bool]) -> list[Any]:
    """The messages with those of their parts that fit; a message never loses its place."""
    messages = []
    for place, message in enumerate(request.messages):
        if isinstance(message.content, list):
            path = f"messages[{place}].content"
            kept = [part for at, part in enumerate(message.content) if fits(part, f"{path}[{at}]")]
            if len(kept) < len(message.content):
                message = message.model_copy(update={"content": kept or ""})
        messages.append(message)
    return messages


def _without_tools(request: ChatCompletion, draft: Draft, reason: str) -> ChatCompletion:
    if request.tool_choice == "none":
        draft.report("tools", "emulated", f"{reason}, and is to call none; none are sent")
    else:
        draft.refuse("tools", reason)
        if request.tool_choice not in (None, "auto"):
            draft.report("tool_choice", "dropped", "there are no tools left to choose from")
    return request.model_copy(update={"tools": None, "tool_choice": None, "parallel_tool_calls": None})


def _without_schema(request: ChatCompletion, draft: Draft, reason: str) -> ChatCompletion:
    draft.refuse("response_format", reason)
    if draft.lacks("response_format") or draft.lacks("response_format.json_object"):
        return request.model_copy(update={"response_format": None})
    draft.report("response_format", "clamped", "any JSON object is asked for, without the schema")
    return request.model_copy(update={"response_format": ResponseFormat(type="json_object")})


def _is_forced(choice: Any) -> bool:
    """Whether a tool choice makes the model call a tool."""
    if choice is None or isinstance(choice, str):
        return choice == "required"
    said = choice.wire()
    if said.get("type") != "allowed_tools":
        return True
    return bool((said.get("allowed_tools") or said).get("mode") == "required")


def _is_text(file: FileReference) -> bool:
    """Whether a file is known to be plain text, by its data URL or its name."""
    head = (file.file_data or "")[:64].lower()
    if head.startswith("data:"):
        return head.startswith("data:text/")
    from mimetypes import guess_type  # here: few requests have files

    return (guess_type(file.filename or "")[0] or "").startswith("text/")
