"""Answers under HTTP 200 that come whole and are none, or not quite; a stream was asked for or not."""

from __future__ import annotations

import json

import pytest
from answer_bytes import ALL, EVENTS, USAGE, body, dumped, error, http, whole
from fault_matrix import FINE, KEY, Fault, expected, outcome

from turnout.testing import Reply, ScriptedCall

pytestmark = pytest.mark.anyio

HELLO = "a ok 2+1"
UNCOUNTED = "a ok unknown"
MALFORMED = "a malformed unknown; " + FINE
EMPTY = "a empty unknown; " + FINE
PAID = "a empty 2+0; " + FINE
DEEP = b"[" * 20_000 + b"]" * 20_000


def answers(data: bytes, kind: bytes = b"application/json") -> tuple[bytes]:
    return (http(200, data, kind=kind),)


def choice(**fields: object) -> list[dict[str, object]]:
    return [{"index": 0, "finish_reason": "stop", **fields}]


def message(**fields: object) -> tuple[bytes]:
    return (whole(choices=choice(message={"role": "assistant", **fields})),)


def counted(**fields: object) -> tuple[bytes]:
    return (whole(usage={**USAGE, **fields}),)


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "th'}}

NONE = {
    "no body": Fault(answers(b""), EMPTY),
    "blanks": Fault(answers(b" \r\n\r\n "), EMPTY),
    "a page": Fault(
        answers(b"<!doctype html><title>Sign in</title>", b"text/html"), MALFORMED,
        tells="an HTML or XML page instead of JSON: Sign in",
    ),
    "a text": Fault(answers(b"upstream reset", b"text/plain"), MALFORMED, tells="upstream reset"),
    "a text with the key in it": Fault(answers(f"dump: {KEY}".encode(), b"text/plain"), MALFORMED,
                                       tells=r"dump: \[redacted\]"),
    "JSON cut short": Fault(answers(body()[:-30]), MALFORMED, tells="not JSON"),
    "two objects": Fault(answers(body() + body()), MALFORMED),
    "a list": Fault(answers(b"[]"), MALFORMED, tells="is a list, not an object"),
    "a list with an answer": Fault(answers(b"[" + body() + b"]"), MALFORMED),
    "a list with an error": Fault(
        answers(b"[" + error("Busy.", code=503) + b"]"), "2x a overloaded 503 unknown; " + FINE
    ),
    "a number": Fault(answers(b"42"), MALFORMED),
    "null": Fault(answers(b"null"), MALFORMED),
    "a text in JSON": Fault(answers(b'"Hello"'), MALFORMED),
    "nothing but braces": Fault(answers(b"{}"), MALFORMED, tells="choices is missing"),
    "nesting without end": Fault(answers(DEEP), MALFORMED),
    "nesting in a field": Fault(answers(b'{"choices": ' + DEEP + b"}"), MALFORMED),
    "not UTF-8": Fault(answers(body("Hell\u00f6").decode("unicode-escape").encode("latin-1")), MALFORMED),
    "an error": Fault(answers(error("The engine stopped.", type="server_error")),
                      "2x a server unknown; " + FINE, tells="The engine stopped"),
    "an error that is a text": Fault(answers(b'{"error": "Loading"}'), "2x a server unknown; " + FINE),
    "an error that is a limit": Fault(answers(error(code="rate_limit_exceeded")),
                                      "2x a rate_limit unknown; " + FINE),
    "an error that is a key": Fault(answers(error(code="invalid_api_key")),
                                    "a authentication unknown; " + FINE),
    "an error that is the request": Fault(
        answers(error("Bad n.", type="invalid_request_error")), "a invalid_request unknown"
    ),
    "an error with a status": Fault(answers(error(code=429)), "2x a rate_limit 429 free; " + FINE),
    "an error without a word": Fault(answers(b'{"error": {}, "choices": []}'), EMPTY),
    "an error of another envelope": Fault(
        answers(b'{"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}'),
        "2x a server unknown; " + FINE,
    ),
    "an error in FastAPI's words": Fault(answers(b'{"detail": "Not Found"}'), "2x a server unknown; " + FINE),
    "no choices": Fault(answers(dumped({"id": "x", "object": "chat.completion"})), MALFORMED),
    "an empty list of choices": Fault((whole(choices=[]),), EMPTY),
    "choices that are null": Fault(answers(b'{"choices": null}'), MALFORMED),
    "choices that are a map": Fault((whole(choices={"0": {}}),), MALFORMED),
    "a choice that is null": Fault((whole(choices=[None]),), MALFORMED),
    "a choice without a message": Fault((whole(choices=choice()),), MALFORMED),
    "a message that is a text": Fault((whole(choices=choice(message="Hello")),), MALFORMED),
    "content that is a number": Fault(message(content=7), MALFORMED),
    "calls that are a text": Fault(message(content=None, tool_calls="look"), MALFORMED),
    "an index that is a text": Fault((whole(choices=choice(index="first", message={"content": "Hello"})),),
                                     MALFORMED),
    "an index below nothing": Fault((whole(choices=choice(index=-1, message={"content": "Hello"})),),
                                    MALFORMED),
    "usage that is a text": Fault((whole(usage="many"),), MALFORMED),
    "usage that is no number": Fault(counted(prompt_tokens=float("nan")), MALFORMED),
    "usage beyond all measure": Fault(counted(completion_tokens=10**30), MALFORMED),
    "a date that is a text": Fault((whole(created="today"),), MALFORMED),
    "NaN in a field of nobody's": Fault(
        answers(body().replace(b'"created": 1', b'"created": 1, "p": NaN')), MALFORMED
    ),
    "nothing said": Fault(message(content=""), "a empty 2+1; " + FINE),
    "nothing said, at a price": Fault(Reply(text=""), PAID),
    "null said": Fault(message(content=None), "a empty 2+1; " + FINE),
    "a stream of nothing": Fault(answers(b"data: [DONE]\n\n", EVENTS), EMPTY),
    "answered as another dialect would": Fault(
        answers(dumped({"type": "message", "content": [{"type": "text", "text": "Hello"}]})), MALFORMED
    ),
}  # fmt: skip

