"""Images and files that a request names by address, and the same request with their bytes in it.

Some wires take no image by address. Where the user allowed it (`fetch_media`), such images are fetched and
sent as data URLs; here is which ones those are, and how they are put in. What `explain` shows, and what is
checked before anything is fetched, is the request with a stand-in for each.
"""

from __future__ import annotations

import dataclasses
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from turnout.config.errors import TurnoutError
from turnout.config.sections import OnUnsupported
from turnout.providers.chat import ChatCompletion
from turnout.providers.chat.parts import FilePart, ImagePart
from turnout.providers.dialect import Adaptation, Target, WireRequest
from turnout.providers.errors import UnsupportedError


class Encode(Protocol):
    """Encodes a request for one target."""

    def __call__(
        self, request: ChatCompletion, /, *, on_unsupported: OnUnsupported | None = None
    ) -> WireRequest:
        """The HTTP request; UnsupportedError, unless `on_unsupported` says otherwise."""
        ...


NO_REMOTE_IMAGES = "messages.image_url.remote"
"""The catalogue's word for a wire that takes no image by address, nor any file."""
NO_REMOTE_FILES = "messages.file.remote"
"""The same for a wire that takes images so, but no files."""
_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_STAND_INS = {"image_url": "data:image/png;base64,", "file": "data:application/pdf;base64,"}
_HINT = "; or set fetch_media: true for the provider to have it fetched and sent along"


class RemotePart(NamedTuple):
    """A content part that names an address."""

    message: int
    part: int
    kind: Literal["image_url", "file"]
    url: str

    @property
    def path(self) -> str:
        """Where the part stands in the request."""
        return f"messages[{self.message}].content[{self.part}]"

    @property
    def field(self) -> str:
        """Where the address stands in the request."""
        return f"{self.path}.{'image_url.url' if self.kind == 'image_url' else 'file.file_data'}"


def remote_parts(request: ChatCompletion, target: Target) -> list[RemotePart]:
    """The parts whose bytes the target's wire needs, while the request has their address only."""
    lacking = _lacking(target)
    images, files = NO_REMOTE_IMAGES in lacking, bool(lacking & {NO_REMOTE_IMAGES, NO_REMOTE_FILES})
    if not files:
        return []
    found: list[RemotePart] = []
    for place, message in enumerate(request.messages):
        for number, part in enumerate(message.content if isinstance(message.content, list) else ()):
            if images and isinstance(part, ImagePart) and _REMOTE.match(part.image_url.url):
                found.append(RemotePart(place, number, "image_url", part.image_url.url))
            elif isinstance(part, FilePart) and _REMOTE.match(part.file.file_data or ""):
                found.append(RemotePart(place, number, "file", part.file.file_data or ""))
    return found


def _lacking(target: Target) -> set[str]:
    preset = target.preset
    return {
        *preset.unsupported,
        *(name for rule in preset.rules_of(target.model) for name in rule.unsupported),
    }


def inlined(request: ChatCompletion, contents: Mapping[RemotePart, str]) -> ChatCompletion:
    """The request with data URLs in place of addresses."""
    messages: list[Any] = list(request.messages)
    for remote, url in contents.items():
        message = messages[remote.message]
        parts = list(message.content)
        parts[remote.part] = _with_url(parts[remote.part], url)
        messages[remote.message] = message.model_copy(update={"content": parts})
    return request.model_copy(update={"messages": messages})


def _with_url(part: ImagePart | FilePart, url: str) -> ImagePart | FilePart:
    if isinstance(part, ImagePart):
        return part.model_copy(update={"image_url": part.image_url.model_copy(update={"url": url})})
    return part.model_copy(update={"file": part.file.model_copy(update={"file_data": url})})


def foreseen(request: ChatCompletion, target: Target, encode: Encode) -> WireRequest:
    """The HTTP request for a target, as far as it can be told without fetching anything.

    UnsupportedError where the target cannot say the request; where fetching would mend it, this is said.
    """
    if target.fetch_media:
        wire, parts = _with_stand_ins(request, target, encode)
        return told(wire, dict.fromkeys(parts, "will be fetched and inlined"))
    try:
        return encode(request)
    except UnsupportedError as error:
        if _fetching_would_help(request, target, encode):
            error.args = (f"{error}{_HINT}",)
        raise


def parts_to_fetch(request: ChatCompletion, target: Target, encode: Encode) -> list[RemotePart]:
    """The parts that have to be fetched; none that the target leaves out anyway, as the user may have chosen.

    UnsupportedError where the target cannot say the request, whatever is fetched.
    """
    return _with_stand_ins(request, target, encode)[1] if remote_parts(request, target) else []


def _with_stand_ins(
    request: ChatCompletion, target: Target, encode: Encode
) -> tuple[WireRequest, list[RemotePart]]:
    """The HTTP request with stand-ins for the bytes, and the parts whose stand-ins are in it."""
    remote = remote_parts(request, target)
    if remote:
        own = _understood(request, remote, encode)
        remote = [part for part in remote if part not in own]
    wire = encode(inlined(request, {part: _STAND_INS[part.kind] + _mark(part) for part in remote}))
    return wire, _marked(remote, wire)


def _understood(request: ChatCompletion, remote: list[RemotePart], encode: Encode) -> list[RemotePart]:
    """The parts that the wire takes by address all the same, such as files of the provider's own."""
    marked = inlined(request, {part: f"{part.url.partition('#')[0]}#{_mark(part)}" for part in remote})
    try:
        return _marked(remote, encode(marked, on_unsupported="drop"))
    except TurnoutError:  # of something else; it will come again
        return []


def _marked(remote: list[RemotePart], wire: WireRequest) -> list[RemotePart]:
    return [part for part in remote if _mark(part).encode() in wire.body]


def _mark(part: RemotePart) -> str:
    """What stands for the bytes of one part, base64 encoded; as long as needs no filling."""
    return b64encode(f"fetched for part {part.message:06}.{part.part:06}".encode()).decode()


def _fetching_would_help(request: ChatCompletion, target: Target, encode: Encode) -> bool:
    try:
        return bool(remote_parts(request, target) and _with_stand_ins(request, target, encode)[1])
    except TurnoutError:
        return False


def told(wire: WireRequest, reasons: Mapping[RemotePart, str]) -> WireRequest:
    """The HTTP request with a note on every part that was inlined, before all other notes."""
    notes = (Adaptation(field=part.field, action="emulated", reason=said) for part, said in reasons.items())
    return dataclasses.replace(wire, adaptations=(*notes, *wire.adaptations))
