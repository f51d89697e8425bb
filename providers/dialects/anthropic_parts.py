"""Content parts as Anthropic's blocks: text, images, documents, and blocks that are its own already.

Source: block types of anthropic 2.12; Claude docs on vision and PDF support, read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterable

from .anthropic_caching import Marks
from .draft import Draft, Json
from .media import Media, file_of, image_of, text_in

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_NATIVE = frozenset({"image", "document", "search_result", "container_upload", "tool_reference"})
_PDF = "application/pdf"


def blocks_of(
    parts: Iterable[Json], draft: Draft, marks: Marks | None, *, spoken: bool = False
) -> list[Json]:
    """The blocks of content parts; what the wire cannot say is refused.

    Without `marks`, cache marks are left to the caller. `spoken`: the assistant's, which are text alone.
    """
    blocks = []
    for part in parts:
        part = dict(part)
        path, mark = part.pop("path"), part.pop("cache_control", None)
        block = _block(part, path, draft, spoken=spoken)
        if block is not None:
            blocks.append(block)
            if marks is not None:
                marks.place(mark, block, path)
        elif mark:
            draft.report(f"{path}.cache_control", "dropped", "the part that it marks is not sent")
    return blocks


def _block(part: Json, path: str, draft: Draft, *, spoken: bool) -> Json | None:
    kind = part.get("type")
    if kind == "text":
        _unknown(part, {"type", "text"}, path, draft)
        return {"type": "text", "text": part["text"]}
    if spoken:
        draft.refuse(path, f"the wire takes no {kind} part from the assistant")
        return None
    if kind == "image_url":
        return _image_part(part, path, draft)
    if kind == "file":
        return _file_part(part, path, draft)
    if kind in _NATIVE:
        return part
    draft.refuse(path, f"the wire takes no {kind} part")
    return None


def _unknown(part: Json, known: set[str], path: str, draft: Draft) -> None:
    for name in part.keys() - known:
        draft.report(f"{path}.{name}", "dropped", "the wire has no such field")


def _image_part(part: Json, path: str, draft: Draft) -> Json | None:
    _unknown(part, {"type", "image_url"}, path, draft)
    if part["image_url"].get("detail") not in (None, "auto"):
        draft.report(f"{path}.image_url.detail", "dropped", "the wire does not choose how closely to look")
    if draft.capabilities.images is False:
        draft.refuse(path, "the model sees no images")
        return None
    return _image(image_of(part), path, draft)


def _image(image: Media, path: str, draft: Draft) -> Json | None:
    if _on_the_web(image):
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    kind = "image/jpeg" if image.type == "image/jpg" else image.type
    if kind not in _IMAGES or not image.data:
        draft.refuse(path, f"the wire takes JPEG, PNG, GIF and WebP images, not {kind or 'an unknown type'}")
        return None
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": image.data}}


def _file_part(part: Json, path: str, draft: Draft) -> Json | None:
    _unknown(part, {"type", "file", "citations", "context"}, path, draft)
    file = file_of(part)
    if draft.capabilities.files is False:
        draft.refuse(path, "the model reads no files")
        return None
    if file.type.startswith("image/") and not file.file_id:
        return _image(file, path, draft)
    source = _source(file)
    if source is None:
        draft.refuse(path, f"the wire reads PDF and text, not {file.type or 'an unknown type'}")
        return None
    block: Json = {"type": "document", "source": source}
    if file.name:
        block["title"] = file.name
    return {**block, **{name: part[name] for name in ("citations", "context") if part.get(name) is not None}}


def _on_the_web(media: Media) -> bool:
    """Whether the provider can fetch it itself; other addresses are those of other providers."""
    return media.url[:8].lower().startswith(("http://", "https://"))


def _source(file: Media) -> Json | None:
    if file.file_id:
        return {"type": "file", "file_id": file.file_id}
    if _on_the_web(file):
        return {"type": "url", "url": file.url}
    if file.type == _PDF and file.data:
        return {"type": "base64", "media_type": _PDF, "data": file.data}
    text = text_in(file)
    return {"type": "text", "media_type": "text/plain", "data": text} if text else None
