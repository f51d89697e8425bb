"""The layer under random attempts, cut anywhere and called off at any await.

No event loop runs here: the coroutines of one call are stepped by hand. Whatever happens, the caller has the
text that an uncut stream would have given, as far as it has come; every attempt is left; and the end is told
exactly once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatChunk, ChatCompletion, ChatResponse, ManualClock, Usage
from turnout.accounting import Attempt
from turnout.config.loading import parse_settings
from turnout.events import Events
from turnout.pipeline import Call, End, Journal, Reply
from turnout.plans import Plan, PlannedTarget
from turnout.policies.resume import resume
from turnout.promises import plans_of
from turnout.providers.chat import ChunkChoice, Delta
from turnout.providers.dialect import Adaptation
from turnout.providers.errors import (
    ConnectionFailedError,
    InternalServerError,
    ProviderError,
    StreamInterruptedError,
)
from turnout.providers.folding import Fold

T = TypeVar("T")
TEXT = "Well —  first,\n\n point one; \tthen 🙂 the end. "


class Cancelled(BaseException):
    """What an event loop throws into a task that is to end."""


class Turn:
    """An await at which a stepped coroutine stands."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Scripted:
    """An attempt's answer: pieces that come some at a time, and an end."""

    def __init__(self, call: Call, text: str, sizes: list[int], breaks: bool) -> None:
        self.target: PlannedTarget = call.target
        self.adaptations: tuple[Adaptation, ...] = ()
        self.began_at = 0.0
        self.first_token_at: float | None = 0.0
        self.usage: Usage | None = None
        self.end: End | None = None
        self.error: ProviderError | None = None
        self.attempt: Attempt | None = None
        self.headers: Mapping[str, str] = {}
        self.closed = 0
        self._fold = Fold()
        self._breaks = breaks
        self._number = call.journal.sent
        self._coming: deque[list[ChatChunk]] = deque()
        while text:
            size = sizes.pop() if sizes else len(text)
            self._coming.append([self.chunk(content=piece) for piece in (text[:1], text[1:size])])
            text = text[max(size, 1) :]
        if not breaks:
            self._coming.append([self.chunk("stop"), self.chunk(usage=Usage(prompt_tokens=9))])
        self._here: deque[ChatChunk] = deque([self.chunk(role="assistant")])
        self._here.extend(self._coming.popleft() if self._coming else ())

    def chunk(self, finish: str | None = None, usage: Usage | None = None, **delta: Any) -> ChatChunk:
        choices = [] if usage else [ChunkChoice(delta=Delta(**delta), finish_reason=finish)]
        name = f"{self._number}"
        return ChatChunk(id=name, model=self.target.target.model, choices=choices, usage=usage)

    @property
    def response(self) -> ChatResponse:
        return self._fold.response()

    def at_hand(self) -> ChatChunk | None:
        if self._here:
            chunk = self._here.popleft()
            self._fold.add(chunk)
            self.usage = chunk.usage or self.usage
            return chunk
        if self._breaks and not self._coming and self.end is None:
            raise self._break_off()
        return None

    async def receive(self) -> ChatChunk | None:
        while (chunk := self.at_hand()) is None and self.end is None:
            await Turn()
            if not self._coming:
                self.end = "completed"
                return None
            self._here.extend(self._coming.popleft())
        return chunk

    def _break_off(self) -> ProviderError:
        self.end, self.error = "failed", StreamInterruptedError("the stream broke off.")
        return self.error

    def when_ended(self, listener: Callable[[Reply], None]) -> None:
        raise AssertionError("listeners are the outer reply's")

    async def aclose(self) -> None:
        await Turn()
        self.end = self.end or "cancelled"
        self.closed += 1


def plan(how: str) -> Plan:
    prefill = {"way": "plain", "echoes": how == "echo"}
    how = "restart" if how == "restart" else "continue"
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "quirks": {"prefill": prefill}}
    config = {
        "providers": {"a": {**provider, "models": {"*": {"prefill": True}}}},
        "routes": {"r": {"chain": [f"a/m{number}" for number in range(6)], "on_interrupt": how}},
    }
    [made] = plans_of(parse_settings(config, env={}), {})
    return made


PLANS = {how: plan(how) for how in ("restart", "continue", "echo")}
REQUEST = ChatCompletion.parse({"model": "r", "messages": [{"role": "user", "content": "Hi"}]})


