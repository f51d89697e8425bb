"""Streams that break, lie, stall or babble, at every phase; the caller reads along or wants all of it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import pytest
from answer_bytes import (
    ALL,
    COUNT,
    DONE,
    END,
    HEL,
    LO,
    ROLE,
    STOP,
    body,
    broken,
    chunk,
    delta,
    error,
    event,
    opened,
    piece,
    says,
    stream,
)
from fault_matrix import FINE, Fault, expected, outcome
from raw_server import FIN, RST, SILENCE, Pause, Peer, Script, Step, by_turns, take

from turnout.testing import Reply, ScriptedCall

pytestmark = pytest.mark.anyio

HELLO = "a ok 2+1"
UNCOUNTED = "a ok unknown"
GONE = "2x a connection unknown; " + FINE
CUT = "a interrupted unknown; " + FINE
MALFORMED = "a malformed unknown; " + FINE
EMPTY = "a empty unknown; " + FINE
SERVER = "2x a server unknown; " + FINE
LARGE = "a malformed/too_large 200 unknown; " + FINE
LATE = "2x a timeout/first_token_timeout unknown; " + FINE
IDLE = "2x a timeout/idle_timeout unknown; " + FINE
QUICK, PATIENT = {"first_token": "10ms"}, {"idle": "10ms"}
FAILED = event(error("The engine stopped.", type="server_error"))
BROKEN = b'data: {"choices": [{"in\n\n'
COMMENT = b": keep-alive\n\n"
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
ARGUMENTS = {"index": 0, "function": {"arguments": '{"at": "th'}}


def silent(*events: bytes) -> tuple[Step, ...]:
    return (opened(), *map(piece, events), SILENCE)


def babbling(*events: bytes, by: float = 0.0) -> Script:
    """A stream that says the last of these again and again."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(opened() + b"".join(map(piece, events)))
        while True:
            await take(peer, (piece(events[-1]), Pause(by)))

    return script


def early(does: Any, attempts: str, **more: Any) -> Fault:
    """A fault before the first word: nobody has read anything of it, so another answers."""
    return Fault(does, attempts, asks=True, **more)


def late(
    does: Any, attempts: str, said: str = "Hel", cost: str = "~8", kind: str = "interrupted", **more: Any
) -> Fault:
    """A fault after the first words: who wants all of the answer gets another's, who reads along is told."""
    return Fault(does, attempts, streamed=f"a {kind} {cost}", streamed_text=said, asks=True, **more)


def taken(does: Any, attempts: str = HELLO, **more: Any) -> Fault:
    """Nothing that an answer would fail for."""
    return Fault(does, attempts, asks=True, **more)


def called(*calls: dict[str, Any]) -> bytes:
    return delta(tool_calls=list(calls))


def whole(data: bytes, *lines: bytes) -> tuple[bytes]:
    """A stream in one piece, its length told."""
    head = b"".join(line + b"\r\n" for line in (b"content-type: text/event-stream", *lines))
    return (b"HTTP/1.1 200 OK\r\n" + head + b"content-length: %d\r\n\r\n" % len(data) + data,)


