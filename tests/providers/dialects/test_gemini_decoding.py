"""Answers of generateContent of any shape: streamed and cut anywhere, they say what the whole answer says."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse
from turnout.providers.dialects.gemini import GeminiDialect
from turnout.providers.errors import (
    BadRequestError,
    EmptyResponseError,
    InternalServerError,
    MalformedResponseError,
    OverloadedError,
    ProviderError,
    StreamInterruptedError,
)
from turnout.providers.folding import fold

Fields = dict[str, Any]

REQUEST = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
TARGET = target_of("gemini", "m", on_unsupported="refuse")
DIALECT = GeminiDialect()
HEAD: Fields = {"responseId": "r", "modelVersion": "m-1"}


def answer(*parts: Any, finish: str | None = None, **more: Any) -> Fields:
    """One answer with one candidate."""
    candidate = {"content": {"parts": list(parts)}, **({"finishReason": finish} if finish else {}), **more}
    return {"candidates": [candidate], **HEAD}


def whole(body: Any) -> ChatResponse:
    """The answer in a body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECT.decode(data, REQUEST, TARGET)


def event(payload: Any) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(payload, ensure_ascii=False)}\r\n\r\n".encode()


def chunks(*pieces: bytes) -> list[ChatChunk]:
    """The chunks of a stream."""
    decoder = DIALECT.decoder(REQUEST, TARGET)
    found = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    return [*found, *decoder.close()]


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
SIGNATURE = st.fixed_dictionaries({}, optional={"thoughtSignature": st.just("U2ln")})
SPOKEN = st.builds(lambda text, sign: {"text": text, **sign}, TEXT, SIGNATURE)
THOUGHT = st.builds(lambda text: {"text": text, "thought": True}, TEXT)
CALL = st.builds(
    lambda call, sign: {"functionCall": call, **sign},
    st.fixed_dictionaries(
        {"name": st.sampled_from(["f", "g"])},
        optional={"id": TEXT, "args": st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.none()))},
    ),
    SIGNATURE,
)
OTHER = st.sampled_from(
    [
        {"executableCode": {"code": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAEC"}},
        {"hologram": {}},
        {"text": "", "thoughtSignature": "RW5k"},
    ]
)
PART = st.one_of(SPOKEN, THOUGHT, CALL, OTHER)
CANDIDATES = st.lists(st.lists(PART, min_size=1, max_size=5), min_size=1, max_size=2)
COUNTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(0, 99)
        for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
    },
)
REASON = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "TIRED"])


def in_pieces(part: Fields) -> list[Fields]:
    """A part as a stream gives it: unsigned text letter by letter."""
    if part.keys() <= {"text", "thought"}:
        return [{**part, "text": letter} for letter in part["text"]]
    return [part]


@given(CANDIDATES, COUNTS, REASON, st.data())
def test_a_stream_cut_anywhere_is_the_whole_answer(
    candidates: list[list[Fields]], counts: Fields, reason: str, data: st.DataObject
) -> None:
    def candidate(index: int, parts: list[Fields], **more: Any) -> Fields:
        return {"index": index, "content": {"parts": parts, "role": "model"}, **more}

    last = {"usageMetadata": counts, **HEAD}
    told = [candidate(index, parts, finishReason=reason) for index, parts in enumerate(candidates)]
    events = [
        {"candidates": [candidate(index, [piece])], **HEAD}
        for index, parts in enumerate(candidates)
        for part in parts
        for piece in in_pieces(part)
    ]
    ends = [{"index": index, "finishReason": reason} for index, _ in enumerate(candidates)]
    stream = b"".join(map(event, [*events, {"candidates": ends, **last}]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    response = fold(chunks(*pieces))
    assert response.wire() == whole({"candidates": told, **last}).wire()
    said = [part["text"] for part in candidates[0] if "text" in part and "thought" not in part]
    assert response.text == "".join(said)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3))
)
def test_no_shape_breaks_it_but_with_an_error_of_ours(shape: Any) -> None:
    names = ("content", "index", "finishReason", "citationMetadata", "groundingMetadata", "logprobsResult")
    bodies = [
        {"candidates": shape},
        {"candidates": [dict.fromkeys(names, shape)]},
        answer(
            {"text": shape, "functionCall": shape, "inlineData": shape}, {"functionCall": {"args": shape}}
        ),
        answer(
            {"functionCall": {"name": shape, "partialArgs": shape, "id": shape}},
            {"inlineData": {"data": shape}},
        ),
        answer(
            {"text": "x"},
            citationMetadata={"citations": shape},
            groundingMetadata={"groundingSupports": shape},
        ),
        {**answer({"text": "x"}), "usageMetadata": shape, "promptFeedback": shape, "responseId": shape},
    ]
    for body in bodies:
        try:
            whole(body)
        except ProviderError:
            continue


