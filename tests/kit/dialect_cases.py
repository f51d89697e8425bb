"""Runs the cases of tests/fixtures/<dialect>/: what a provider answers, whole or streamed, and its meaning.

A case is a folder. `response.json` holds a whole body, `response.sse`, `response.ndjson` or `response.hex`
(bytes in hexadecimal, white space ignored) a stream, and `expected.json` says what they must hold:
`response` lists fields of the answer, `error` those of the error with the text that came before it under
`text`; both may differ under `whole` and `stream`. `status` and `headers` make it an HTTP error. `preset`,
`model` and `request` say what was asked of whom, `payload` what must then be sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mixed_requests import target_of

from turnout.providers.chat import ChatChunk, ChatCompletion, ChatResponse
from turnout.providers.dialect import Target
from turnout.providers.dialects import dialect
from turnout.providers.errors import ProviderError
from turnout.providers.folding import fold

FIXTURES = Path(__file__).parents[1] / "fixtures"
Fields = dict[str, Any]
Outcome = tuple[list[ChatChunk], ProviderError | None]


class Case:
    """One case of a dialect."""

    def __init__(self, wire: str, name: str) -> None:
        self.wire = wire
        self.name = name
        self.folder = FIXTURES / wire / name
        self.expected: Fields = json.loads((self.folder / "expected.json").read_text("utf-8"))
        self.dialect = dialect(wire)
        given = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        self.request = ChatCompletion.parse({**given, **self.expected.get("request", {})})
        preset, model = self.expected["preset"], self.expected.get("model", "m")
        self.target: Target = target_of(preset, model, on_unsupported="refuse")

    def __repr__(self) -> str:
        return self.name

    @property
    def body(self) -> bytes | None:
        """The whole body, if the case has one."""
        path = self.folder / "response.json"
        return path.read_bytes() if path.exists() else None

    @property
    def stream(self) -> bytes | None:
        """The bytes of the stream, if the case has one."""
        for name in ("response.sse", "response.ndjson"):
            if (self.folder / name).exists():
                return (self.folder / name).read_bytes()
        packed = self.folder / "response.hex"
        return bytes.fromhex(packed.read_text("ascii")) if packed.exists() else None

    def wanted(self, way: str) -> Fields:
        """What the answer must hold when it comes that way, `whole` or `stream`."""
        return {**self.expected, **self.expected.get(way, {})}

    def decode(self) -> ChatResponse:
        """The answer in the whole body."""
        return self.dialect.decode(self.body or b"", self.request, self.target)

    def streamed(self, pieces: Iterable[bytes]) -> Outcome:
        """The chunks of the stream, cut as given, and the error that ended it."""
        decoder, chunks = self.dialect.decoder(self.request, self.target), []

        def run() -> Iterator[ChatChunk]:
            for piece in pieces:
                yield from decoder.feed(piece)
            yield from decoder.close()

        try:
            for chunk in run():
                chunks.append(chunk)  # noqa: PERF402 - the chunks before an error count
        except ProviderError as error:
            return chunks, error
        return chunks, None

    def check_whole(self) -> None:
        """The body, or the error of its status, is what is expected."""
        wanted = self.wanted("whole")
        if "status" in wanted:
            headers = {name.lower(): value for name, value in wanted.get("headers", {}).items()}
            error = self.dialect.error(wanted["status"], headers, self.body or b"", self.target)
            assert_error(error, wanted["error"])
            return
        try:
            response = self.decode()
        except ProviderError as error:
            assert_error(error, wanted.get("error") or {"kind": f"none, but {error!r}"})
            return
        assert_holds(response.wire(), wanted["response"])

    def check_stream(self, pieces: Iterable[bytes]) -> None:
        """The stream, however cut, is what is expected."""
        chunks, error = self.streamed(pieces)
        wanted = self.wanted("stream")
        if "error" in wanted:
            assert_error(error, wanted["error"])
            said = "".join(chunk.text for chunk in chunks)
            assert said == wanted["error"].get("text", ""), "text before the error"
            return
        assert error is None, repr(error)
        assert_holds(fold(chunks).wire(), wanted["response"])

    def check_every_cut(self) -> None:
        """Cut in two at every byte, and into single bytes, the stream says the same as in one piece."""
        data = self.stream or b""
        whole, error = self.streamed([data])
        told = fold(whole).wire()
        cuts: list[list[bytes]] = [[data[:at], data[at:]] for at in range(1, len(data))]
        for pieces in [*cuts, [data[at : at + 1] for at in range(len(data))]]:
            chunks, other = self.streamed(pieces)
            assert fold(chunks).wire() == told, f"cut after {len(pieces[0])} bytes"
            assert (other and other.kind) == (error and error.kind), f"cut after {len(pieces[0])} bytes"

    def check_same(self) -> None:
        """The stream folds to what the whole body decodes to, ids and times of day aside."""
        chunks, error = self.streamed([self.stream or b""])
        assert error is None, repr(error)
        assert fold(chunks).wire() == self.decode().wire()

    def check_payload(self) -> None:
        """The request is written as expected."""
        wire = self.dialect.encode(self.request, self.target)
        sent = json.loads(wire.body)
        assert_holds(sent, self.expected["payload"])
        for name in self.expected.get("absent", ()):
            assert name not in sent, name
        if "adapted" in self.expected:
            assert [one.field for one in wire.adaptations] == self.expected["adapted"]


def cases(wire: str, *files: str) -> list[Case]:
    """The cases of a dialect that have one of these files; all of them where none is named."""
    found = [Case(wire, path.name) for path in sorted((FIXTURES / wire).iterdir())]
    return [case for case in found if not files or any((case.folder / name).exists() for name in files)]


STREAMS = ("response.sse", "response.ndjson", "response.hex")


def assert_holds(have: Any, want: Any, path: str = "") -> None:
    """Every field of `want` is in `have`; lists must agree in length, and null stands for a missing field."""
    if isinstance(want, dict):
        assert isinstance(have, dict), f"{path} is {have!r}"
        for name, value in want.items():
            assert_holds(have.get(name), value, f"{path}.{name}")
    elif isinstance(want, list):
        assert isinstance(have, list), f"{path} is {have!r}"
        assert len(have) == len(want), f"{path} has {len(have)} items: {have!r}"
        for place, (one, other) in enumerate(zip(have, want, strict=True)):
            assert_holds(one, other, f"{path}[{place}]")
    else:
        assert have == want, f"{path} is {have!r}, not {want!r}"


def assert_error(error: ProviderError | None, want: Fields) -> None:
    """The error has this kind, and every other field that is listed."""
    assert error is not None, "no error was raised"
    assert error.kind == want["kind"], repr(error)
    for name in ("status", "code", "retry_after", "request_id"):
        if name in want:
            assert getattr(error, name) == want[name], name
    if "message" in want:
        assert want["message"] in str(error)