BEFORE = {
    "FIN before the first event": early(broken(), GONE),
    "reset before the first event": early(broken(by=RST), GONE),
    "ended before the first event": early(stream(), EMPTY),
    "FIN within the first event": early((opened(), piece(ROLE[:20]), FIN), GONE),
    "ended within the first event": early(stream(HEL[:40]), EMPTY),
    "FIN after the role": early(broken(ROLE), GONE),
    "reset after the role": early(broken(ROLE, by=RST), GONE),
    "ended after the role": early(stream(ROLE), CUT, text=""),
    "[DONE] after the role": early(stream(ROLE, DONE), EMPTY),
    "nothing but [DONE]": early(stream(DONE), EMPTY),
    "nothing but comments": early(stream(COMMENT, COMMENT), EMPTY),
    "an end without a word": early(stream(ROLE, STOP, COUNT, DONE), "a empty 2+1; " + FINE),
    "silence before the first event": early(silent(), LATE, limits=QUICK),
    "silence after the role": early(silent(ROLE), LATE, limits=QUICK),
    "comments without end": early(babbling(COMMENT, by=0.004), LATE, limits=QUICK),
    "roles without end": early(babbling(ROLE, by=0.004), LATE, limits=QUICK),
    "roles without end, and fast": early(babbling(ROLE * 100), LARGE),
    "an event without end": early(babbling(b"data: " + b"x" * 4096, b"x" * 8192), LARGE),
    "a broken first event": early(stream(BROKEN), MALFORMED, tells="not JSON"),
    "an event that is a list": early(stream(event([1]), DONE), MALFORMED),
    "an event that is null": early(stream(event(b"null"), DONE), MALFORMED),
    "an event that is a number": early(stream(event(b"7"), DONE), MALFORMED),
    "an event that is not UTF-8": early(stream(says("x").replace(b"x", b"\xff"), DONE), MALFORMED),
    "NaN": early(stream(HEL.replace(b'"created": 1', b'"created": NaN')), MALFORMED),
    "deep nesting": early(stream(event(b"[" * 9000 + b"]" * 9000)), MALFORMED),
    "choices that are a text": early(stream(event(chunk(choices="none"))), MALFORMED),
    "a choice that is null": early(stream(event(chunk(choices=[None]))), MALFORMED),
    "a delta that is a text": early(stream(event(chunk(choices=[{"delta": "Hel"}]))), MALFORMED),
    "content that is a number": early(stream(delta(content=7)), MALFORMED),
    "an index that is a text": early(stream(delta(index="first", content="Hel")), MALFORMED),
    "an index below nothing": early(stream(delta(index=-1, content="Hel")), MALFORMED),
    "an error first": early(stream(FAILED, DONE), SERVER, tells="The engine stopped"),
    "an error first, and FIN": early(broken(FAILED), SERVER),
    "an error after the role": early(stream(ROLE, FAILED), SERVER),
    "an error that is a limit": early(stream(event(error(code="rate_limit_exceeded"))),
                                      "2x a rate_limit unknown; " + FINE),
    "an error that is overload": early(
        stream(event(error("Overloaded", type="overloaded_error"))), "2x a overloaded unknown; " + FINE
    ),
    "an error that is the request": early(
        stream(event(error("Bad n.", type="invalid_request_error"))), "a invalid_request unknown"
    ),
    "an event of type error": early(
        stream(b'event: error\ndata: {"code": "x", "text": "Kaputt."}\n\n'), SERVER
    ),
    "an event of type error that is no JSON": early(stream(b"event: error\ndata: out of memory\n\n"), SERVER,
                                                    tells="out of memory"),
    "an error without an event": early(
        ((opened() + piece(error("The engine stopped.")) + END),), SERVER, tells="The engine stopped"
    ),
    "a page": early(((opened(kind=b"text/html") + piece(b"<html><title>Sign in</title>") + END),), MALFORMED,
                    tells="Sign in"),
    "words that are no events": early((opened() + piece(b"internal error: oops\n") + END,), MALFORMED,
                                      tells="oops"),
    "gzip that is broken": early(whole(b"\x1f\x8bxx", b"content-encoding: gzip"),
                                 "a malformed 200 unknown; " + FINE),
}  # fmt: skip

