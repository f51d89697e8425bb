"""What a provider must get back word for word: signed thinking, encrypted items, its own server-side blocks.

Such a block rides in a message's `reasoning_details`, whole, with the name of its wire, its provider and its
model, and its place among the blocks of the answer. It is only ever given back to where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from ..dialect import Target
from .draft import Draft, Json

PROVIDER, MODEL, BLOCK, INDEX = "provider", "model", "block", "index"
"""Keys of a detail that holds a block."""


class Kept(NamedTuple):
    """A block that came from this very provider and model."""

    place: int
    """Its place among the blocks of the answer."""
    kind: str
    """The dialect's own word for it."""
    block: Json
    """The block as it came."""


class Piece(NamedTuple):
    """One block of an assistant's message in the order in which it is written again."""

    what: Literal["kept", "text", "call"]
    block: Json
    """The kept block; empty for the others."""
    number: int = 0
    """Which of the message's calls it is, for a call."""


def keep(target: Target, wire: str, kind: str, index: int, block: Json) -> Json:
    """The detail that lets a block ride along; `wire` is the dialect, `kind` its word for the block."""
    return {
        "type": f"{wire}.{kind}",
        PROVIDER: target.provider,
        MODEL: target.model,
        INDEX: index,
        BLOCK: block,
    }


def own_blocks(message: Json, path: str, draft: Draft, wire: str) -> list[Kept]:
    """Take the details out of a message: the blocks that came from here, in order; others' are reported."""
    own, strangers = [], set()
    for place, detail in enumerate(message.pop("reasoning_details", None) or ()):
        kind = _kind_at_home(detail, draft.target, wire)
        if kind is None:
            strangers.add(str(detail.get(PROVIDER) or detail.get("type") or "unknown origin"))
        else:
            index = detail.get(INDEX)
            own.append(Kept(index if isinstance(index, int) else place, kind, detail[BLOCK]))
    if strangers:
        names = ", ".join(sorted(strangers))
        draft.report(
            f"{path}.reasoning_details", "dropped", f"signed reasoning of {names} is not for other targets"
        )
    return sorted(own, key=lambda kept: kept.place)


def _kind_at_home(detail: Any, target: Target, wire: str) -> str | None:
    """The kind of a block that came from this target on this wire; None for any other detail."""
    if not isinstance(detail, dict) or not isinstance(detail.get(BLOCK), dict):
        return None
    name, dot, kind = str(detail.get("type", "")).partition(".")
    if not dot or name != wire:
        return None
    here = detail.get(PROVIDER) == target.provider and detail.get(MODEL) == target.model
    return kind if here else None


def arranged(kept: Sequence[Kept], text: str, calls: int, *, text_of: str = "text") -> Iterator[Piece]:
    """The blocks of an assistant's message as the provider wrote them, as far as they are known.

    Kept blocks stand at their places; the text and then the calls fill the gaps between them, and what is
    left goes to the end. Kept blocks of kind `text_of` hold text of their own under the key `text`: they
    stand for the message's text where they add up to it, and are left out where it has been changed since.
    """
    said = "".join(str(one.block.get("text", "")) for one in kept if one.kind == text_of)
    whole = bool(said) and said == text
    blocks = [one for one in kept if whole or one.kind != text_of]
    plain: list[Piece] = [] if whole or not text else [Piece("text", {})]
    plain += [Piece("call", {}, number) for number in range(calls)]
    waiting = iter(plain)
    place = 0
    for one in blocks:
        while place < one.place:
            piece = next(waiting, None)
            place += 1
            if piece is None:
                break
            yield piece
        yield Piece("kept", one.block)
        place = one.place + 1
    yield from waiting