class Stepper:
    """Steps coroutines, and throws something in at the suspensions that are named."""

    def __init__(self, cancelled: set[int]) -> None:
        self.cancelled = cancelled
        self.taken = 0

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine; one that is called off is made again, as a caller may who waits anew."""
        coroutine = make()
        thrown = False
        while True:
            try:
                if thrown:
                    coroutine.throw(Cancelled())
                else:
                    coroutine.send(None)
            except StopIteration as stop:
                result: T = stop.value
                return result
            except Cancelled:
                coroutine, thrown = make(), False
                continue
            self.taken += 1
            thrown = self.taken in self.cancelled


class World:
    """The attempts of one call."""

    def __init__(self, how: str, cuts: list[int | None], sizes: list[int]) -> None:
        self.how = how
        self.cuts = deque(cuts)
        self.sizes = sizes
        self.replies: list[Scripted] = []
        planned = PLANS[how]
        self.call = Call(
            REQUEST, True, planned, planned.targets[0], "id", 60.0, 60.0,
            ahead=planned.targets[1:], later=5, journal=Journal(),
        )  # fmt: skip

    async def inner(self, call: Call) -> Reply:
        """Ask one target: it may fail before its first word, break later, or answer to the end."""
        await Turn()
        call.journal.sent += 1
        cut = self.cuts.popleft() if self.cuts else None
        if cut == 0:
            if not call.ahead:
                raise ConnectionFailedError("nobody is there.")
            raise InternalServerError("not now.")
        given = call.request.messages[-1]
        text = TEXT[len(given.text) :] if given.role == "assistant" else TEXT
        reply = Scripted(call, text if cut is None else text[:cut], list(self.sizes), cut is not None)
        self.replies.append(reply)
        return reply


@given(
    st.sampled_from(["restart", "continue"]),
    st.lists(st.none() | st.integers(0, 30), max_size=7),
    st.lists(st.integers(1, 9), max_size=9),
    st.sets(st.integers(1, 60), max_size=4),
    st.integers(0, 40) | st.none(),
)
def test_whatever_breaks_the_caller_has_one_answer(
    how: str, cuts: list[int | None], sizes: list[int], cancelled: set[int], leaves: int | None
) -> None:
    world, steps, told, text, read = World(how, cuts, sizes), Stepper(cancelled), [], "", 0
    layer = resume(ManualClock(), Events())(world.inner)
    if world.cuts and world.cuts[0] == 0:
        world.cuts[0] = 1  # what fails before its first word is not this layer's

    async def asked() -> Reply:
        return await layer(world.call)

    reply = steps.run(asked)
    reply.when_ended(lambda ended: told.append(ended.end))
    while leaves is None or read < leaves:
        try:
            chunk = steps.run(reply.receive)
        except StreamInterruptedError as error:
            assert error.partial is not None
            assert error.partial.text == text
            assert TEXT.startswith(text)
            break
        if chunk is None:
            assert (text, reply.end) == (TEXT, "completed")
            assert reply.response.finish_reason == "stop"
            break
        read += 1
        text = "" if chunk.reset else text + chunk.text
        assert reply.response.text == text or chunk.reset
    left_early = reply.end is None
    steps.run(reply.aclose)
    assert told == [reply.end]
    assert (reply.end == "cancelled") is left_early or reply.end in ("completed", "failed")
    assert all(one.closed for one in world.replies)
    if reply.end == "completed" and how == "continue" and len(world.replies) > 1:
        assert reply.usage is not None
        assert reply.usage.prompt_tokens > 9


class Given(Scripted):
    """An answer of given pieces, which come one at a time."""

    def __init__(self, call: Call, pieces: list[ChatChunk], breaks: bool) -> None:
        super().__init__(call, "", [], breaks=True)
        self._breaks = breaks
        self._coming = deque([piece] for piece in pieces)


def told_by(*answers: tuple[list[ChatChunk], bool]) -> tuple[list[ChatChunk], Reply, list[End | None]]:
    """The chunks that a caller has of these answers, the reply, and the end as it was told."""
    waiting, ends = deque(answers), []
    world = World("echo", [], [])

    async def inner(call: Call) -> Reply:
        call.journal.sent += 1
        pieces, breaks = waiting.popleft()
        return Given(call, pieces, breaks)

    async def all_of_it() -> tuple[list[ChatChunk], Reply]:
        reply = await resume(ManualClock(), Events())(inner)(world.call)
        reply.when_ended(lambda ended: ends.append(ended.end))
        chunks = []
        while (chunk := await reply.receive()) is not None:
            chunks.append(chunk)
        await reply.aclose()
        return chunks, reply

    chunks, reply = Stepper(set()).run(all_of_it)
    return chunks, reply, ends


def piece(text: str, finish: str | None = None) -> ChatChunk:
    choice = ChunkChoice(delta=Delta(content=text or None), finish_reason=finish)
    return ChatChunk(id="one", model="m", choices=[choice])


def test_what_broke_behind_its_last_word_is_complete() -> None:
    chunks, reply, ends = told_by(([piece("Hello"), piece("", "stop")], True))
    assert (reply.response.text, reply.response.finish_reason) == ("Hello", "stop")
    assert (len(chunks), ends, reply.error) == (3, ["completed"], None)


def test_what_looked_like_an_echo_until_the_end_is_shown() -> None:
    chunks, reply, ends = told_by(([piece("Now, now")], True), ([piece("Now"), piece(",")], False))
    assert "".join(chunk.text for chunk in chunks) == reply.response.text == "Now, nowNow,"
    assert ends == ["completed"]
