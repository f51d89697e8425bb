"""Images and files are fetched for wires that take none by address: in bounds, and nothing from inside."""

from __future__ import annotations

import gzip
import socket
from base64 import b64encode
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream
from file_server import PNG, Answer, certificate_for, redirect, response, serving

from turnout import DeadlineExceededError, Router, UnsupportedError
from turnout.fetching import Fetcher
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

Address = IPv4Address | IPv6Address
LOCALLY = "messages.image_url.remote"
DATA_URL = f"data:image/png;base64,{b64encode(PNG).decode()}"
LIMIT = 4096
LOOPBACK = (
    "127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "\uff11\uff12\uff17.1",
)  # fmt: skip


def near(address: Address) -> bool:
    """Loopback stands for the public internet here."""
    return address.is_loopback


def routing(simulator: Simulator, allowed: Callable[[Address], bool] = near, **provider: Any) -> Router:
    """A router with two providers that take no image by address, and one that does."""
    base = {"dialect": "openai", "base_url": simulator.url, "api_key": "sk-test-0123456789"}
    fetching = {**base, "quirks": {"unsupported": [LOCALLY]}, "fetch_media": True, **provider}
    settings = {
        "providers": {"a": fetching, "b": fetching, "takes-urls": {**base, "fetch_media": True}},
        "routes": {"r": ["a/x", "b/y"], "mixed": ["a/x", "takes-urls/z"]},
        "defaults": {"retry": {"base": "1ms"}},
    }
    return nearby(settings, allowed)


def nearby(settings: dict[str, Any], allowed: Callable[[Address], bool] = near) -> Router:
    """A router that fetches from where it is allowed to."""
    router = Router(settings, env={})
    router._snapshot.wire._fetcher = Fetcher(router._transport, allowed=allowed)
    return router


def showing(*urls: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]


def sent(simulator: Simulator, number: int = -1) -> list[Any]:
    """The parts of the first message, as they reached the provider."""
    parts: list[Any] = simulator.requests[number].body["messages"][0]["content"]
    return parts[1:]


async def refusal(answers: dict[str, Answer], url: str = "{url}/it", **provider: Any) -> UnsupportedError:
    """Why an image is not fetched."""
    async with serving(answers) as files, Simulator() as simulator:
        async with routing(simulator, **provider) as router:
            with pytest.raises(UnsupportedError) as caught:
                await router.complete(
                    model="a/x", messages=showing(url.format(url=files.url, port=files.port))
                )
    assert simulator.requests == []
    assert caught.value.field == "messages[0].content[1]"
    assert router.ledger.attempts()[0].outcome == "skipped"
    return caught.value