AFTER = {
    "FIN after a word": late(broken(ROLE, HEL), GONE),
    "reset after a word": late(broken(ROLE, HEL, by=RST), GONE),
    "ended after a word": late(stream(ROLE, HEL), CUT),
    "FIN within an event": late((opened(), piece(HEL), piece(LO[:40]), FIN), GONE),
    "ended within an event": late(stream(HEL, LO[:40]), CUT),
    "FIN within a chunk": late((opened(), piece(HEL), b"400\r\n" + LO, FIN), GONE, said="Hello", cost="~10"),
    "a chunk's size that is garbage": late((opened(), piece(HEL), b"zz\r\n", SILENCE),
                                           "a malformed 200 unknown; " + FINE, kind="interrupted 200"),
    "silence after a word": late(silent(ROLE, HEL), IDLE, limits=PATIENT, kind="interrupted/idle_timeout"),
    "comments without end after a word": late(
        babbling(HEL, COMMENT, by=0.004), "2x a timeout/attempt_timeout unknown; " + FINE,
        limits={"attempt": "100ms"}, deadline="30s", kind="interrupted/attempt_timeout",
    ),
    "a word without end": late(
        stream(HEL, *(says("x" * 4000) for _ in range(20))), LARGE, said="Hel" + "x" * 60_000,
        cost="~30008", kind="interrupted/too_large 200",
    ),
    "a broken event": late(stream(HEL, BROKEN, LO, DONE), MALFORMED),
    "an event that is a list": late(stream(HEL, event([1]), DONE), MALFORMED),
    "an event that is not UTF-8": late(stream(HEL, says("x").replace(b"x", b"\xff"), DONE), MALFORMED),
    "content that is a number": late(stream(HEL, delta(content=7), DONE), MALFORMED),
    "an error after a word": late(stream(HEL, FAILED, DONE), SERVER),
    "an error after a word, and silence": late(silent(HEL, FAILED), SERVER),
    "an error after the finish": late(stream(HEL, LO, STOP, FAILED, DONE), SERVER, said="Hello", cost="~10"),
    "an error instead of a finish": late(stream(HEL, delta("error")), SERVER),
    "the text of a page after a word": late((opened(), piece(HEL), piece(b"<html>oops</html>"), END), CUT),
    "usage that is a text": late(stream(HEL, LO, STOP, event(chunk(usage="many")), DONE), MALFORMED,
                                 said="Hello", cost="~10"),
    "FIN after the usage, no finish": late(
        broken(HEL, LO, COUNT), f"2x a connection 2+1; {FINE}", said="Hello", cost="2+1"
    ),
    "a call cut in the middle": late(stream(called(CALL), called(ARGUMENTS)), CUT, said="", cost="~52"),
    "a call cut by FIN": late(broken(called(CALL), called(ARGUMENTS)), GONE, said="", cost="~52"),
    "a call whose fragment is a list": late(
        stream(called(CALL), called({"index": 0, "function": ["x"]})), MALFORMED, said="", cost="~46"
    ),
    "gzip cut after a word": late(
        whole(gzip.compress(HEL + LO + STOP, 0)[:-30], b"content-encoding: gzip"), CUT, said="Hello",
        cost="~10",
    ),
}  # fmt: skip

