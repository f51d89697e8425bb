"""Answers that are refusals: every status, in every shape that hosts and the boxes before them give it."""

from __future__ import annotations

import gzip

import pytest
from answer_bytes import dumped, error, http, piece
from fault_matrix import FINE, KEY, Fault, expected, outcome
from raw_server import FIN, RST, SILENCE, Peer

from turnout.testing import Reply

pytestmark = pytest.mark.anyio

RETRIED = "2x a {} unknown; " + FINE
FREE = "2x a {} free; " + FINE
NEXT = "a {} free; " + FINE
THEN_WELL = "a {} free; a ok 2+1"
LAST = "a {} free"
LIMIT = FREE.format("rate_limit 429")
CLOCK = b"date: Mon, 05 Jan 2026 10:00:00 GMT"
"""What the server takes the time to be; the router's clock stands at the first of January."""


def refuses(status: int, message: str = "No.", /, *lines: bytes, **fields: object) -> tuple[bytes]:
    return (http(status, error(message, **fields), *lines),)


def limits(*lines: bytes, message: str = "Slow down.") -> tuple[bytes]:
    return (http(429, error(message), *lines),)


async def endless_error(peer: Peer) -> None:
    """A refusal whose page has no end."""
    await peer.request()
    await peer.send(b"HTTP/1.1 502 Bad Gateway\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await peer.send(piece(b"<p>Sorry.</p>" * 500))


PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
CUT = b"HTTP/1.1 503 Unavailable\r\ncontent-length: 500\r\n\r\n" + error("We are over")[:-1]

STATUSES = {
    "202 without a body": Fault((http(202),), "a empty unknown; " + FINE),
    "204": Fault((b"HTTP/1.1 204 No Content\r\n\r\n",), "a empty unknown; " + FINE),
    "206": Fault((http(206, b'{"choices": ['),), "a malformed unknown; " + FINE),
    "300": Fault((http(300),), "a not_found 300 unknown; " + FINE),
    "301": Fault((http(301, b"", b"location: /elsewhere"),), "a not_found 301 unknown; " + FINE,
                 tells="redirects elsewhere, which is not followed"),
    "302 to a login page": Fault((http(302, b"<html>", b"location: https://login.example/"),),
                                 "a not_found 302 unknown; " + FINE),
    "304": Fault((b"HTTP/1.1 304 Not Modified\r\n\r\n",), "a not_found 304 unknown; " + FINE),
    "307": Fault((http(307, b"", b"location: /v1/"),), "a not_found 307 unknown; " + FINE),
    "308": Fault((http(308, b"", b"location: /v1/"),), "a not_found 308 unknown; " + FINE),
    "400": Fault(Reply(status=400), LAST.format("invalid_request 400"), tells="The request is not valid"),
    "400 without a word": Fault((http(400),), LAST.format("invalid_request 400"), tells="HTTP 400 Bad"),
    "400 of a prompt too long": Fault(
        refuses(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
        NEXT.format("context_window 400"),
    ),
    "400 of a content filter": Fault(
        refuses(400, "Filtered.", code="content_filter"), "a content_policy 400 unknown"
    ),
    "400 that is a wrong key": Fault(
        refuses(400, "API key not valid.", code="invalid_api_key"), NEXT.format("authentication 400")
    ),
    "400 that is an empty account": Fault(
        refuses(400, "Your credit balance is too low."), NEXT.format("quota 400")
    ),
    "401": Fault(Reply(status=401), NEXT.format("authentication 401")),
    "401 that repeats the key": Fault(
        refuses(401, f"Incorrect API key provided: {KEY}."), NEXT.format("authentication 401"),
        tells=r"provided: \[redacted\]",
    ),
    "402": Fault(Reply(status=402), NEXT.format("quota 402")),
    "403": Fault(Reply(status=403), NEXT.format("permission 403")),
    "403 of a firewall": Fault(
        (http(403, b"<html><title>Access denied</title>", kind=b"text/html"),), NEXT.format("permission 403"),
        tells="an HTML or XML page instead of JSON: Access denied",
    ),
    "404": Fault(Reply(status=404), NEXT.format("not_found 404")),
    "404 of a path": Fault(
        (http(404, b"404 page not found", kind=b"text/plain"),), NEXT.format("not_found 404"),
        tells="404 page not found.*base_url",
    ),
    "405": Fault(refuses(405), LAST.format("invalid_request 405")),
    "406": Fault(refuses(406), LAST.format("invalid_request 406")),
    "407 of a proxy": Fault(refuses(407), LAST.format("invalid_request 407")),
    "408": Fault(Reply(status=408), RETRIED.format("timeout 408")),
    "409": Fault(refuses(409), FREE.format("server 409")),
    "410": Fault(refuses(410), NEXT.format("not_found 410")),
    "411": Fault(refuses(411), LAST.format("invalid_request 411")),
    "413": Fault(Reply(status=413), LAST.format("invalid_request 413")),
    "415": Fault(refuses(415), LAST.format("invalid_request 415")),
    "418": Fault(refuses(418), LAST.format("invalid_request 418")),
    "421": Fault(refuses(421), LAST.format("invalid_request 421")),
    "422": Fault(Reply(status=422), LAST.format("invalid_request 422")),
    "422 in FastAPI's words": Fault(
        (http(422, dumped({"detail": [{"loc": ["body", "n"], "msg": "must be 1"}]})),),
        LAST.format("invalid_request 422"), tells="body.n: must be 1",
    ),
    "424": Fault(refuses(424), FREE.format("server 424")),
    "425": Fault(refuses(425), FREE.format("server 425")),
    "426": Fault(refuses(426), LAST.format("invalid_request 426")),
    "431": Fault(refuses(431), LAST.format("invalid_request 431")),
    "444": Fault((http(444),), LAST.format("invalid_request 444")),
    "451": Fault(refuses(451), "a content_policy 451 unknown"),
    "498": Fault(refuses(498), FREE.format("overloaded 498")),
    "499": Fault(refuses(499), FREE.format("connection 499")),
    "500": Fault(Reply(status=500), RETRIED.format("server 500")),
    "500 once, then well": Fault(
        (Reply(status=500), Reply(text="Hello")), "a server 500 unknown; a ok 2+1"
    ),
    "500 without a word": Fault((http(500),), RETRIED.format("server 500"), tells="HTTP 500 Internal Server"),
    "500 that is overload": Fault(
        refuses(500, "Overloaded.", type="overloaded_error"), RETRIED.format("overloaded 500")
    ),
    "500 that is a bad tool call": Fault(
        refuses(500, "Failed to call a function.", code="tool_use_failed"), RETRIED.format("server 500")
    ),
    "400 that is a bad tool call": Fault(
        refuses(400, "Failed to call a function.", code="tool_use_failed"),
        "2x a invalid_request 400 free",
    ),
    "501": Fault(refuses(501), "a invalid_request 501 unknown"),
    "502 page": Fault((http(502, PAGE, kind=b"text/html"),), RETRIED.format("server 502"),
                      tells="page instead of JSON: 502 Bad Gateway"),
    "502 page without end": Fault(endless_error, RETRIED.format("server 502")),
    "503": Fault(Reply(status=503), RETRIED.format("overloaded 503")),
    "503 cut in its body": Fault((CUT, FIN), RETRIED.format("overloaded 503")),
    "503 reset in its body": Fault((CUT, RST), RETRIED.format("overloaded 503")),
    "503 stalled in its body": Fault((CUT, SILENCE), RETRIED.format("overloaded 503")),
    "503 stalled in its body, and late": Fault(
        (CUT, SILENCE), "2x a timeout/first_token_timeout unknown; " + FINE, limits={"first_token": "5ms"}
    ),
    "503 in broken gzip": Fault((http(503, b"\x1f\x8bxx", b"content-encoding: gzip"),),
                                RETRIED.format("overloaded 503")),
    "503 in a coding that nobody asked for": Fault((http(503, b"\0\1", b"content-encoding: br"),),
                                                   RETRIED.format("overloaded 503")),
    "503 in gzip": Fault((http(503, gzip.compress(error("Busy.")), b"content-encoding: gzip"),),
                         RETRIED.format("overloaded 503"), tells="Busy"),
    "504": Fault(refuses(504), RETRIED.format("timeout 504")),
    "505": Fault(refuses(505), RETRIED.format("server 505")),
    "507": Fault(refuses(507), RETRIED.format("server 507")),
    "520": Fault((http(520, b"error code: 520"),), RETRIED.format("server 520"), tells="error code: 520"),
    "522": Fault((http(522, b"error code: 522"),), RETRIED.format("server 522")),
    "524": Fault((http(524, b"error code: 524"),), RETRIED.format("timeout 524")),
    "529": Fault(refuses(529, "Overloaded"), RETRIED.format("overloaded 529")),
    "599": Fault(refuses(599), RETRIED.format("server 599")),
    "600": Fault(refuses(600), RETRIED.format("server 600")),
    "an error that is a list": Fault(
        (http(503, dumped([{"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}])),),
        RETRIED.format("overloaded 503"), tells="Busy",
    ),
    "an error that is a text": Fault((http(500, b'"kaputt"'),), RETRIED.format("server 500"), tells="kaputt"),
    "an error nested too deep": Fault((http(500, b"[" * 100_000),), RETRIED.format("server 500")),
    "an error whose message is a number": Fault(
        (http(500, dumped({"error": {"message": 7, "code": ["x"]}})),), RETRIED.format("server 500")
    ),
    "an error that is not UTF-8": Fault((http(500, b'{"error": "\xff\xfe"}'),), RETRIED.format("server 500")),
}  # fmt: skip

WAITS = {
    "429": Fault(Reply(status=429), LIMIT),
    "429 without a word": Fault((http(429),), LIMIT),
    "429 that is quota": Fault(refuses(429, code="insufficient_quota"), NEXT.format("quota 429")),
    "429 that is overload": Fault(
        refuses(429, type="engine_overloaded_error"), FREE.format("overloaded 429")
    ),
    "429 that is too large": Fault(
        refuses(429, "Request too large for gpt-x", code="rate_limit_exceeded"),
        LAST.format("invalid_request 429"),
    ),
    "429 for 7 s": Fault(limits(b"retry-after: 7"), LIMIT, waits=7),
    "429 for 7 s, then well": Fault(
        (Reply(status=429, headers={"retry-after": "7"}), Reply(text="Hello")),
        THEN_WELL.format("rate_limit 429"), waits=7,
    ),
    "429 for 300 ms": Fault(limits(b"retry-after-ms: 300", b"retry-after: 1"), LIMIT, waits=0.3),
    "429 for 0 s": Fault(limits(b"retry-after: 0"), LIMIT),
    "429 for 21 s": Fault(limits(b"retry-after: 21"), NEXT.format("rate_limit 429")),
    "429 for a day": Fault(limits(b"retry-after: 86400"), NEXT.format("rate_limit 429")),
    "429 for 300 digits": Fault(limits(b"retry-after: " + b"9" * 300), NEXT.format("rate_limit 429")),
    "429 for less than nothing": Fault(limits(b"retry-after: -5"), LIMIT),
    "429 for nan": Fault(limits(b"retry-after: nan"), LIMIT),
    "429 for infinity": Fault(limits(b"retry-after: inf"), LIMIT),
    "429 for a while": Fault(limits(b"retry-after: soon"), LIMIT),
    "429 until a date": Fault(limits(b"retry-after: Thu, 01 Jan 2026 00:00:08 GMT"), LIMIT, waits=8),
    "429 until a date, by a skewed clock": Fault(
        limits(b"retry-after: Mon, 05 Jan 2026 10:00:09 GMT", CLOCK), LIMIT, waits=9
    ),
    "429 until a date that is past": Fault(
        limits(b"retry-after: Mon, 05 Jan 2026 09:00:00 GMT", CLOCK), LIMIT
    ),
    "429 until next year": Fault(
        limits(b"retry-after: Fri, 01 Jan 2027 00:00:00 GMT"), NEXT.format("rate_limit 429")
    ),
    "429 until a date that is none": Fault(limits(b"retry-after: Thu, 99 Foo 2026 00:00:08 GMT"), LIMIT),
    "429 until a limit is reset": Fault(
        limits(b"x-ratelimit-remaining-requests: 0", b"x-ratelimit-reset-requests: 6s",
               b"x-ratelimit-remaining-tokens: 5", b"x-ratelimit-reset-tokens: 9s"),
        LIMIT, waits=6,
    ),
    "429 in a sentence": Fault(limits(message="Limit reached. Please try again in 4.5s."), LIMIT, waits=4.5),
    "429 as Google says it": Fault(
        refuses(429, status="RESOURCE_EXHAUSTED", details=[{"retryDelay": "3s"}]), LIMIT, waits=3
    ),
    "503 for 5 s": Fault((http(503, b"", b"retry-after: 5"),), RETRIED.format("overloaded 503"), waits=5),
    "500 for 5 s": Fault((http(500, b"", b"retry-after: 5"),), RETRIED.format("server 500"), waits=5),
    "400 for 5 s": Fault((http(400, b"", b"retry-after: 5"),), LAST.format("invalid_request 400")),
    "402 for 5 s": Fault((http(402, b"", b"retry-after: 5"),), NEXT.format("quota 402")),
}  # fmt: skip
FAULTS = STATUSES | WAITS


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str, streaming: bool) -> None:
    fault = FAULTS[name]
    assert await outcome(fault, streaming=streaming) == expected(fault, streaming=streaming)