class TestTheEnd:
    def test_a_whole_answer_needs_no_reason(self) -> None:
        assert whole(answer({"text": "Hi"})).finish_reason == "stop"
        assert whole(answer({"functionCall": {"name": "f"}})).finish_reason == "tool_calls"

    def test_a_stream_does(self) -> None:
        counted = {**answer({"text": "Hi"}), "usageMetadata": {"promptTokenCount": 3}}
        found: list[ChatChunk] = []
        decoder = DIALECT.decoder(REQUEST, TARGET)
        found += decoder.feed(event(counted))
        with pytest.raises(StreamInterruptedError) as error:
            found += decoder.close()
        assert error.value.usage is not None
        assert not decoder.done or found
        assert list(decoder.close()) == []

    def test_every_candidate_has_to_end(self) -> None:
        two = {"candidates": [{"index": 1, "content": {"parts": [{"text": "x"}]}}], **HEAD}
        with pytest.raises(StreamInterruptedError):
            chunks(event(answer({"text": "y"}, finish="STOP")), event(two))

    def test_a_block_ends_what_had_begun(self) -> None:
        blocked = {"promptFeedback": {"blockReason": "SAFETY"}, **HEAD}
        response = fold(chunks(event(answer({"text": "Half"})), event(blocked)))
        assert (response.text, response.finish_reason) == ("Half", "content_filter")

    def test_feedback_that_blocks_nothing(self) -> None:
        response = whole({**answer({"text": "x"}, finish="STOP"), "promptFeedback": {"safetyRatings": []}})
        assert response.finish_reason == "stop"
        assert response.wire()["promptFeedback"] == {"safetyRatings": []}

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ("UNEXPECTED_TOOL_CALL", InternalServerError),
            ("MALFORMED_RESPONSE", InternalServerError),
            ("MISSING_THOUGHT_SIGNATURE", BadRequestError),
        ],
    )
    def test_a_fault_of_the_models(self, reason: str, kind: type[ProviderError]) -> None:
        body = {**answer(finish=reason), "usageMetadata": {"promptTokenCount": 3}}
        with pytest.raises(kind) as error:
            whole(body)
        assert error.value.code == reason
        assert error.value.model_output == (kind is InternalServerError)
        assert error.value.usage is not None
        assert error.value.usage.prompt_tokens == 3

    def test_an_answer_without_an_id_gets_one(self) -> None:
        body = answer({"text": "x"}, finish="STOP")
        del body["responseId"]
        first, second = whole(body), whole(body)
        assert first.id
        assert first.id != second.id
        assert len({chunk.id for chunk in chunks(event(body), event(body))}) == 1


