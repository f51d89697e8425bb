"""Content parts: the pieces of a message that is more than plain text, told apart by their `type`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from .record import FrozenRecord


class Part(FrozenRecord):
    """What every content part may carry."""

    cache_control: dict[str, Any] | None = None
    """Asks a provider with prompt caching to cache the prompt up to here, such as {"type": "ephemeral"}."""


class TextPart(Part):
    """A piece of text."""

    type: Literal["text"] = "text"
    """Which kind of part this is."""
    text: str
    """The text."""


class ImageURL(FrozenRecord):
    """Where an image is, and how closely to look at it."""

    url: str = Field(pattern=r"^(?i:https?://|data:)")
    """An http or https address, or the image itself as a data URL."""
    detail: Literal["auto", "low", "high"] | None = None
    """How finely the model looks at the image; finer costs more tokens."""


class ImagePart(Part):
    """An image."""

    type: Literal["image_url"] = "image_url"
    """Which kind of part this is."""
    image_url: ImageURL
    """The image."""


class InputAudio(FrozenRecord):
    """A recording."""

    data: str
    """The sound, base64 encoded."""
    format: Literal["wav", "mp3"]
    """How the sound is encoded."""


class InputAudioPart(Part):
    """Sound for the model to hear."""

    type: Literal["input_audio"] = "input_audio"
    """Which kind of part this is."""
    input_audio: InputAudio
    """The recording."""


class FileReference(FrozenRecord):
    """A file, by the id of an upload or with its bytes."""

    file_id: str | None = None
    """Id that the provider gave the file when it was uploaded."""
    file_data: str | None = None
    """The file itself, base64 encoded or as a data URL."""
    filename: str | None = None
    """The name to show the model along with the bytes."""


class FilePart(Part):
    """A file, such as a PDF."""

    type: Literal["file"] = "file"
    """Which kind of part this is."""
    file: FileReference
    """The file."""


class RefusalPart(Part):
    """What an assistant said instead of answering."""

    type: Literal["refusal"] = "refusal"
    """Which kind of part this is."""
    refusal: str
    """The words of the refusal."""


class UnknownPart(Part):
    """A part of a type that turnout does not know, kept exactly as given."""

    type: str
    """The part's own word for its kind."""


# Tags turn up in the locations of pydantic's errors; the brackets keep them apart from names of fields.
_TAGS = {kind: f"<{kind}>" for kind in ("text", "image_url", "input_audio", "file", "refusal")}


def _tag(value: object) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return _TAGS.get(kind, "<unknown>") if isinstance(kind, str) else "<unknown>"


ContentPart = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<image_url>")]
    | Annotated[InputAudioPart, Tag("<input_audio>")]
    | Annotated[FilePart, Tag("<file>")]
    | Annotated[RefusalPart, Tag("<refusal>")]
    | Annotated[UnknownPart, Tag("<unknown>")],
    Discriminator(_tag),
]
"""Any content part; its `type` decides which."""