TAKEN = {
    "a list of parts for content": Fault(message(content=[{"type": "text", "text": "Hello"}]), HELLO),
    "another content type": Fault(answers(body(), b"text/html"), HELLO),
    "no content type": Fault(
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body()) + body(),), HELLO
    ),
    "a byte order mark": Fault(answers(b"\xef\xbb\xbf" + body()), HELLO),
    "blanks around it": Fault(answers(b"\r\n\r\n " + body() + b"\n"), HELLO),
    "a stream that nobody asked for": Fault(answers(b"".join(ALL), EVENTS), HELLO),
    "a stream under the name of JSON": Fault(answers(b"".join(ALL)), HELLO),
    "an index that is wrong": Fault(
        (whole(choices=choice(index=7, message={"content": "Hello"})),), HELLO, streamed_text="?"
    ),  # the whole answer has it, but a chunk's `text` is that of choice 0
    "no index": Fault(answers(body().replace(b'"index": 0, ', b"")), HELLO),
    "no id, no model, no date": Fault((whole(id=None, model=None, created=None),), HELLO),
    "no finish reason": Fault((whole(choices=[{"index": 0, "message": {"content": "Hello"}}]),), HELLO),
    "an unknown finish reason": Fault(
        (whole(choices=[{"index": 0, "message": {"content": "Hello"}, "finish_reason": "bored"}]),), HELLO
    ),
    "unknown fields": Fault((whole(x_new={"a": [1]}, service="b"),), HELLO),
    "an error that is null": Fault(answers(body().replace(b'"id"', b'"error": null, "id"')), HELLO),
    "keys twice": Fault(answers(body().replace(b'"id"', b'"choices": [], "id"', 1)), HELLO),
    "no usage": Fault(Reply(text="Hello", usage="missing"), UNCOUNTED),
    "usage that is null": Fault(answers(body().replace(json.dumps(USAGE).encode(), b"null")), UNCOUNTED),
    "usage that is empty": Fault((whole(usage={}),), UNCOUNTED),
    "usage that contradicts itself": Fault(counted(total_tokens=99), HELLO),
    "usage without a total": Fault((whole(usage={"prompt_tokens": 2, "completion_tokens": 1}),), HELLO),
    "usage in fractions": Fault(counted(completion_tokens=1.0), HELLO),
    "usage below nothing": Fault(counted(completion_tokens=-1), "a ok 2+0"),
    "more cached than there was": Fault(counted(prompt_tokens_details={"cached_tokens": 50}), HELLO),
    "cut by the limit": Fault(Reply(text="Hello", finish_reason="length"), HELLO),
    "a lone surrogate": Fault(
        answers(body().replace(b"Hello", b"Hell\\ud83d")), HELLO, text="Hell\ud83d"
    ),
    "characters beyond all planes": Fault((whole("Hello \U0001f600 \u0000"),), HELLO,
                                          text="Hello \U0001f600 \u0000"),
    "a call cut in the middle": Fault(
        (whole(choices=choice(finish_reason="length", message={"content": None, "tool_calls": [CALL]})),),
        HELLO, text="",
    ),
    "a call with arguments that are no JSON": Fault(
        Reply(tool_calls=[ScriptedCall(name="look", arguments="{at: there")]), "a ok 2+3", text=""
    ),
    "only thoughts": Fault(message(content="", reasoning_content="Hm."), HELLO, text=""),
    "a refusal": Fault(Reply(text=None, refusal="No."), HELLO, text=""),
    "filtered to nothing": Fault(Reply(text="", finish_reason="content_filter"), "a ok 2+0", text=""),
    "cut by the limit before a word": Fault(Reply(text="", finish_reason="length"), "a ok 2+0", text=""),
}  # fmt: skip
FAULTS = NONE | TAKEN


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str, streaming: bool) -> None:
    fault = FAULTS[name]
    assert await outcome(fault, streaming=streaming) == expected(fault, streaming=streaming)
