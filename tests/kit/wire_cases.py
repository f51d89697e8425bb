"""What a server writes, byte by byte, and what has to come of it, whichever road the answer travels.

Names are `<subject>: <what is written>`. Where a road cannot do better, `known_differences` says so.
"""

from __future__ import annotations

from raw_server import FIN, RST, Pause, Step
from roads import Answer, Failure, Outcome

Cases = dict[str, tuple[tuple[Step, ...], Outcome]]

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
HELLO = b"5\r\nhello\r\n"
END = b"0\r\n\r\n"


def sized(length: int | str, *lines: bytes) -> bytes:
    """A head with a content-length."""
    return OK + b"".join(line + b"\r\n" for line in lines) + f"content-length: {length}\r\n\r\n".encode()


def singly(data: bytes) -> tuple[Step, ...]:
    """One write per byte."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def halting(*pieces: bytes) -> tuple[Step, ...]:
    """A short silence after every piece, so that each comes by itself."""
    return tuple(step for piece in pieces for step in (piece, Pause(0.002)))


VALID: Cases = {
    "length: in one write": ((sized(5) + b"hello",), Answer(b"hello")),
    "length: head and body apart": (halting(sized(5), b"he", b"llo"), Answer(b"hello")),
    "length: byte by byte": (singly(sized(5) + b"hello"), Answer(b"hello")),
    "length: nothing": ((sized(0),), Answer(b"")),
    "length: leading zeros": ((sized("0005") + b"hello",), Answer(b"hello")),
    "length: a megabyte": ((sized(1_000_000), b"x" * 1_000_000), Answer(b"x" * 1_000_000)),
    "length: connection close": ((sized(5, b"connection: close") + b"hello", FIN), Answer(b"hello")),
    "chunked: in one write": ((CHUNKED + HELLO + END,), Answer(b"hello")),
    "chunked: byte by byte": (singly(CHUNKED + HELLO + b"C\r\n, 12\r\n345678\r\n" + END),
                              Answer(b"hello, 12\r\n345678")),
    "chunked: in odd pieces": (halting(CHUNKED[:-3], CHUNKED[-3:] + b"1", b"0\r", b"\n" + b"x" * 15, b"x\r",
                                       b"\n" + HELLO[:2], HELLO[2:] + b"0", b"\r\n\r", b"\n"),
                               Answer(b"x" * 16 + b"hello")),
    "chunked: one byte per chunk": ((CHUNKED,
                                     b"".join(b"1\r\n%c\r\n" % letter for letter in b"hello" * 200), END),
                                    Answer(b"hello" * 200)),
    "chunked: extensions": ((CHUNKED + b'5;a=1;b="c d"\r\nhello\r\n0;last\r\n\r\n',), Answer(b"hello")),
    "chunked: trailers": ((CHUNKED + HELLO + b"0\r\nx-checksum: 1\r\nx-more: a, b\r\n\r\n",),
                          Answer(b"hello")),
    "chunked: trailers apart": (halting(CHUNKED + HELLO + b"0\r\n", b"x-check", b"sum: 1\r", b"\n\r", b"\n"),
                                Answer(b"hello")),
    "chunked: sizes in either case": ((CHUNKED + b"000a\r\n0123456789\r\n0A\r\n0123456789\r\n" + END,),
                                      Answer(b"01234567890123456789")),
    "chunked: nothing": ((CHUNKED + END,), Answer(b"")),
    "chunked: its name in capitals": ((OK + b"Transfer-Encoding: Chunked\r\n\r\n" + HELLO + END,),
                                      Answer(b"hello")),
    "chunked: a large chunk": ((CHUNKED + b"7a120\r\n" + b"x" * 500_000 + b"\r\n" + END,),
                               Answer(b"x" * 500_000)),
    "interim: 100 first": ((b"HTTP/1.1 100 Continue\r\n\r\n" + sized(5) + b"hello",), Answer(b"hello")),
    "interim: 100 apart": (halting(b"HTTP/1.1 100 Continue\r\n", b"\r\n", sized(5) + b"hello"),
                           Answer(b"hello")),
    "interim: several with headers": (
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
         b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n" + CHUNKED + HELLO + END,),
        Answer(b"hello"),
    ),
    "interim: 100 with a length of its own": (
        (b"HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n" + sized(5) + b"hello",), Answer(b"hello")
    ),
    "until close: with a body": ((OK + b"\r\nhel", Pause(0.002), b"lo", FIN), Answer(b"hello")),
    "until close: without a body": ((OK + b"\r\n", FIN), Answer(b"")),
    "until close: 300 kB": ((OK + b"\r\n", b"x" * 300_000, FIN), Answer(b"x" * 300_000)),
    "1.0: with a length": ((b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", FIN), Answer(b"hello")),
    "1.0: until close": ((b"HTTP/1.0 200 OK\r\n\r\nhello", FIN), Answer(b"hello")),
    "1.0: kept open": ((b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",),
                       Answer(b"hello")),
    "no body: 204": ((b"HTTP/1.1 204 No Content\r\n\r\n",), Answer(status=204)),
    "no body: 304 with the length of what was not sent": (
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n",), Answer(status=304)
    ),
    "no body: 204 chunked by mistake": ((b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",),
                                        Answer(status=204)),
    "status: an error with a body": ((b"HTTP/1.1 429 Too Many\r\ncontent-length: 2\r\n\r\n{}",),
                                     Answer(b"{}", 429)),
    "status: 599": ((b"HTTP/1.1 599 X\r\ncontent-length: 0\r\n\r\n",), Answer(status=599)),
    "status: no reason": ((b"HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello",), Answer(b"hello")),
    "status: not even a space": ((b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello",), Answer(b"hello")),
    "status: a reason beyond ASCII": ((b"HTTP/1.1 200 \xc3\xa4\r\ncontent-length: 5\r\n\r\nhello",),
                                      Answer(b"hello")),
    "headers: only the length, without spaces": ((OK + b"content-length:5\r\n\r\nhello",), Answer(b"hello")),
    "headers: empty, padded, beyond ASCII": (
        (sized(5, b"x-empty:", b"x-padded: \t a b \t", b"x-far: \xc3\xa4") + b"hello",), Answer(b"hello")
    ),
    "headers: eighty": ((sized(5, *(b"x-%d: %d" % (n, n) for n in range(80))) + b"hello",), Answer(b"hello")),
    "headers: one of 8 kB": ((sized(5, b"x-long: " + b"y" * 8192) + b"hello",), Answer(b"hello")),
}  # fmt: skip
"""Answers that are right, however oddly they come."""

HUNG_UP = Failure("connection", "hung up")
BROKE = Failure("connection", "broke|reset")

_PLACES: dict[str, tuple[bytes, bytes | None]] = {
    "before the status": (b"", None),
    "in the version": (b"HTT", None),
    "in the status line": (b"HTTP/1.1 20", None),
    "after the status line": (OK, None),
    "in a header's name": (OK + b"content-le", None),
    "in a header's value": (OK + b"content-length: 1", None),
    "before the empty line": (OK + b"content-length: 10\r\n", None),
    "after a 100": (b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "before the body": (sized(10), b""),
    "in the body": (sized(10) + b"hello", b"hello"),
    "before the last byte": (sized(6) + b"hello", b"hello"),
    "before a chunk": (CHUNKED, b""),
    "in a chunk's size": (CHUNKED + HELLO + b"1", b"hello"),
    "after a chunk's size": (CHUNKED + HELLO + b"10\r\n", b"hello"),
    "in a chunk": (CHUNKED + HELLO + b"10\r\nabc", b"helloabc"),
    "in a chunk's line end": (CHUNKED + b"5\r\nhello\r", b"hello"),
    "before the last chunk": (CHUNKED + HELLO, b"hello"),
    "in the last chunk": (CHUNKED + HELLO + b"0\r\n", b"hello"),
    "in the trailers": (CHUNKED + HELLO + b"0\r\nx-checksum: 1\r\n", b"hello"),
}


def _broken(ending: str, error: Failure) -> Cases:
    return {
        f"{ending}: {place}": (
            (data, Pause(0.002), ending) if data else (ending,),
            Failure(error.kind, error.says, error.code, got),
        )
        for place, (data, got) in _PLACES.items()
    }


CUT: Cases = {
    **_broken(FIN, HUNG_UP),
    **_broken(RST, BROKE),
    "rst: of a body until close": (
        (OK + b"\r\nhello", Pause(0.002), RST),
        Failure("connection", "broke|reset", got=b"hello"),
    ),
}
"""Connections that end too early, in every place."""

REFUSED = Failure("malformed", "HTTP")


def _after(data: bytes, got: bytes) -> tuple[tuple[Step, ...], Outcome]:
    return (data,), Failure("malformed", "HTTP", got=got)


GARBAGE: Cases = {
    "garbage: another protocol": ((b"SSH-2.0-OpenSSH_9.6\r\n\r\n",), REFUSED),
    "garbage: binary": ((bytes(range(256)),), REFUSED),
    "garbage: HTTP/2": ((b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",), REFUSED),
    "garbage: TLS": ((b"\x15\x03\x01\x00\x02\x02\x46",), REFUSED),
    "garbage: a version to come": ((b"HTTP/3.0 200 OK\r\ncontent-length: 0\r\n\r\n",), REFUSED),
    "garbage: a status of letters": ((b"HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",), REFUSED),
    "garbage: a status of two digits": ((b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",), REFUSED),
    "garbage: a status of four digits": ((b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",), REFUSED),
    "garbage: a request": ((b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",), REFUSED),
    "garbage: a page without a head": ((b"<html>Welcome</html>\r\n\r\n", FIN), REFUSED),
    "chunk: a size that is none": _after(CHUNKED + HELLO + b"xyz\r\n", b"hello"),
    "chunk: a negative size": _after(CHUNKED + HELLO + b"-5\r\nhello\r\n", b"hello"),
    "chunk: a size with 0x": _after(CHUNKED + HELLO + b"0x5\r\nhello\r\n", b"hello"),
    "chunk: a size beyond 64 bits": (
        (CHUNKED + HELLO + b"F" * 17 + b"\r\nhello", FIN),
        Failure("malformed", "HTTP", got=b"hello"),
    ),
    "chunk: more bytes than its size": _after(CHUNKED + b"5\r\nhello!!\r\n" + END, b"hello"),
    "chunk: an empty size": _after(CHUNKED + HELLO + b"\r\n", b"hello"),
}
"""What is no HTTP."""

SMUGGLING: Cases = {
    f"smuggling: {what}": ((head + b"\r\n" + rest,), REFUSED)
    for what, head, rest in (
        ("two different lengths", OK + b"content-length: 5\r\ncontent-length: 6\r\n", b"hello!"),
        ("the same length twice", OK + b"content-length: 5\r\ncontent-length: 5\r\n", b"hello"),
        ("a list of lengths", OK + b"content-length: 5, 6\r\n", b"hello"),
        ("length and chunked", OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n", HELLO + END),
        ("chunked and length", OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n", HELLO + END),
        ("a length with a sign", OK + b"content-length: +5\r\n", b"hello"),
        ("a negative length", OK + b"content-length: -5\r\n", b"hello"),
        ("a length in hex", OK + b"content-length: 0x5\r\n", b"hello"),
        ("a length of words", OK + b"content-length: five\r\n", b"hello"),
        ("an empty length", OK + b"content-length:\r\n", b"hello"),
        ("a length of thirty digits", OK + b"content-length: " + b"9" * 30 + b"\r\n", b"hello"),
        ("an unknown coding", OK + b"transfer-encoding: xchunked\r\n", HELLO + END),
        ("a coding before chunked", OK + b"transfer-encoding: gzip, chunked\r\n", HELLO + END),
        ("a coding after chunked", OK + b"transfer-encoding: chunked, identity\r\n", HELLO + END),
        ("chunked twice", OK + b"transfer-encoding: chunked, chunked\r\n", HELLO + END),
        ("two lines of codings", OK + b"transfer-encoding: chunked\r\ntransfer-encoding: x\r\n", HELLO + END),
        ("a folded line", OK + b"content-length: 5\r\nx-one: a\r\n b\r\n", b"hello"),
        ("a folded length", OK + b"content-length:\r\n 5\r\n", b"hello"),
        ("a fold before any header", OK + b" x-one: a\r\ncontent-length: 5\r\n", b"hello"),
        ("a space before the colon", OK + b"content-length : 5\r\n", b"hello"),
        ("a space in a name", OK + b"content-length: 5\r\nx one: a\r\n", b"hello"),
        ("a line without a colon", OK + b"content-length: 5\r\nnonsense\r\n", b"hello"),
        ("a header without a name", OK + b"content-length: 5\r\n: a\r\n", b"hello"),
        ("CR in a value", OK + b"content-length: 5\r\nx-one: a\rb\r\n", b"hello"),
        ("NUL in a value", OK + b"content-length: 5\r\nx-one: a\0b\r\n", b"hello"),
        ("NUL in a name", OK + b"content-length: 5\r\nx\0one: a\r\n", b"hello"),
        ("LF alone as line end", b"HTTP/1.1 200 OK\ncontent-length: 5\n", b"hello"),
        ("LF alone after a header", OK + b"x-one: a\ncontent-length: 5\r\n", b"hello"),
        ("chunked in HTTP/1.0", b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n", HELLO + END),
    )
} | {
    "smuggling: LF alone after a chunk's size": _after(CHUNKED + b"5\nhello\r\n" + END, b""),
    "smuggling: LF alone after a chunk": _after(CHUNKED + b"5\r\nhello\n" + END, b"hello"),
    "smuggling: a space before a chunk's size": _after(CHUNKED + b" 5\r\nhello\r\n" + END, b""),
    "smuggling: CR in a chunk's extension": _after(CHUNKED + b"5;a\rb\r\nhello\r\n" + END, b""),
}  # fmt: skip
"""Shapes that two readers may read differently, which is how one answer is hidden in another."""

ALL: Cases = {**VALID, **CUT, **GARBAGE, **SMUGGLING}
