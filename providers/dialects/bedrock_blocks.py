"""Single content blocks of Converse: text, images, sound, documents, tool calls and their results.

A block is an object with one key, which says what it is. Source: botocore 1.44.5, shapes `ContentBlock` and
`ToolResultContentBlock`, read 2026-11-21.
"""

from __future__ import annotations

import re
from typing import Any

from .bedrock_caching import Marks
from .draft import Draft, Json
from .media import Media, file_of, image_of, sound_of, text_in
from .tooling import arguments_of, fitted_id
from .turns import Call, Result, custom_arguments

FILLER = "."
"""Text that says nothing, where the wire wants some."""
SILENT = "(no output)"
"""Stands for the result of a tool that returned nothing."""

IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
"""Media types -> the wire's words for pictures."""
SOUNDS = {"audio/wav": "wav", "audio/mp3": "mp3"}
"""The same for recordings."""
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
"""The same for documents."""
OWN_PARTS = frozenset({"guardContent", "searchResult", "video", "document", "image", "audio"})
"""Blocks of the wire's own that a request may bring as parts: `{"type": "video", "video": {…}}`."""
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


class Blocks:
    """Writes the blocks of one request; names of documents and ids of calls are told apart over all of it."""

    def __init__(self, draft: Draft, marks: Marks) -> None:
        self._draft = draft
        self._marks = marks
        self._documents = 0
        self._ids: dict[str, str] = {}  # path of a call -> its id on the wire

    def user(self, parts: list[Json]) -> list[Json]:
        """What a user says, with the cache points that its parts ask for."""
        blocks: list[Json] = []
        for part in parts:
            block = self._part(part)
            if block is not None:
                blocks.append(block)
                self._marks.mark(part, blocks)
        return blocks

    def texts(self, parts: list[Json], who: str) -> list[Json]:
        """The same where the wire only takes text."""
        blocks: list[Json] = []
        for part in parts:
            if part["type"] == "text" or (part["type"] == "guardContent" and "guardContent" in part):
                blocks.append({part["type"]: part[part["type"]]})
                self._marks.mark(part, blocks)
            else:
                self._draft.refuse(part["path"], f"the wire takes only text from the {who}")
        return blocks

    def call(self, call: Call) -> Json:
        """A call that the assistant made."""
        if call.rest:
            self._draft.report(call.path, "dropped", "the wire knows no further fields of a call")
        arguments = arguments_of(custom_arguments(call), call.path, self._draft)
        return {"toolUse": {"toolUseId": self._id(call), "name": tool_name(call.name), "input": arguments}}

    def result(self, result: Result) -> tuple[list[Json], list[Json]]:
        """What came of a call, and what of it has to stand outside the result."""
        inside: list[Json] = []
        outside: list[Json] = []
        for part in result.parts:
            block = self._part(part)
            if block is not None:
                (inside if self._fits(block) else outside).append(block)
        if outside:
            self._draft.report(
                result.path, "emulated", "the model takes no such part in a result; it follows"
            )
        if result.is_error and "no_result_status" in self._draft.flags:
            inside.insert(0, {"text": "Error:"})
        content = inside or [{"text": "See below." if outside else SILENT}]
        said: Json = {"toolUseId": self._id(result.call), "content": content}
        if "no_result_status" not in self._draft.flags:
            said["status"] = "error" if result.is_error else "success"
        blocks: list[Json] = [{"toolResult": said}]
        for part in result.parts:
            self._marks.mark(part, blocks)
        return blocks, outside

    def _id(self, call: Call) -> str:
        """The id of a call, the same for its result; other providers give one id to several calls."""
        if call.path not in self._ids:
            wanted = fitted_id(call.id, r"a-zA-Z0-9_.:\-")
            while wanted in self._ids.values():
                wanted = fitted_id(f"{call.path}/{wanted}", r"a-zA-Z0-9")
            self._ids[call.path] = wanted
        return self._ids[call.path]

    def _fits(self, block: Json) -> bool:
        """Whether the model takes a block inside a tool result."""
        if "image" in block:
            return "no_result_images" not in self._draft.flags
        if "document" in block:
            return "result_files" in self._draft.flags
        return "text" in block or "searchResult" in block or "video" in block

    def _part(self, part: Json) -> Json | None:
        match part["type"]:
            case "text":
                return {"text": part["text"]}
            case "image_url":
                return self._image(part)
            case "input_audio":
                return self._sound(part)
            case "file":
                return self._file(part)
            case kind if kind in OWN_PARTS and isinstance(part.get(kind), dict):
                return {kind: part[kind]}
        return self._refused(part, f"the wire has no part {part['type']!r}")

    def _image(self, part: Json) -> Json | None:
        media = image_of(part)
        if self._draft.capabilities.images is False:
            return self._refused(part, "the model sees no images")
        if media.url:
            return self._refused(part, "the wire takes images as data, not by address")
        if media.type not in IMAGES:
            return self._refused(part, f"the wire takes images that are {_words(IMAGES)}")
        if part["image_url"].get("detail") not in (None, "auto"):
            self._draft.report(f"{part['path']}.image_url.detail", "dropped", "the wire has no such control")
        return {"image": {"format": IMAGES[media.type], "source": {"bytes": _packed(media.data)}}}

    def _sound(self, part: Json) -> Json | None:
        media = sound_of(part)
        if self._draft.capabilities.audio is False:
            return self._refused(part, "the model hears no sound")
        return {"audio": {"format": SOUNDS[media.type], "source": {"bytes": _packed(media.data)}}}

    def _file(self, part: Json) -> Json | None:
        media = file_of(part)
        if self._draft.capabilities.files is False:
            return self._refused(part, "the model reads no documents")
        if media.type in IMAGES and media.data:
            return {"image": {"format": IMAGES[media.type], "source": {"bytes": _packed(media.data)}}}
        source = _source(media)
        if source is None:
            return self._refused(part, "the wire takes documents as data, or an id that begins with s3://")
        kind = DOCUMENTS.get(media.type) or ("txt" if text_in(media) is not None else None)
        if kind is None:
            return self._refused(part, f"the wire takes documents that are {_words(DOCUMENTS)}")
        self._documents += 1
        name = f"doc-{self._documents}"
        if media.name:
            # the model may take a name for an instruction, and the wire takes few characters in one
            self._draft.report(f"{part['path']}.file.filename", "renamed", f"sent as {name}")
        return {"document": {"format": kind, "name": name, "source": source}}

    def _refused(self, part: Json, reason: str) -> Json | None:
        """Nothing to write, once the part is refused or its loss reported."""
        self._draft.refuse(part["path"], reason)
        return None


def tool_name(name: str) -> str:
    """A tool's name as the wire takes it."""
    return _UNFIT.sub("_", name)[:64] or "tool"


def _source(media: Media) -> Json | None:
    address = media.file_id or media.url
    if address.startswith("s3://"):
        return {"s3Location": {"uri": address}}
    return {"bytes": _packed(media.data)} if media.data else None


def _packed(data: str) -> str:
    """Base64 without the line breaks that some encoders put in."""
    return data if data.isalnum() else "".join(data.split())


def _words(kinds: dict[str, Any]) -> str:
    return ", ".join(dict.fromkeys(kinds.values()))