async def test_an_image_is_fetched_and_sent_along() -> None:
    async with (
        serving({"/a.png?size=1": response(PNG, content_type="image/png")}) as files,
        Simulator() as provider,
    ):
        async with routing(provider) as router:
            reply = await router.complete(model="a/x", messages=showing(f"{files.url}/a.png?size=1#top"))

    assert sent(provider) == [{"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}}]
    [adaptation] = reply.trace.attempts[0].adaptations
    assert (adaptation.field, adaptation.action) == ("messages[0].content[1].image_url.url", "emulated")
    assert adaptation.reason == "fetched and inlined: 32 bytes of image/png"


async def test_nothing_of_ours_goes_along() -> None:
    async with serving({"/": response(PNG)}) as files, Simulator() as provider:
        async with routing(provider, headers={"X-Team": "search"}) as router:
            await router.complete(model="a/x", messages=showing(files.url))

    [(_, headers)] = files.asked
    assert headers.pop("user-agent").startswith("turnout")
    assert set(headers) == {"host", "accept", "accept-encoding", "connection"}
    assert headers["host"] == files.url.removeprefix("http://")
    assert headers["connection"] == "close"


async def test_it_is_fetched_once_however_often_the_call_is_tried() -> None:
    failing = {"x": [Reply(status=500)], "y": [Reply(status=500), Reply(text="A cat")]}
    async with (
        serving({"/cat": response(PNG), "/dog": response(PNG)}) as files,
        Simulator(failing) as provider,
    ):
        messages = showing(f"{files.url}/cat", f"{files.url}/dog", f"{files.url}/cat")
        async with routing(provider) as router:
            reply = await router.complete(model="r", messages=messages)
            again = await router.complete(model="b/y", messages=messages)

    assert reply.text == again.text == "A cat"
    assert [len(sent(provider, number)) for number in range(5)] == [3] * 5
    assert sorted(files.paths) == ["/cat", "/cat", "/dog", "/dog"]  # once for each of the two calls


async def test_what_cannot_be_had_is_not_asked_for_again_and_the_chain_goes_on() -> None:
    async with serving({}) as files, Simulator() as provider, routing(provider) as router:
        reply = await router.complete(model="mixed", messages=showing(f"{files.url}/gone"))
        with pytest.raises(UnsupportedError, match="no target of the route"):
            await router.complete(model="r", messages=showing(f"{files.url}/gone"))

    assert [attempt.outcome for attempt in reply.trace.attempts] == ["skipped", "ok"]
    assert sent(provider)[0]["image_url"]["url"] == f"{files.url}/gone"  # this provider fetches it itself
    assert files.paths == ["/gone"] * 2


async def test_results_of_tools_and_files_count_too() -> None:
    pdf = b"%PDF-1.7 and so on"
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    async with serving({"/a": response(PNG), "/b": response(pdf)}) as files, Simulator() as provider:
        file = {"type": "file", "file": {"file_data": f"{files.url}/b", "filename": "b.pdf"}}
        messages = [
            {"role": "user", "content": [file]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": showing(f"{files.url}/a")[0]["content"]},
        ]
        async with routing(provider) as router:
            reply = await router.complete(model="a/x", messages=messages)

    first, _, last = provider.requests[0].body["messages"]
    assert (
        first["content"][0]["file"]["file_data"] == f"data:application/pdf;base64,{b64encode(pdf).decode()}"
    )
    assert last["content"][1]["image_url"]["url"] == DATA_URL
    assert [one.field for one in reply.trace.attempts[0].adaptations] == [
        "messages[0].content[0].file.file_data",
        "messages[2].content[1].image_url.url",
    ]


NATIVE = {"gemini": "gemini-2.5-flash", "bedrock": "us.anthropic.claude-sonnet-4-6", "ollama": "qwen3-vl:8b"}


@pytest.mark.parametrize("dialect", NATIVE)
async def test_every_wire_without_addresses_gets_the_bytes_in_its_own_words(dialect: str) -> None:
    async with serving({"/a": response(PNG)}) as files, Simulator() as provider:
        settings = {"dialect": dialect, "base_url": provider.root, "api_key": "k", "fetch_media": True}
        async with nearby({"providers": {"p": settings}}) as router:
            await router.complete(model=f"p/{NATIVE[dialect]}", messages=showing(f"{files.url}/a"))
    [request] = provider.requests
    assert b64encode(PNG) in request.raw
    assert files.url.encode() not in request.raw
    assert files.paths == ["/a"]


async def test_what_the_provider_keeps_itself_is_not_fetched() -> None:
    own = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"
    async with serving({"/a": response(PNG)}) as files, Simulator() as provider:
        settings = {"dialect": "gemini", "base_url": provider.root, "api_key": "k", "fetch_media": True}
        async with nearby({"providers": {"p": settings}}) as router:
            messages = showing(own, f"{files.url}/a")
            reply = await router.complete(model="p/gemini-2.5-flash", messages=messages)
            await router.complete(model="p/gemini-2.5-flash", messages=showing(own))
    both, alone = provider.requests
    assert both.body["contents"][0]["parts"][1] == alone.body["contents"][0]["parts"][1]
    assert own in str(alone.body)
    assert b64encode(PNG) in both.raw
    fetched = [one.field for one in reply.trace.attempts[0].adaptations if "fetched" in one.reason]
    assert fetched == ["messages[0].content[2].image_url.url"]
    assert files.paths == ["/a"]


async def test_without_permission_the_way_to_give_it_is_told() -> None:
    async with serving({"/a": response(PNG)}) as files, Simulator() as provider:
        async with routing(provider, fetch_media=False) as router:
            with pytest.raises(UnsupportedError, match="set fetch_media: true"):
                await router.complete(model="a/x", messages=showing(f"{files.url}/a"))
            reply = await router.complete(model="mixed", messages=showing(f"{files.url}/a"))
    assert reply.provider == "takes-urls"
    assert files.asked == []


async def test_the_hint_is_not_given_where_fetching_would_not_help() -> None:
    quirks = {"unsupported": [LOCALLY, "stop"]}
    async with Simulator() as provider, routing(provider, fetch_media=False, quirks=quirks) as router:
        with pytest.raises(UnsupportedError) as caught:
            await router.complete(model="a/x", messages=showing("http://a.example/a"), stop="x")
    assert "fetch_media" not in str(caught.value)


async def test_nothing_is_fetched_for_a_target_that_cannot_take_the_request_anyway() -> None:
    answers: dict[str, Answer] = {"/a": response(PNG)}
    async with serving(answers) as files, Simulator() as provider:
        async with routing(provider, quirks={"unsupported": [LOCALLY, "stop"]}) as router:
            with pytest.raises(UnsupportedError, match="stop"):
                await router.complete(model="a/x", messages=showing(f"{files.url}/a"), stop="x")
        async with routing(provider, quirks={"unsupported": [LOCALLY, "messages.image_url"]}) as router:
            await router.complete(model="a/x", messages=showing(f"{files.url}/a"), on_unsupported="drop")
    assert files.asked == []
    assert sent(provider) == []  # the user chose to go on without


async def test_by_default_only_the_public_internet_is_asked() -> None:
    connections = 0

    async def count(stream: ByteStream) -> None:
        nonlocal connections
        connections += 1
        await stream.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with Simulator() as provider, listener, anyio.create_task_group() as tasks:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.start_soon(listener.serve, count)
        settings = {
            "providers": {
                "a": {
                    "dialect": "openai",
                    "base_url": provider.url,
                    "quirks": {"unsupported": [LOCALLY]},
                    "fetch_media": True,
                }
            }
        }
        async with Router(settings, env={}) as router:
            for host in LOOPBACK:
                with pytest.raises(UnsupportedError, match="not on the public internet") as caught:
                    await router.complete(
                        model="a/x", messages=showing(f"http://{host}:{port}/latest/meta-data")
                    )
                assert "meta-data" not in str(caught.value)
        tasks.cancel_scope.cancel()
    assert connections == 0


async def test_a_name_is_looked_up_once_and_every_address_of_it_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {
        "good.example": ["127.0.0.2", "127.0.0.1"],
        "mixed.example": ["127.0.0.1", "10.0.0.1"],
        "no.example": [],
    }
    asked: list[str] = []

    async def lookup(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 - anyio's own name
        asked.append(host)
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(anyio, "getaddrinfo", lookup)
    async with serving({"/a": response(PNG)}) as files, Simulator() as provider, routing(provider) as router:
        await router.complete(model="a/x", messages=showing(f"http://good.example:{files.port}/a"))
        for name in ("mixed.example", "no.example"):
            with pytest.raises(UnsupportedError, match="not on the public internet"):
                await router.complete(model="a/x", messages=showing(f"http://{name}:{files.port}/a"))

    assert asked == ["good.example", "mixed.example", "no.example"]
    [(_, headers)] = files.asked  # nobody listens on the first address
    assert headers["host"] == f"good.example:{files.port}"


async def test_three_redirects_are_followed() -> None:
    answers: dict[str, Answer] = {
        "/it": redirect("/second"),
        "/second": redirect("third?x=1"),
        "/third?x=1": redirect("//127.0.0.1:{port}/last"),
        "/last": response(PNG, content_type="image/png"),
    }
    async with serving(answers) as files, Simulator() as provider, routing(provider) as router:
        answers["/third?x=1"] = redirect(f"//127.0.0.1:{files.port}/last")
        await router.complete(model="a/x", messages=showing(f"{files.url}/it"))
        answers["/last"] = redirect("/it")
        with pytest.raises(UnsupportedError, match="redirects more than 3 times"):
            await router.complete(model="a/x", messages=showing(f"{files.url}/it"))
    assert sent(provider)[0]["image_url"]["url"] == DATA_URL
    assert files.paths[4:] == ["/it", "/second", "/third?x=1", "/last"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://10.0.0.1/", "not on the public internet"),
        ("http://u:p@127.0.0.1/", "a user or a password"),
        ("file:///etc/passwd", "only http and https"),
        ("http://127.0.0.1:99999/", "no URL"),
        ("http://[::1", "could not be fetched"),
        ("", "more than 3 times"),
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(location: str, words: str) -> None:
    error = await refusal({"/it": redirect(location)})
    assert words in str(error)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://user@127.0.0.1:{port}/it", "a user or a password"),
        ("http://127.0.0.1:22/it", "port 22"),
        ("http://a.example\\@127.0.0.1:{port}/it", "a backslash"),
        ("http://127.0.0.1:{port}/it\r\nx: y", "a control character"),
        ("http://127.0.0.1:{port}0000/it", "no URL"),
        ("http://[127.0.0.1/it", "no URL"),
        ("http://" + "ü" * 70 + ".example/it", "no URL"),
        ("http:///it", "only http and https"),
        ("http://127.0.0.1:{port}/it" + "a" * 70_000, "cannot be asked"),
        ("http://nobody.invalid/it", "not known"),
    ],
)
async def test_an_address_that_is_not_asked(url: str, words: str) -> None:
    error = await refusal({"/it": response(PNG)}, url)
    assert words in str(error)


async def chunked(stream: ByteStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"400\r\n" + bytes(1024) + b"\r\n")


async def hang_up(stream: ByteStream) -> None:
    await stream.aclose()


PACKED = gzip.compress(bytes(50_000_000))
REFUSED: dict[str, tuple[Answer, str]] = {
    "missing": (response(status="404 Not Found"), "status 404"),
    "empty": (response(content_type="image/png"), "empty"),
    "a page": (response(b"<html>", content_type="text/html; charset=utf-8"), "'text/html'"),
    "no media type": (response(PNG, content_type="image/png,x"), "'image/png,x'"),
    "untold": (response(b"who knows", content_type="application/octet-stream"), "first bytes"),
    "a document": (response(b"%PDF-1.7", content_type="image/png"), "application/pdf and no image"),
    "too large, as it says": (response(bytes(LIMIT + 1), content_type="image/png"), "larger than 4096 bytes"),
    "too large, endless": (chunked, "larger than 4096 bytes"),
    "too large, packed": (
        response(PACKED, content_type="image/png", content_encoding="gzip"),
        "larger than 4096 bytes",
    ),
    "brotli": (response(PNG, content_encoding="br"), "'br'"),
    "hung up": (hang_up, "hung up"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "not proper HTTP"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_taken(case: str) -> None:
    answer, words = REFUSED[case]
    error = await refusal({"/it?key=s3cret": answer}, "{url}/it?key=s3cret", max_media_bytes=LIMIT)
    assert words in str(error)
    assert "messages[0].content[1]: what 127.0.0.1 holds could not be fetched" in str(error)
    assert "s3cret" not in f"{error!r}{error.__cause__!r}{error.__context__!r}"


async def test_where_nobody_listens_nothing_is_fetched() -> None:
    async with serving({}) as files:
        pass
    assert "no connection" in str(await refusal({}, f"{files.url}/it"))


async def test_all_of_a_call_together_has_a_limit() -> None:
    large = response(PNG.ljust(LIMIT, b"\0"))
    async with serving({f"/{number}": large for number in range(9)}) as files, Simulator() as provider:
        async with routing(provider, max_media_bytes=LIMIT) as router:
            with pytest.raises(UnsupportedError, match="together are larger than 20480 bytes"):
                urls = [f"{files.url}/{number}" for number in range(9)]
                await router.complete(model="a/x", messages=showing(*urls))
            await router.complete(model="a/x", messages=showing(*urls[:5]))
    assert len(sent(provider)) == 5


@pytest.mark.parametrize(
    ("data", "said", "kind"),
    [
        (PNG, "", "image/png"),
        (PNG, "application/octet-stream", "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/jpeg", "image/webp"),
        (b"\xff\xd8\xff\xe0", "image/jpg", "image/jpeg"),
        (b"<svg/>", "image/svg+xml; charset=utf-8", "image/svg+xml"),
        (b"BM....", "image/bmp", "image/bmp"),
        (b"....", "image/jpg", "image/jpeg"),
    ],
)
async def test_the_bytes_tell_the_type_and_otherwise_the_server(data: bytes, said: str, kind: str) -> None:
    headers = {"content_type": said} if said else {}
    async with serving({"/": response(data, **headers)}) as files, Simulator() as provider:
        async with routing(provider) as router:
            await router.complete(model="a/x", messages=showing(files.url))
    assert sent(provider)[0]["image_url"]["url"].startswith(f"data:{kind};base64,")


async def silent(stream: ByteStream) -> None:
    await anyio.sleep_forever()


async def test_the_attempts_limits_hold_and_the_chain_goes_on() -> None:
    async with serving({"/slow": silent, "/quick": response(PNG)}) as files, Simulator() as provider:
        messages = showing(f"{files.url}/quick", f"{files.url}/slow")
        async with routing(provider, timeouts={"first_token": "100ms"}) as router:
            reply = await router.complete(model="mixed", messages=messages)
    skipped, answered = reply.trace.attempts
    assert skipped.error is not None
    assert "within the attempt's time limits" in skipped.error.message
    assert answered.target == "takes-urls/z"


async def test_the_calls_deadline_is_the_calls_own_error() -> None:
    async with serving({"/slow": silent}) as files, Simulator() as provider, routing(provider) as router:
        with pytest.raises(DeadlineExceededError):
            await router.complete(model="a/x", messages=showing(f"{files.url}/slow"), deadline=0.2)
    assert provider.requests == []


async def test_a_call_that_is_given_up_leaves_nothing_open() -> None:
    gone = anyio.Event()

    async def watch(stream: ByteStream) -> None:
        try:
            await stream.receive()
        finally:
            gone.set()

    async with serving({"/slow": watch}) as files, Simulator() as provider, routing(provider) as router:
        with anyio.move_on_after(0.1):
            await router.complete(model="a/x", messages=showing(f"{files.url}/slow"))
        with anyio.fail_after(2):
            await gone.wait()


async def test_explaining_fetches_nothing() -> None:
    async with serving({"/a": response(PNG)}) as files, Simulator() as provider, routing(provider) as router:
        [step] = router.explain(model="a/x", messages=showing(f"{files.url}/a")).steps
    assert not step.skipped
    assert step.adaptations[0].reason == "will be fetched and inlined"
    assert files.asked == provider.requests == []


async def test_over_tls_the_name_is_what_the_certificate_must_bear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = certificate_for("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    answers: dict[str, Answer] = {"/a": response(PNG)}
    async with serving(answers, tls=tls) as files, Simulator() as provider, routing(provider) as router:
        await router.complete(model="a/x", messages=showing(f"https://LOCALHOST.:{files.port}/a"))
        with pytest.raises(UnsupportedError, match="no connection"):
            await router.complete(model="a/x", messages=showing(f"https://127.0.0.1:{files.port}/a"))
        answers["/down"] = redirect(f"http://localhost:{files.port}/a")
        with pytest.raises(UnsupportedError, match="from https to http"):
            await router.complete(model="a/x", messages=showing(f"https://localhost:{files.port}/down"))
    assert sent(provider)[0]["image_url"]["url"] == DATA_URL
    assert files.paths == ["/a", "/down"]
