"""Where a road comes to another outcome than it should, case by case, and why it stays so.

A case that is not listed here has to come out the same over every road. An outcome that is no longer what a
road makes of its case fails there, so that the table stays what it says.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from roads import Answer, Failure, Outcome
from wire_cases import ALL, GARBAGE, SMUGGLING


@dataclass(frozen=True)
class Difference:
    """What a road makes of a case, and why."""

    outcome: Outcome
    because: str


_ONE_CLASS = (
    "httpx raises RemoteProtocolError for a hang-up and for an answer that h11 refuses, and its text may "
    "quote a header; so both are called a hang-up. The connection is closed in either case."
)
_OLD_VERSION = "h11 takes any digit before the point of the version and reads the rest as HTTP/1.1."
_SAME_TWICE = "h11 takes lengths that agree as one, which RFC 9110 8.6 allows a recipient."
_CHUNKED_WINS = "h11 takes chunked over the length, the order of RFC 9112 6.3, and does not refuse."
_FOLDS = "h11 replaces a fold by a space, which RFC 9112 5.2 allows a user agent."
_BARE_LF = "h11 takes LF alone as a line's end, which RFC 9112 2.2 allows a recipient."
_VERSION_BLIND = "h11 reads transfer-encoding in an HTTP/1.0 answer, too."
_LOOSE_EXTENSION = "h11 lets any byte but CR LF stand in a chunk's extension; nothing of it is used."
_WIDE_SIZE = "h11 takes sizes of up to twenty hex digits, Python's integers being as wide as needed."

HTTPX_ACCEPTS: Mapping[str, Difference] = {
    "garbage: a version to come": Difference(Answer(), _OLD_VERSION),
    "smuggling: the same length twice": Difference(Answer(b"hello"), _SAME_TWICE),
    "smuggling: length and chunked": Difference(Answer(b"hello"), _CHUNKED_WINS),
    "smuggling: chunked and length": Difference(Answer(b"hello"), _CHUNKED_WINS),
    "smuggling: a folded line": Difference(Answer(b"hello"), _FOLDS),
    "smuggling: a folded length": Difference(Answer(b"hello"), _FOLDS),
    "smuggling: LF alone as line end": Difference(Answer(b"hello"), _BARE_LF),
    "smuggling: LF alone after a header": Difference(Answer(b"hello"), _BARE_LF),
    "smuggling: chunked in HTTP/1.0": Difference(Answer(b"hello"), _VERSION_BLIND),
    "smuggling: CR in a chunk's extension": Difference(Answer(b"hello"), _LOOSE_EXTENSION),
    "chunk: a size beyond 64 bits": Difference(
        Failure("connection", "hung up", got=b"hellohello"), _WIDE_SIZE
    ),
}


def _called_hung_up() -> dict[str, Difference]:
    found = {}
    for name, (_, expected) in {**GARBAGE, **SMUGGLING}.items():
        if name not in HTTPX_ACCEPTS and isinstance(expected, Failure):
            found[name] = Difference(Failure("connection", "hung up", got=expected.got), _ONE_CLASS)
    return found


DIFFERENCES: Mapping[str, Mapping[str, Difference]] = {
    "httpx": {**_called_hung_up(), **HTTPX_ACCEPTS},
    "fast": {},
}
"""By road and case."""


def expected(road: str, case: str) -> Outcome:
    """What a road has to make of a case."""
    known = DIFFERENCES.get(road, {}).get(case)
    return ALL[case][1] if known is None else known.outcome


_NEXT_ANSWER = (
    "httpcore leaves what came after an answer in h11's buffer and looks only whether the socket has more; "
    "it is read as the beginning of the next answer."
)
UNABLE: Mapping[str, Mapping[str, str]] = {
    "httpx": {
        "interim answers end": (
            "httpcore reads interim answers as long as they come; the router's first-token limit ends it."
        ),
        "a stale connection is replaced": (
            "httpcore looks at an idle socket before it is used, but sends nothing again when the server's "
            "FIN crosses the request; the router's retry policy does. Where writing fails, httpx leaves the "
            "generator of the request's body to the garbage collector, which trio warns of."
        ),
        "a tunnel: garbage": _ONE_CLASS,
        "the limit on connecting covers a tunnel": (
            "httpcore bounds reaching the proxy and TLS, but not the wait for the proxy's answer to CONNECT; "
            "the router's first-token limit ends it."
        ),
        "a proxy that is no URL is a ConfigError": (
            "httpx's own ValueError comes when the client is made; it names the environment's value."
        ),
        "why nobody was reached": (
            "anyio and trio raise an error of their own for all addresses together, which has no reason."
        ),
        "a port beyond 65535 is a ConfigError": (
            "httpx takes any number and leaves it to the socket to refuse it."
        ),
        "first come, first served": (
            "httpcore hands a free connection to a waiting call, which finds it taken when it comes to run "
            "and queues again; so calls overtake each other."
        ),
        "nothing is left to the garbage collector": (
            "called off at certain steps (writing, shaking hands, just connected), httpx leaves a socket or "
            "the generator of the request's body to the garbage collector."
        ),
        "after an answer: junk": _NEXT_ANSWER,
        "after an answer: an answer": _NEXT_ANSWER,
        "after an answer: junk after chunks": _NEXT_ANSWER,
        "after an answer: line ends": _NEXT_ANSWER,
        "after an answer: a body after 204": _NEXT_ANSWER,
        "after an answer: a body after 304": _NEXT_ANSWER,
    },
    "fast": {},
}
"""What a road cannot do, by name, and why."""


@contextmanager
def tidy(road: str) -> Iterator[None]:
    """Everything that was done here is gone at the end, without the garbage collector having to close it."""
    with warnings.catch_warnings():
        if unable(road, "nothing is left to the garbage collector"):
            warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()  # what is left would warn here, and warnings are errors


def unable(road: str, what: str) -> bool:
    """Whether a road is known not to do something."""
    return what in UNABLE.get(road, {})
