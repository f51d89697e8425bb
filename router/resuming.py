"""What it takes for one attempt to go on with the answer of another. Values in, values out; nothing waits.

The next target is given what has come of the answer, without the white space at its end: some hosts refuse
it there, templates take it away, and most tokenizers put a space before a word and not behind one. What comes
back may begin with that white space, with other, or with none; on some hosts with the given text itself. The
`Joint` takes away what the caller has seen already, so that the pieces of both attempts add up to one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnout.providers.chat import (
    ChatChunk,
    ChatCompletion,
    ChatResponse,
    ChunkChoice,
    Delta,
    Message,
    TextPart,
    Usage,
)
from turnout.providers.dialects.keeping import BLOCK, INDEX
from turnout.providers.dialects.prefilling import CONTINUES, obstacle, prefill_of
from turnout.providers.errors import RequestError

from .accounting import total_usage
from .plans import PlannedTarget

_BETWEEN = "\n\n"  # parts the thoughts of two attempts


def is_whole(response: ChatResponse) -> bool:
    """Whether nothing is missing of an answer but the end of its stream."""
    return bool(response.choices) and all(choice.finish_reason for choice in response.choices)


def is_plain(response: ChatResponse) -> bool:
    """Whether what has come of an answer is text and thoughts of one choice, which can be gone on with.

    Half a call, a refusal or sound cannot; nor text with remarks, which tell their places by its length.
    """
    if len(response.choices) != 1:
        return False
    message = response.choices[0].message
    return not (
        message.tool_calls or message.function_call or message.refusal or message.audio or message.annotations
    )


def behind(targets: Sequence[PlannedTarget], answering: PlannedTarget) -> tuple[PlannedTarget, ...]:
    """The targets that come after the one that answers, in their line or in the branch that it stands in."""
    for same in (_is, _looks_like):
        branches = (branch for one in targets for branch in one.branches.values())
        for line in (targets, *branches):
            for place, planned in enumerate(line):
                if same(planned, answering):
                    return tuple(line[place + 1 :])
    return ()


def _is(planned: PlannedTarget, answering: PlannedTarget) -> bool:
    return planned is answering


def _looks_like(planned: PlannedTarget, answering: PlannedTarget) -> bool:
    """Whether both are the same target, which a key, a token or another wire may have made a copy of."""
    return planned.name == answering.name and planned.target.overrides == answering.target.overrides


def goes_on(planned: PlannedTarget, request: ChatCompletion) -> bool:
    """Whether a target can go on with the answer to the caller's request."""
    try:
        own = planned.request_for(request)
    except RequestError:
        return False  # the target's own fields contradict the caller's
    return obstacle(own, planned.speaking(own).target) is None


def echoes(planned: PlannedTarget) -> bool:
    """Whether what comes back may begin with what was given."""
    prefill = prefill_of(planned.target)
    return prefill is not None and prefill.echoes


def given_text(request: ChatCompletion, text: str) -> str:
    """What the request for going on with `text` ends with: a beginning that the caller gave comes first."""
    last = request.messages[-1]
    if last.role == "assistant" and not last.tool_calls:
        text = _text_of(last) + text
    return text.rstrip()


def continuing(request: ChatCompletion, given: str, tokens: int) -> ChatCompletion:
    """The request that asks for an answer to be gone on with, of which about so many tokens have come."""
    messages = list(request.messages)
    if messages[-1].role == "assistant" and not messages[-1].tool_calls:
        messages.pop()
    messages.append(Message.assistant(given))
    return request.model_copy(update={"messages": messages, CONTINUES: tokens})


def _text_of(message: Message) -> str:
    content = message.content
    if not isinstance(content, list):
        return content or ""
    return "".join(part.text for part in content if isinstance(part, TextPart))


class Joint:
    """Makes the chunks of one attempt go on where those of another ended."""

    __slots__ = ("_before", "_details", "_echo", "_held", "_spent", "_thought", "_white")

    def __init__(self, before: ChatResponse, spent: Usage, *, echo: str = "") -> None:
        """`before` is what has come, `spent` what it took; `echo` is the text that may come back first."""
        text = before.text
        self._before = before
        self._spent = spent
        self._echo = echo
        self._held = ""  # what may be the beginning of the echo
        self._white = text[len(text.rstrip()) :]  # white space that was shown and not given
        self._thought = bool(before.reasoning)
        self._details = 1 + max(_indexes(before), default=-1)

    def take(self, chunk: ChatChunk) -> ChatChunk | None:
        """The chunk as it goes on from what came before; None where it says nothing new."""
        choices = [self._choice(choice) for choice in chunk.choices]
        said: dict[str, Any] = {"choices": choices, "created": self._before.created or chunk.created}
        if self._before.id:
            said["id"] = self._before.id
        if chunk.usage is not None:
            said["usage"] = total_usage((self._spent, chunk.usage))
        joined = chunk.model_copy(update=said)
        silent = choices and not (joined.is_semantic or joined.usage or joined.model_extra)
        return None if silent else joined

    def left(self) -> ChatChunk | None:
        """What was held back when the answer ended without a word about why."""
        text = self._text("", last=True)
        if not text:
            return None
        choice = ChunkChoice(delta=Delta(content=text))
        return ChatChunk(id=self._before.id, created=self._before.created, choices=[choice])

    def _choice(self, choice: ChunkChoice) -> ChunkChoice:
        delta, last = choice.delta, choice.finish_reason is not None
        said: dict[str, Any] = {}
        if delta.role is not None:
            said["role"] = None
        if delta.content is not None or (last and self._held):
            said["content"] = self._text(delta.content or "", last=last) or None
        if delta.reasoning and self._thought:
            self._thought = False
            said["reasoning"] = _BETWEEN + delta.reasoning
        if delta.reasoning_details is not None and self._details:
            said["reasoning_details"] = [self._detail(detail) for detail in delta.reasoning_details]
        return choice.model_copy(update={"delta": delta.model_copy(update=said)}) if said else choice

    def _text(self, piece: str, *, last: bool) -> str:
        """What is new in a piece of text."""
        if self._echo:
            held = self._held + piece
            if held.startswith(self._echo):
                piece = held[len(self._echo) :]
            elif self._echo.startswith(held) and not last:
                self._held = held
                return ""
            else:
                piece = held
            self._echo = self._held = ""
        if self._white and piece:
            same = _common(self._white, piece)
            piece = piece[same:]
            self._white = "" if piece else self._white[same:]
        return piece

    def _detail(self, detail: dict[str, Any]) -> dict[str, Any]:
        """A detail whose pieces are put together by their index, which those before have used."""
        index = detail.get(INDEX)
        if BLOCK in detail or not isinstance(index, int):
            return detail
        return {**detail, INDEX: index + self._details}


def _indexes(response: ChatResponse) -> list[int]:
    details = response.message.reasoning_details or ()
    return [index for detail in details if isinstance(index := detail.get(INDEX), int)]


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    for place, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return place
    return min(len(one), len(other))