class TestArrays:
    def test_one_answer_in_pieces(self) -> None:
        said = [answer({"text": "One"}), answer({"text": " two"}, finish="STOP")]
        assert whole(said).text == "One two"
        assert fold(chunks(json.dumps(said).encode())).text == "One two"

    def test_a_cut_array(self) -> None:
        body = json.dumps([answer({"text": "One"}), answer({"text": "two"}, finish="STOP")]).encode()
        with pytest.raises(StreamInterruptedError):
            whole(body[:-20])

    def test_an_error_inside(self) -> None:
        busy = {"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}}
        with pytest.raises(OverloadedError):
            whole([answer({"text": "One"}), busy])

    @pytest.mark.parametrize("body", [b"[]", b"[1", b"[1]", b"[", b"{", b"<html>", b'"x"'])
    def test_no_answer_at_all(self, body: bytes) -> None:
        with pytest.raises(MalformedResponseError):
            whole(body)

    def test_too_much(self) -> None:
        small = dataclasses.replace(TARGET, max_response_bytes=10)
        with pytest.raises(MalformedResponseError):
            DIALECT.decode(json.dumps([answer({"text": "x" * 20})]).encode(), REQUEST, small)

    def test_nothing(self) -> None:
        for body in (b"", b"  "):
            with pytest.raises(EmptyResponseError):
                whole(body)

    def test_a_stream_nobody_asked_for(self) -> None:
        assert whole(event(answer({"text": "Hi"}, finish="STOP"))).text == "Hi"


class TestFrames:
    BUSY = json.dumps({"error": {"code": 503, "status": "UNAVAILABLE", "message": "no"}}, indent=1).encode()

    @pytest.mark.parametrize("tail", [b"", b"\n", b" "])
    def test_a_bare_error_between_events(self, tail: bytes) -> None:
        half = event(answer({"text": "Half"}))
        with pytest.raises(OverloadedError):
            chunks(half + self.BUSY + tail)
        with pytest.raises(OverloadedError):
            chunks(half, b"{", self.BUSY[1:] + tail)

    def test_a_bare_error_on_one_line(self) -> None:
        line = json.dumps(json.loads(self.BUSY)).encode()
        with pytest.raises(OverloadedError):
            chunks(event(answer({"text": "Half"})), line)

    def test_a_bare_error_that_is_cut(self) -> None:
        with pytest.raises(StreamInterruptedError):
            chunks(event(answer({"text": "Half"})), self.BUSY[:30])

    def test_events_without_empty_lines_between(self) -> None:
        lines = [event(answer({"text": word}, finish="STOP")).strip() for word in ("One", " two")]
        assert fold(chunks(b"\n".join(lines))).text == "One two"
        pretty = json.dumps(answer({"text": "Hi"}, finish="STOP"), indent=1).replace("\n", "\ndata: ")
        assert fold(chunks(b"data: " + pretty.encode() + b"\n\ndata: [DONE]\n\n")).text == "Hi"

    def test_words_that_are_no_stream(self) -> None:
        with pytest.raises(MalformedResponseError):
            chunks(b"data\n\nerror page\n\n{ nothing")


def arguments(*calls: Fields) -> list[Any]:
    """The arguments of the calls that come in these pieces."""
    response = fold(
        chunks(*[event(answer({"functionCall": call})) for call in calls], event(answer(finish="STOP")))
    )
    return [json.loads(call.arguments) for call in response.tool_calls]


def piece(path: Any, more: bool = True, **value: Any) -> Fields:
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


class TestArgumentsInPieces:
    def test_strange_pieces_are_left_alone(self) -> None:
        strange = [
            None,
            {"stringValue": "x"},
            piece("$", stringValue="x"),
            piece("$.a"),
            piece("$.a.b", stringValue="x"),
            piece("$.a[0]", stringValue="y"),
            piece('$["q"][99999]', numberValue=1),
            piece("$.q.z", numberValue=1),
            piece("$.f", numberValue=1.5),
        ]
        assert arguments({"name": "f", "partialArgs": strange, "willContinue": False}) == [
            {"a": {"b": "x"}, "q": [], "f": 1.5}
        ]

    def test_a_text_that_changes_its_shape(self) -> None:
        opened = {
            "name": "f",
            "partialArgs": [piece("$.a[1]", numberValue=1), piece("$.a[1]", stringValue="x")],
        }
        assert arguments(opened) == [{"a": [None, "x"]}]

    def test_several_calls(self) -> None:
        first = {"name": "f", "id": "1", "partialArgs": [piece("$.a", stringValue="x")], "willContinue": True}
        more = {"name": "f", "id": "2", "partialArgs": [piece("$.a", stringValue="y")], "willContinue": True}
        assert arguments(first, more, {"name": "g", "args": {"b": 1}}) == [{"a": "x"}, {"a": "y"}, {"b": 1}]

    def test_a_signature_that_comes_later(self) -> None:
        begun = {"functionCall": {"name": "f", "willContinue": True}}
        signed = {"functionCall": {"partialArgs": []}, "thoughtSignature": "U2ln"}
        response = fold(chunks(event(answer(begun)), event(answer(signed, finish="STOP"))))
        (detail,) = response.message.reasoning_details or []
        assert detail["block"]["part"] == {
            "functionCall": {"name": "f", "args": {}},
            "thoughtSignature": "U2ln",
        }

    def test_a_call_without_words(self) -> None:
        response = whole(answer({"functionCall": {}}, {"text": "x"}, finish="STOP"))
        assert (response.tool_calls, response.finish_reason) == ([], "stop")

    def test_arguments_that_are_text(self) -> None:
        response = whole(answer({"functionCall": {"name": "f", "args": '{"a": 1}'}}))
        assert response.tool_calls[0].arguments == '{"a": 1}'


class TestSources:
    def test_a_segment_is_found_by_its_words(self) -> None:
        def spans(segment: Any, **chunk: Any) -> list[tuple[Any, ...]]:
            grounding = {
                "groundingChunks": [chunk or {"maps": {"uri": "u", "title": "t"}}],
                "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0, "x", 7]}, None],
            }
            message = whole(answer({"text": "Ä b c"}, groundingMetadata=grounding)).message
            cited = [one.url_citation for one in message.annotations or ()]
            return [(one.url, one.start_index, one.end_index) for one in cited if one]

        assert spans({"startIndex": 99, "endIndex": 101, "text": "b c"}) == [("u", 2, 5)]
        assert spans({"startIndex": 3, "endIndex": 4, "text": "zzz"}) == [("u", 2, 3)]
        assert spans(None) == [("u", 0, 0)]
        assert spans({"endIndex": 2}, retrievedContext={"title": "t"}) == [("", 0, 1)]
        assert spans({"endIndex": 2}, text="?") == [("", 0, 1)]

    def test_sources_in_pieces(self) -> None:
        def cited(start: int) -> Fields:
            return {"citations": [{"startIndex": start, "endIndex": start + 1, "uri": f"u{start}"}, None]}

        response = fold(
            chunks(
                event(answer({"text": "a"}, citationMetadata=cited(0))),
                event(answer({"text": "b"}, citationMetadata=cited(1), finish="STOP", safetyRatings=[1])),
            )
        )
        found = [one.url_citation for one in response.message.annotations or ()]
        assert [(one.url, one.start_index) for one in found if one] == [("u0", 0), ("u1", 1)]


def test_sound_that_is_none() -> None:
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "A"}}
    assert whole(answer(sound, {"text": "x"}, finish="STOP")).message.audio is None


def test_thoughts_in_pictures_are_kept_but_not_shown() -> None:
    part = {"thought": True, "inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    signed = {"thought": True, "text": "Hm", "thoughtSignature": "U2ln"}
    message = whole(answer(part, signed, {"text": "x"}, finish="STOP")).message
    assert [detail["block"] for detail in message.reasoning_details or ()] == [part, signed]
    assert "images" not in message.wire()


def test_a_date_that_is_none() -> None:
    body = {**answer({"text": "x"}, finish="STOP"), "createTime": "yesterday"}
    assert whole(body).created == 0
    assert whole({**body, "createTime": "2026-01-01T00:00:00Z"}).created == 1767225600


def test_a_logprob_without_company() -> None:
    response = whole(answer({"text": "x"}, logprobsResult={"chosenCandidates": [None, {"token": "x"}]}))
    logprobs = response.choices[0].logprobs
    assert logprobs is not None
    assert [one.token for one in logprobs.content or ()] == ["", "x"]
