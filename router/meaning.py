"""Answers that came as they should and still are not what was asked for.

A provider may do its part and the answer be of no use: it says nothing, declines, was filtered or cut off, is
not the JSON that was asked for, or is not to the taste of a function of the user's. Each of these is a kind
of error, and counts as one only where the target's `retry.on`, its route's `fallback_on` or one of its
branches names it; `rejected` counts wherever the route has functions under `reject`. The error carries the
whole answer as `response`.

An answer of several choices is good enough if one of them is. In a stream only what nobody has seen yet can
be judged: an answer that ended before its first word was shown, and one that begins with a refusal, which is
then read to its end.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from turnout.config.sections import Kind
from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse
from turnout.providers.errors import (
    ContentPolicyError,
    EmptyResponseError,
    InvalidJSONError,
    ProviderError,
    RefusalError,
    RejectedResponseError,
    TruncatedResponseError,
)

from .errors import FunctionError
from .functions import function_at

if TYPE_CHECKING:
    from turnout.providers.chat.response import Choice

Predicate = Callable[[ChatResponse], Any]
"""Says whether an answer is to be rejected: true, or the reason as a text; it may be async."""

KINDS: frozenset[Kind] = frozenset(
    ("empty", "refusal", "content_policy", "truncated", "invalid_json", "rejected")
)
"""What an answer may be."""
_DECLINED = "the model declined to answer."
_REASON = 200  # characters of a predicate's own words that a message repeats


class Judge:
    """What the answers of one target in one plan have to be."""

    __slots__ = (
        "_content_policy", "_empty", "_invalid_json", "_predicates", "_refusal", "_truncated", "ahead",
    )  # fmt: skip

    def __init__(self, kinds: Collection[Kind], predicates: Sequence[tuple[str, Predicate]] = ()) -> None:
        self._empty = "empty" in kinds
        self._refusal = "refusal" in kinds
        self._content_policy = "content_policy" in kinds
        self._truncated = "truncated" in kinds
        self._invalid_json = "invalid_json" in kinds
        self._predicates = tuple(predicates)
        self.ahead = bool(predicates) or any(kind in kinds for kind in KINDS - {"empty"})
        """Whether the first word of a stream may come with what makes the answer useless."""

    def fault(self, response: ChatResponse, request: ChatCompletion) -> ProviderError | None:
        """What is wrong with an answer, by its look; None where one of its choices will do."""
        first: ProviderError | None = None
        for choice in response.choices:
            error = self._fault_of(choice, request)
            if error is None:
                return None
            first = first or error
        if first is None and self._empty:
            first = EmptyResponseError("the answer holds no choice at all.")
        return None if first is None else _with(first, response)

    @property
    def asks(self) -> bool:
        """Whether `rejection` asks anybody."""
        return bool(self._predicates)

    async def rejection(self, response: ChatResponse) -> ProviderError | None:
        """The verdict of the first function that rejects an answer; FunctionError where one fails."""
        for path, predicate in self._predicates:
            try:
                verdict = predicate(response)
                if inspect.isawaitable(verdict):
                    verdict = await verdict
                if not verdict:
                    continue
            except Exception as error:
                raise FunctionError(
                    f"reject: {path} failed with {type(error).__name__} instead of judging an answer",
                    response=response,
                ) from error
            reason = f": {verdict[:_REASON]}" if isinstance(verdict, str) else "."
            return _with(RejectedResponseError(f"{path} rejects the answer{reason}", code=path), response)
        return None

    def declines(self, chunk: ChatChunk) -> bool:
        """Whether a stream that begins so is a refusal, and refusals count."""
        if not self._refusal:
            return False
        deltas = [choice.delta for choice in chunk.choices]
        return any(delta.refusal for delta in deltas) and not any(delta.content for delta in deltas)

    def _fault_of(self, choice: Choice, request: ChatCompletion) -> ProviderError | None:
        message, reason = choice.message, choice.finish_reason
        if self._refusal and message.refusal:
            return RefusalError(_DECLINED)
        if reason == "content_filter":
            if self._content_policy:
                left = "cut the answer off." if message.content else "left nothing of the answer."
                return ContentPolicyError(f"the filter {left}", code="content_filter")
            if self._refusal and _declined(choice):
                return RefusalError(_DECLINED, code="refusal")
        elif reason == "length":
            # an empty answer is no failure here: the caller's own limit on tokens left no room
            if self._truncated:
                return TruncatedResponseError("the answer was cut off at its limit of tokens.", code="length")
        elif self._empty and not (message.content or _has_content(choice)):
            return EmptyResponseError("the answer has no text, reasoning, tool call or refusal.")
        if self._invalid_json and request.response_format is not None:
            wrong = _not_as_asked(choice, request)
            if wrong:
                return InvalidJSONError(f"the answer {wrong}.", code="response_format")
        return None


def judge(kinds: Collection[Kind], predicates: Sequence[tuple[str, Predicate]] = ()) -> Judge | None:
    """The judge for those of `kinds` that an answer shows; None where nothing is to be judged."""
    judged = KINDS.intersection(kinds)
    return Judge(judged, predicates) if judged or predicates else None


def predicates_of(route: str, paths: Sequence[str]) -> tuple[tuple[str, Predicate], ...]:
    """The functions under a route's `reject`, with their names; ConfigError where one is not to be found."""
    return tuple((path, function_at(path, f"route {route!r}: reject")) for path in paths)


def _with(error: ProviderError, response: ChatResponse) -> ProviderError:
    error.response, error.usage = response, response.usage
    return error


def _has_content(choice: Choice) -> bool:
    message = choice.message
    return bool(
        message.reasoning
        or message.reasoning_details
        or message.tool_calls
        or message.function_call
        or message.refusal
        or message.audio
    )


def _declined(choice: Choice) -> bool:
    """Whether the provider says in its own word that the model refused."""
    return (choice.model_extra or {}).get("native_finish_reason") == "refusal"


def _not_as_asked(choice: Choice, request: ChatCompletion) -> str:
    """What is wrong with an answer's JSON, as the rest of a sentence; empty where nothing is."""
    asked, message = request.response_format, choice.message
    if asked is None or asked.type == "text":
        return ""
    if message.tool_calls or message.function_call or message.refusal:
        return ""  # said instead of an answer
    try:
        value = from_json(message.content or "", allow_inf_nan=False)
    except ValueError as error:
        return f"is not JSON: {error}"
    if asked.type == "json_object":
        return "" if isinstance(value, dict) else "is JSON, but no object"
    schema = asked.json_schema.schema_ if asked.json_schema else None
    if schema is None:
        return ""
    from .json_schema import mismatch  # most routes never need it

    wrong = mismatch(value, schema)
    return f"does not match its schema: {wrong}" if wrong else ""
