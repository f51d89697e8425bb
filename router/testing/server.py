"""A simulated provider: a real HTTP server on loopback that answers what a script says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import start_blocking_portal

from .allowance import ALLOWED, Allowance, Till, Verdict, tokens_of
from .answers import Answer, answer, json_answer
from .beginnings import rest_of
from .counting import text_of
from .faults import envelope, refused, wrong_key
from .http import Connection, HttpRequest, delivery
from .listening import Line, Listener
from .quirks import Quirks, quirks
from .script import Reply, Script
from .tally import Tally, told_in
from .wires import Asked, Wire, listing_wire, render, wire_for

Scripts = Mapping[str, Script | Sequence[Reply]]
"""Scripts by model name; a plain list of replies will do."""

_PLAIN = Reply()


@dataclass(slots=True, eq=False)
class Received:
    """A request that reached the simulator."""

    method: str
    path: str
    """Path and query."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case, values as they came."""
    body: Any
    """The parsed JSON; None if there was none."""
    raw: bytes = field(default=b"", repr=False)
    """The body as it came."""
    disconnected: bool = False
    """The client went away before it had the whole answer."""
    answered: bool = False
    """The answer was written to its end, be it a scripted one."""
    model: str | None = None
    """The model asked for, which some wires name in the path."""


class Simulator:
    """A provider on 127.0.0.1 that does what it is told; use it with `async with`, or `with …serving()`.

    `models` scripts the answers by model name, and any other model repeats the user's last message. `quirks`
    names the host whose wire it speaks. With `api_key` set, any other key is refused as the host would.
    `port` 0 takes a free one. An `allowance` is enforced, and told in the headers of every answer.

    Leaving the context cancels what is still being answered and closes every connection.
    """

    def __init__(
        self,
        models: Scripts | None = None,
        *,
        quirks: str = "openai",
        api_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allowance: Allowance | None = None,
    ) -> None:
        self.till = None if allowance is None else Till(allowance)
        """What was used of the allowance; None where all is allowed."""
        self.requests: list[Received] = []
        """Everything that came, oldest first."""
        self.tally = Tally()
        """What came and what was told of tokens, all together."""
        self.tallies: dict[str, Tally] = {}
        """The same for each model that was asked for."""
        self._row = _row(quirks)
        self._api_key = api_key
        self._host = host
        self._port = port
        self._scripts: dict[str, Script] = {
            name: Script.of(script) for name, script in (models or {}).items()
        }
        self._served: dict[str, int] = {}
        self._stack: AsyncExitStack | None = None

    @property
    def url(self) -> str:
        """The base URL to configure, such as `http://127.0.0.1:40213/v1`; RuntimeError before it starts."""
        if self._stack is None:
            raise RuntimeError(
                "the simulator has no address yet; enter it with `async with`, or `with …serving()`"
            )
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v1"

    @property
    def root(self) -> str:
        """The address without the path, for the wires whose own paths begin with their version."""
        return self.url.removesuffix("/v1")

    def script(self, model: str, *replies: Reply, then: str = "last") -> None:
        """Give a model a new script, from its first reply; without replies it echoes again."""
        self._served.pop(model, None)
        if replies:
            self._scripts[model] = Script.model_validate({"replies": replies, "then": then})
        else:
            self._scripts.pop(model, None)

    @contextmanager
    def serving(self, backend: str = "asyncio") -> Iterator[Self]:
        """The simulator in a thread of its own, for code that is not async; it ends with the context."""
        with start_blocking_portal(backend) as portal, portal.wrap_async_context_manager(self):
            yield self

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = Listener(self._host, self._port)
            stack.callback(listener.close)
            tasks = await stack.enter_async_context(_Tasks())
            tasks.start_soon(listener.serve, self._connected, tasks)
            self._port = listener.port
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def _connected(self, line: Line) -> None:
        connection = Connection(line)
        try:
            while (request := await connection.next_request()) is not None:
                if not await self._exchange(connection, request):
                    break
        finally:
            connection.close()

    async def _exchange(self, connection: Connection, request: HttpRequest) -> bool:
        """Answer one request; whether the connection can take another."""
        body = _parsed(request.body)
        name = body.get("model") if isinstance(body, dict) else None
        received = Received(request.method, request.target, request.headers, body, request.body)
        received.model = name if isinstance(name, str) else None
        self.requests.append(received)
        number = len(self.requests)
        reusable = False

        async def watch() -> None:
            await connection.client_gone()
            received.disconnected = not received.answered
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            try:
                reusable = await self._respond(connection, received, number)
            except anyio.BrokenResourceError:
                received.disconnected = not received.answered
            tasks.cancel_scope.cancel()
        return reusable and connection.reuse()

    async def _respond(self, connection: Connection, received: Received, number: int) -> bool:
        reply, row, reaction = self._reaction(received, number)
        tallies = (self.tally, self.tallies.setdefault(received.model or "", Tally()))
        for tally in tallies:
            tally.requests += 1
        await anyio.sleep(reply.latency)
        if reply.hang_up:
            received.answered = True
            return False
        plan = delivery(reaction, reply)
        headers = {"content-type": reaction.content_type, row.request_id_header: f"req_{number}"}
        await connection.head(reaction.status, _merged(headers, reaction.headers), plan.length)
        if plan.ending == "complete":
            *writes, last = plan.writes or (b"",)
        else:
            writes, last = list(plan.writes), b""
        for index, data in enumerate(writes):
            await connection.data(data)
            if index + 1 < len(writes) or plan.ending == "complete":
                await anyio.sleep(reply.drip_delay)
        counted = told_in(reply, reaction, plan.writes, complete=plan.ending == "complete")
        for tally in tallies:
            tally.add(counted)
        if plan.ending == "stall":
            await anyio.sleep_forever()
        # From here on the client may leave: some do at `[DONE]`, before the last chunk's own end.
        received.answered = True
        if plan.ending == "complete":
            await connection.last(last)
        return plan.ending == "complete"

    def _reaction(self, received: Received, number: int) -> tuple[Reply, Quirks, Answer]:
        path, _, query = received.path.partition("?")
        path = path.rstrip("/")
        wire = wire_for(path) or listing_wire(path, query, received.headers)
        if wire is not None:
            reply, reaction = self._on_wire(wire, path, query, received, number)
            return reply, replace(self._row, request_id_header=wire.request_id_header), reaction
        if not self._may_enter(received):
            return _PLAIN, self._row, json_answer(*wrong_key(self._row))
        if received.method == "GET" and (path.endswith("/models") or "/models/" in path):
            return _PLAIN, self._row, self._models(path)
        if not path.endswith("/chat/completions"):
            return _PLAIN, self._row, self._failure(404, f"Unknown path: {received.method} {path}")
        if received.method != "POST":
            return _PLAIN, self._row, self._failure(405, f"Not allowed here: {received.method}; use POST")
        if not isinstance(received.body, dict):
            return _PLAIN, self._row, self._failure(400, "We could not parse the JSON body of your request.")
        model = received.model or ""
        reply = self._reply(model, received.body)
        row = self._row if reply.quirks is None else quirks(reply.quirks)
        fault = refused(received.body, row)
        if fault is not None:
            return _PLAIN, row, json_answer(*fault)
        self._served[model] = self._served.get(model, 0) + 1
        reply = rest_of(reply, received.body)
        verdict = self._judged(received, tokens_of(received.body, reply, row))
        if verdict.refused is not None:
            self._served[model] -= 1
            refusal = json_answer(429, envelope(429, verdict.refused, row))
            return _PLAIN, row, replace(refusal, headers=verdict.headers)
        reaction = answer(received.body, reply, row, number)
        return reply, row, replace(reaction, headers={**verdict.headers, **reaction.headers})

    def _on_wire(
        self, wire: Wire, path: str, query: str, received: Received, number: int
    ) -> tuple[Reply, Answer]:
        """The reaction in one of the wires that are not OpenAI's Chat Completions."""
        if not self._may_enter(received):
            message = "The API key is not valid."
            return _PLAIN, json_answer(wire.wrong_key_status, wire.error(401, message))
        if received.method == "GET":
            return _PLAIN, json_answer(200, wire.models(list(self._scripts)))
        if not isinstance(received.body, dict):
            return _PLAIN, json_answer(400, wire.error(400, "The body of the request is not JSON."))
        asked = Asked(path, query, received.headers, received.body)
        refused = wire.refused(asked)
        if refused is not None:
            return _PLAIN, json_answer(*refused)
        model = received.model = wire.model(asked)
        script = self._scripts.get(model)
        served = self._served.get(model, 0)
        self._served[model] = served + 1
        reply = Reply(text=wire.last_words(asked) or "Hello") if script is None else script.reply(served)
        reply = rest_of(reply, received.body)
        verdict = self._judged(received, tokens_of(received.body, reply, None), wire.name)
        if verdict.refused is not None:
            self._served[model] -= 1
            return _PLAIN, replace(
                json_answer(429, wire.error(429, verdict.refused)), headers=verdict.headers
            )
        reaction = render(wire, asked, reply, number)
        return reply, replace(reaction, headers={**verdict.headers, **reaction.headers})

    def _judged(self, received: Received, tokens: int, dialect: str = "") -> Verdict:
        """What the allowance says to a request whose answer will count so many tokens."""
        if self.till is None:
            return ALLOWED
        now = anyio.current_time() * self.till.allowance.pace
        return self.till.judge(received.headers, tokens, now, dialect=dialect)

    def _may_enter(self, received: Received) -> bool:
        if self._api_key is None:
            return True
        headers = received.headers
        authorization = headers.get("authorization", "")
        if authorization.startswith("AWS4-HMAC-SHA256 "):  # signed, and the secret itself never travels
            return f"Credential={self._api_key}/" in authorization
        return self._api_key in {
            headers.get("api-key"),
            headers.get("x-api-key"),
            headers.get("x-goog-api-key"),
            authorization.removeprefix("Bearer "),
        }

    def _failure(self, status: int, message: str) -> Answer:
        return json_answer(status, envelope(status, message, self._row))

    def _models(self, path: str) -> Answer:
        rows = [
            {"id": name, "object": "model", "created": 1767225600, "owned_by": "simulator"}
            for name in self._scripts
        ]
        if path.endswith("/models"):
            return json_answer(200, {"object": "list", "data": rows})
        wanted = unquote(path.partition("/models/")[2])
        for row in rows:
            if row["id"] == wanted:
                return json_answer(200, row)
        return self._failure(404, f"The model {wanted!r} does not exist.")

    def _reply(self, model: str, request: Mapping[str, Any]) -> Reply:
        script = self._scripts.get(model)
        if script is None:
            return Reply(text=_last_words(request) or "Hello")
        return script.reply(self._served.get(model, 0))


class _Tasks:
    """A task group that is cancelled on leaving, and hands its host's own exception on unwrapped."""

    def __init__(self) -> None:
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> TaskGroup:
        return await self._group.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)


async def serve(
    host: str = "127.0.0.1",
    port: int = 8899,
    scripts: Scripts | None = None,
    quirks: str = "openai",
    on_ready: Callable[[Simulator], object] | None = None,
    *,
    api_key: str | None = None,
) -> None:
    """Serve until cancelled; `on_ready` is called with the simulator once it has its address."""
    async with Simulator(scripts, quirks=quirks, api_key=api_key, host=host, port=port) as simulator:
        if on_ready is not None:
            on_ready(simulator)
        await anyio.sleep_forever()


def _row(name: str) -> Quirks:
    return quirks(name)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _last_words(request: Mapping[str, Any]) -> str:
    """The text of the user's last message, if the request has one."""
    messages = request.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, Mapping) and message.get("role") == "user":
            return text_of(message)
    return ""


def _merged(own: Mapping[str, str], scripted: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in own.items()} | {
        name.lower(): value for name, value in scripted.items()
    }