TAKEN = {
    "no [DONE]": taken(stream(HEL, LO, STOP, COUNT)),
    "FIN instead of [DONE]": taken(broken(HEL, LO, STOP, COUNT)),
    "reset instead of [DONE]": taken(broken(HEL, LO, STOP, COUNT, by=RST)),
    "silence instead of [DONE]": taken(silent(HEL, LO, STOP, COUNT), limits=PATIENT),
    "FIN right after the finish": taken(broken(HEL, LO, STOP), UNCOUNTED),
    "FIN after [DONE]": taken(broken(*ALL)),
    "reset after [DONE]": taken(broken(*ALL, by=RST)),
    "silence after [DONE]": taken(silent(*ALL)),
    "garbage after [DONE]": taken((opened(), *map(piece, ALL), b"zz\r\n", SILENCE)),
    "an answer after [DONE]": taken(stream(*ALL, HEL, FAILED)),
    "[DONE] twice": taken(stream(*ALL, DONE)),
    "no finish, but [DONE]": taken(stream(HEL, LO, COUNT, DONE)),
    "a finish twice": taken(stream(HEL, LO, STOP, STOP, COUNT, DONE)),
    "words after the finish": taken(stream(HEL, STOP, LO, COUNT, DONE)),
    "usage twice": taken(stream(HEL, LO, COUNT, STOP, COUNT, DONE)),
    "usage with each event": taken(
        stream(*(event(chunk(choices=[{"index": 0, "delta": {"content": word}}],
                             usage={"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}))
                 for word in ("Hel", "lo")), STOP, DONE)
    ),
    "no usage": taken(stream(HEL, LO, STOP, DONE), UNCOUNTED),
    "no role": taken(stream(HEL, LO, STOP, COUNT, DONE)),
    "one byte at a time": taken(
        (opened(), *(piece(bytes([byte])) for byte in b"".join(ALL)), END)
    ),
    "all in one piece": taken(whole(b"".join(ALL))),
    "gzip": taken(whole(gzip.compress(b"".join(ALL)), b"content-encoding: gzip")),
    "comments between": taken(stream(COMMENT, HEL, COMMENT, LO, COMMENT, STOP, COUNT, COMMENT, DONE)),
    "CRLF": taken(stream(*(one.replace(b"\n", b"\r\n") for one in ALL))),
    "no space behind the colon": taken(stream(*(one.replace(b"data: ", b"data:") for one in ALL))),
    "other fields": taken(stream(b"retry: 100\nid: 7\nevent: message\n" + HEL, LO, STOP, COUNT, DONE)),
    "events of other types": taken(stream(b"event: ping\ndata: {}\n\n", *ALL)),
    "a byte order mark": taken(stream(b"\xef\xbb\xbf", *ALL)),
    "a character cut in two": taken(
        (opened(), piece(says("Hell\u00f6").replace(b"\\u00f6", b"\xc3\xb6")[:-60]), Pause(0.002),
         piece(says("Hell\u00f6").replace(b"\\u00f6", b"\xc3\xb6")[-60:]), piece(STOP + COUNT + DONE), END),
        text="Hell\u00f6",
    ),
    "a character cut in two halves of an escape": taken(
        stream(event(chunk(choices=[{"index": 0, "delta": {"content": "Hell"}}])),
               HEL.replace(b"Hel", b"\\ud83d"), HEL.replace(b"Hel", b"\\ude00"), STOP, COUNT, DONE),
        text="Hell\ud83d\ude00",
    ),
    "an index that is wrong": taken(
        stream(*(one.replace(b'"index": 0', b'"index": 7') for one in ALL)), streamed_text="?"
    ),  # the whole answer has it, but a chunk's `text` is that of choice 0
    "no index": taken(stream(*(one.replace(b'"index": 0, ', b"") for one in ALL))),
    "no choices at all in one": taken(stream(event({"id": "x"}), *ALL)),
    "choices that are null": taken(stream(event(chunk(choices=None)), *ALL)),
    "a delta that is null": taken(stream(event(chunk(choices=[{"index": 0, "delta": None}])), *ALL)),
    "another id and model with each": taken(
        stream(HEL, LO.replace(b'"x"', b'"y"').replace(b'"m"', b'"n"'), STOP, COUNT, DONE)
    ),
    "an unknown finish reason": taken(stream(HEL, LO, delta("bored"), COUNT, DONE)),
    "whole, as nobody asked": taken((b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                                     b"content-length: %d\r\n\r\n" % len(body()) + body(),)),
    "the whole message in one event": taken(
        stream(event(chunk(choices=[{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}])),
               COUNT, DONE)
    ),
    "words that drip": taken(Reply(text="Hello", drip=16, drip_delay=0.0005)),
    "a call without arguments": taken(Reply(tool_calls=[ScriptedCall(name="look", arguments="")]),
                                      "a ok 2+1", text=""),
    "a call cut by the limit": taken(stream(called(CALL), called(ARGUMENTS), delta("length"), COUNT, DONE),
                                     text=""),
    "only thoughts": taken(stream(delta(reasoning_content="Hm."), STOP, COUNT, DONE), text=""),
    "filtered to nothing": taken(Reply(text="", finish_reason="content_filter"), "a ok 2+0", text=""),
    "broken once, then well": taken(by_turns(stream(FAILED), stream(*ALL)),
                                    "a server unknown; a ok 2+1"),
}  # fmt: skip
FAULTS = (
    {f"before: {name}": fault for name, fault in BEFORE.items()}
    | {f"after: {name}": fault for name, fault in AFTER.items()}
    | TAKEN
)


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str, streaming: bool) -> None:
    fault = FAULTS[name]
    assert await outcome(fault, streaming=streaming) == expected(fault, streaming=streaming)


FINISHED = ("an error after the finish", "usage that is a text")
"""Faults of answers that were complete but for their end."""
RESTARTING = {"on_interrupt": "restart"}
RESTARTED = {
    name: replace(fault, streamed=f"{fault.streamed}; {FINE}", alone=fault.streamed, defaults=RESTARTING)
    for name, fault in AFTER.items()
    if name not in FINISHED
}


@pytest.mark.parametrize("name", RESTARTED)
async def test_another_begins_anew_where_the_route_says_so(name: str) -> None:
    fault = RESTARTED[name]
    assert await outcome(fault, streaming=True) == expected(fault, streaming=True)


@pytest.mark.parametrize("name", FINISHED)
async def test_nobody_begins_anew_what_was_all_said(name: str) -> None:
    seen = (await outcome(replace(AFTER[name], defaults=RESTARTING), streaming=True))["routed"]
    assert (seen["attempts"], seen["reads"], seen["raises"]) == (["a interrupted ~10"], "Hello", None)
