"""Content parts as the Responses wire writes them: flat, and named after who speaks."""

from __future__ import annotations

from mimetypes import guess_extension

from .draft import Draft, Json
from .media import file_of

REFUSED = "said_refusal"
"""Type of the part that holds an assistant's refusal until it is written; see `refusals_as_parts`."""
_BREAKPOINT = "prompt_cache_breakpoint"


def refusals_as_parts(messages: list[Json]) -> None:
    """Turn refusals into parts of a type of our own, since this wire has a word for them."""
    for message in messages:
        if message["role"] != "assistant":
            continue
        content = message.get("content")
        refusal = message.pop("refusal", None)
        if isinstance(content, list):
            message["content"] = [_marked(part) for part in content]
        if refusal:
            said = message.get("content")
            parts = said if isinstance(said, list) else [{"type": "text", "text": said}] if said else []
            message["content"] = [*parts, {"type": REFUSED, "refusal": refusal}]


def _marked(part: Json) -> Json:
    return {"type": REFUSED, "refusal": part["refusal"]} if part.get("type") == "refusal" else part


def input_content(parts: list[Json], draft: Draft) -> str | list[Json]:
    """What a user, the system or a tool says: plain text where it is no more than that."""
    written = [item for part in parts if (item := _input(part, draft)) is not None]
    if len(written) == 1 and written[0].keys() == {"type", "text"}:
        text: str = written[0]["text"]
        return text
    return written


def output_content(result: list[Json], draft: Draft) -> str | list[Json]:
    """What a tool gave back; on hosts that know only text, its text in one piece."""
    if "text_outputs" not in draft.flags:
        return input_content(result, draft) or ""
    texts = []
    for part in result:
        if part.get("type") == "text":
            texts.append(part["text"])
        else:
            draft.refuse(part["path"], "results of tools are text only here")
    return "\n".join(texts)


def _input(part: Json, draft: Draft) -> Json | None:
    """One part; None where it has to go."""
    kind, path = str(part.get("type")), part["path"]
    match kind:
        case "text":
            written: Json | None = {"type": "input_text", "text": part["text"]}
        case "image_url":
            written = _image(part, draft)
        case "file":
            written = _file(part, draft)
        case _ if kind.startswith("input_") and kind != "input_audio":  # already in this wire's words
            return {name: value for name, value in part.items() if name != "path"}
        case _:
            draft.refuse(path, f"the wire takes no {kind} parts")
            return None
    if written is not None:
        _mark(part, written, draft)
    return written


def _image(part: Json, draft: Draft) -> Json | None:
    if draft.capabilities.images is False or draft.lacks("messages.image_url"):
        draft.refuse(part["path"], "the model sees no images")
        return None
    image = part["image_url"]
    if draft.lacks("messages.image_url.remote") and image["url"][:5].lower() != "data:":
        draft.refuse(part["path"], "the wire only takes images as data URLs")
        return None
    return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}


def _file(part: Json, draft: Draft) -> Json | None:
    if draft.capabilities.files is False or draft.lacks("messages.file"):
        draft.refuse(part["path"], "the model reads no files")
        return None
    file = part["file"]
    address = file.get("file_url") or file.get("file_data") or ""
    if address[:5].lower() in {"http:", "https"}:
        return {"type": "input_file", "file_url": address}
    media = file_of(part)
    if media.file_id:
        return {"type": "input_file", "file_id": media.file_id}
    if not media.data:
        draft.refuse(part["path"], "the part holds neither file_data nor file_id that can be read")
        return None
    kind = media.type or "application/octet-stream"
    name = media.name or f"file{guess_extension(kind) or ''}"
    return {"type": "input_file", "filename": name, "file_data": f"data:{kind};base64,{media.data}"}


def _mark(part: Json, written: Json, draft: Draft) -> None:
    """Where the prompt may be cached up to: the wire's own mark, or the contract's where it is known."""
    own, ours = part.get(_BREAKPOINT), part.get("cache_control")
    if "cache_breakpoints" in draft.flags:
        if own or ours:
            written[_BREAKPOINT] = own or {"mode": "explicit"}
        if ours and not own and ours.get("ttl"):
            draft.report(
                f"{part['path']}.cache_control.ttl", "dropped", "the request's own lifetime of caches holds"
            )
        return
    for name, value in ((_BREAKPOINT, own), ("cache_control", ours)):
        if value:
            draft.report(f"{part['path']}.{name}", "dropped", "the model takes no cache marks")


def said_parts(parts: list[Json], draft: Draft) -> str | list[Json]:
    """What an assistant said: text, or a list where a refusal is among it."""
    written: list[Json] = []
    for part in parts:
        match part.get("type"):
            case "text":
                if part.get("cache_control"):
                    draft.report(
                        f"{part['path']}.cache_control", "dropped", "answers take no cache marks here"
                    )
                written.append({"type": "output_text", "text": part["text"]})
            case str(kind) if kind == REFUSED and not draft.lacks("messages.refusal"):
                written.append({"type": "refusal", "refusal": part["refusal"]})
            case str(kind) if kind == REFUSED:
                draft.report(part["path"], "emulated", "the wire knows no refusals; sent as text")
                written.append({"type": "output_text", "text": part["refusal"]})
            case kind:
                draft.refuse(part["path"], f"an assistant's message takes no {kind} parts")
    if all(part["type"] == "output_text" for part in written):
        return "".join(part["text"] for part in written)
    return written
