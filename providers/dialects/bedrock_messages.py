"""A conversation as Converse's messages, with what each maker's models want of them.

Source: botocore 1.44.5; the families' rules as in bedrock.yaml. Bedrock joins neighbours of one role before
the model sees them, so what must not stand together is kept apart by a word of the assistant's.
"""

from __future__ import annotations

from .bedrock_blocks import FILLER, Blocks
from .draft import Draft, Json
from .keeping import Kept, arranged
from .turns import Turn, leading_system

WIRE = "bedrock"
"""The dialect's name in kept blocks."""
THOUGHT = "reasoning"
"""Kind of a kept block of thinking."""
SERVER_TOOL = "server_tool"
"""Kind of a kept block: a tool that the provider runs itself, or what came of it."""
OTHER = "other"
"""Kind of a kept block that nobody here knows; it is shown, and not given back."""


def write_system(turns: list[Turn], blocks: Blocks) -> list[Json]:
    """The standing instructions, taken off the turns."""
    return blocks.texts(leading_system(turns), "system")


def write_messages(turns: list[Turn], draft: Draft, blocks: Blocks) -> list[Json]:
    """All else that was said."""
    writer = _Messages(draft)
    for turn in turns:
        if turn.role == "assistant":
            writer.add("assistant", _assistant(turn, draft, blocks), turn.path)
        elif turn.role == "results":
            _results(turn, writer, blocks)
        else:
            if turn.role == "system":
                draft.report(turn.path, "emulated", "a later instruction is sent as the user's")
            writer.add("user", blocks.user(turn.parts), turn.path)
    return writer.finished(turns[-1].path if turns else "messages")


def _assistant(turn: Turn, draft: Draft, blocks: Blocks) -> list[Json]:
    texts = blocks.texts(turn.parts, "assistant")
    written: list[Json] = []
    for piece in arranged(_replayed(turn, draft), turn.text, len(turn.calls)):
        if piece.what == "kept":
            written.append(piece.block)
        elif piece.what == "text":
            written += texts
        else:
            written.append(blocks.call(turn.calls[piece.number]))
    return written


def _replayed(turn: Turn, draft: Draft) -> list[Kept]:
    """The blocks that the model's family takes back."""
    refused = {OTHER} if "replay" in draft.flags else {OTHER, THOUGHT}
    kept = [one for one in turn.kept if one.kind not in refused]
    if len(kept) < len(turn.kept):
        draft.report(f"{turn.path}.reasoning_details", "dropped", "the model does not take all of it back")
    return kept


def _results(turn: Turn, writer: _Messages, blocks: Blocks) -> None:
    inside: list[Json] = []
    outside: list[Json] = []
    for result in turn.results:
        within, beyond = blocks.result(result)
        inside += within
        outside += beyond
    writer.add("user", inside, turn.path)
    writer.add("user", outside, turn.path)


class _Messages:
    """Grows the list of messages."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._messages: list[Json] = []

    def add(self, role: str, blocks: list[Json], path: str) -> None:
        """Say something more; neighbours of one role are one message where they may stand together."""
        if not blocks:
            return
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != role:
            self._messages.append({"role": role, "content": blocks})
        elif role == "user" and self._clash(last["content"], blocks):
            self._draft.report(path, "emulated", "a word of the assistant's keeps it apart from tool results")
            self._messages.append(_said("assistant"))
            self._messages.append({"role": role, "content": blocks})
        else:
            last["content"] += blocks

    def _clash(self, before: list[Json], after: list[Json]) -> bool:
        """Whether the model refuses these blocks in one message because tool results are among them."""
        both = [*before, *after]
        if not any("toolResult" in block for block in both):
            return False
        if "results_alone" in self._draft.flags:
            return any("toolResult" not in block for block in both)
        files = any("document" in block or "video" in block for block in both)
        return files and "results_no_files" in self._draft.flags

    def finished(self, path: str) -> list[Json]:
        """The messages, with a beginning and an end that the model takes."""
        messages = self._messages
        for message in messages:
            _with_text(message, self._draft, path)
        if not messages or (messages[0]["role"] != "user" and "assistant_first" not in self._draft.flags):
            self._draft.report(
                "messages[0]", "emulated", "a conversation begins with the user; a dot is sent"
            )
            messages.insert(0, _said("user"))
        if messages[-1]["role"] == "assistant":
            self._end(messages, path)
        return messages

    def _end(self, messages: list[Json], path: str) -> None:
        """A last word of the assistant's is the beginning of its answer, which few models go on with."""
        if "no_prefill" in self._draft.flags:
            self._draft.refuse(path, "the model does not go on with an answer that the request begins")
            messages.append(_said("user"))
            return
        content = messages[-1]["content"]
        if "text" in content[-1]:
            content[-1] = {"text": content[-1]["text"].rstrip()}  # white space at the end is refused


def _with_text(message: Json, draft: Draft, path: str) -> None:
    """A message with a document needs a text as well."""
    content = message["content"]
    if any("document" in block for block in content) and not any("text" in block for block in content):
        draft.report(path, "emulated", "a document goes with a text; a dot is sent")
        content.insert(0, {"text": FILLER})


def _said(role: str) -> Json:
    return {"role": role, "content": [{"text": FILLER}]}
