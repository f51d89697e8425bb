"""Images, sound and files out of the contract's content parts, for wires that want type and bytes apart."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from mimetypes import guess_type
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from .draft import Json

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<rest>(?:;[^;,]*)*),(?P<data>.*)", re.DOTALL | re.IGNORECASE)
_SIGNATURES = (
    (b"%PDF", "application/pdf"), (b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"), (b"PK\x03\x04", "application/zip"),
)  # fmt: skip
SOUND = {"wav": "audio/wav", "mp3": "audio/mp3"}
"""The contract's words for how sound is encoded -> media types."""


class Media(NamedTuple):
    """Bytes in a request, or where they are."""

    type: str
    """The media type, empty where it is not known."""
    data: str = ""
    """The bytes, base64 encoded; empty where there is only an address."""
    url: str = ""
    """An http or https address, or a provider's own, such as `gs://`."""
    name: str = ""
    """The file's name, where one is given."""
    file_id: str = ""
    """The provider's own id of an upload."""


def image_of(part: Json) -> Media:
    """The image of an `image_url` part."""
    return of_url(part["image_url"]["url"])


def sound_of(part: Json) -> Media:
    """The recording of an `input_audio` part."""
    audio = part["input_audio"]
    return Media(SOUND[audio["format"]], audio["data"])


def file_of(part: Json) -> Media:
    """The document of a `file` part: an id, a URL, or base64 whose type the name or the bytes tell."""
    file = part["file"]
    name, data = file.get("filename") or "", file.get("file_data") or ""
    if not data:
        return Media(guess_type(name)[0] or "", name=name, file_id=file.get("file_id") or "")
    if ":" in data[:8]:  # no base64 holds one, while `data:`, `https:` and the like do
        media = of_url(data)
        return media._replace(type=media.type or guess_type(name)[0] or "", name=name)
    return Media(guess_type(name)[0] or _sniffed(data), data, name=name)


def of_url(url: str) -> Media:
    """What a data URL holds, or where another URL points to."""
    match = _DATA_URL.fullmatch(url)
    if match is None:
        return Media(guess_type(_path(url))[0] or "", url=url)
    data = match["data"]
    if ";base64" not in match["rest"].lower():
        data = binascii.b2a_base64(unquote_to_bytes(data), newline=False).decode()
    return Media(match["type"].lower() or _sniffed(data), data)


def text_in(media: Media) -> str | None:
    """The text of a document that is text; None where it is not, or not UTF-8."""
    if not media.type.startswith("text/"):
        return None
    try:
        return b64decode(media.data, validate=True).decode("utf-8")
    except ValueError:
        return None


def _path(url: str) -> str:
    """The path of an address; empty where it is none, which is for the provider to say."""
    try:
        return urlsplit(url).path
    except ValueError:  # such as half an IPv6 address
        return ""


def _sniffed(data: str) -> str:
    """The media type that the first bytes tell; empty where they tell none."""
    try:
        head = b64decode(data[:32] + "=" * (-len(data[:32]) % 4))
    except ValueError:
        return ""
    if head[:4] == b"RIFF":
        return "image/webp" if head[8:12] == b"WEBP" else "audio/wav"
    return next((kind for start, kind in _SIGNATURES if head.startswith(start)), "")
