"""What is written before a body, where it goes, and what cannot be sent at all."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.errors import ConfigError
from turnout.providers.dialect import WireRequest
from turnout.providers.http.proxies import Proxies, Proxy
from turnout.providers.http.request import MOST_HEADS, Heads, place_of

HTTP_PROXY = Proxies({"http": Proxy("http", "proxy.test", 3128, "Basic eDp5")})


def heads(proxies: Proxies | None = None) -> Heads:
    return Heads(proxies or Proxies(), lambda: 0.0, "tests", None)


def written(
    headers: Mapping[str, str] | None = None,
    *,
    url: str = "http://a.test/v1",
    method: str = "POST",
    body: bytes = b"{}",
    proxies: Proxies | None = None,
    address: str | None = None,
) -> bytes:
    request = WireRequest(method, url, headers or {}, body, address=address)
    return heads(proxies).head_of(request).before(body)


def test_a_request_is_its_line_its_headers_and_its_body() -> None:
    assert written({"Authorization": "Bearer k"}) == (
        b"POST /v1 HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\naccept-encoding: identity\r\n"
        b"connection: keep-alive\r\nuser-agent: tests\r\nauthorization: Bearer k\r\n"
        b"content-length: 2\r\n\r\n{}"
    )


def test_headers_that_are_given_stand_in_place_of_the_usual_ones() -> None:
    sent = written(
        {"Accept": "text/event-stream", "HOST": "b.test", "User-Agent": "mine", "content-length": "2"}
    )
    assert sent.count(b"\r\n") == 8
    for line in (b"accept: text/event-stream", b"host: b.test", b"user-agent: mine", b"content-length: 2"):
        assert sent.count(line) == 1


@pytest.mark.parametrize(("method", "told"), [("GET", False), ("HEAD", False), ("POST", True), ("PUT", True)])
def test_the_length_of_no_body_is_told_where_a_body_is_usual(method: str, told: bool) -> None:
    assert (b"content-length: 0" in written(method=method, body=b"")) == told
    assert b"content-length: 1" in written(method=method, body=b"x")


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\ny: b"},
        {"x": "a\nb"},
        {"x": "a\0"},
        {"x": " a"},
        {"x": "a\t"},
        {"x": "\u20ac"},
        {"x\r\ny": "a"},
        {"x y": "a"},
        {"": "a"},
        {"x:": "a"},
        {"\xe4": "a"},
        {"content-length": "3"},
        {"transfer-encoding": "chunked"},
    ],
)
def test_a_header_that_could_be_read_as_something_else_is_not_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="a header of the request cannot be sent"):
        written(headers)


def test_a_method_is_a_word() -> None:
    with pytest.raises(ConfigError):
        written(method="GET / HTTP/1.1\r\nx:")


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_headers_no_line_is_added(name: str, value: str) -> None:
    usual = written({"x-one": "a"}).count(b"\n")
    try:
        sent = written({f"x-{name}": value})
    except ConfigError:
        return
    assert sent.count(b"\n") == sent.count(b"\r") == usual


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("http://a.test", b"a.test", b"/"),
        ("http://a.test:80/b", b"a.test", b"/b"),
        ("http://a.test:8080/b?c=d&e=%20", b"a.test:8080", b"/b?c=d&e=%20"),
        ("https://a.test:443/b#fragment", b"a.test", b"/b"),
        ("https://a.test:80/b", b"a.test:80", b"/b"),
        ("http://[::1]:9/b", b"[::1]:9", b"/b"),
        ("http://[fe80::1%25eth0]/b", b"[fe80::1]", b"/b"),
        ("http://A.Test/B c\u00e4", b"a.test", b"/B%20c%C3%A4"),
        ("http://b\u00fccher.test/", b"xn--bcher-kva.test", b"/"),
        ("http://my_service:1/x:generate", b"my_service:1", b"/x:generate"),
    ],
)
def test_a_url_says_whom_to_ask_for_what(url: str, host: bytes, target: bytes) -> None:
    sent = written(url=url)
    assert sent.startswith(b"POST " + target + b" HTTP/1.1\r\nhost: " + host + b"\r\n")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test/v1",
        "ftp://a.test",
        "http://",
        "http://[::1",
        "http://a.test:x/",
        "http://a.test:99999/",
        "http://a b.test/",
        "http://a.test/\r\nx: y",
        "http://a.test/\tb",
        "http://" + "\u00fc" * 70 + ".test/",
        "http://a.test/" + "a" * 70_000,
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        written(url=url)


def test_a_user_in_the_url_is_told_in_a_header_and_nowhere_else() -> None:
    sent = written(url="http://me:p%40ss@a.test/v1")
    assert b"authorization: Basic bWU6cEBzcw==\r\n" in sent
    assert b"me" not in sent.replace(b"Basic bWU6cEBzcw==", b"")
    assert "bWU6" not in repr(place_of("http://me:p%40ss@a.test/v1", Proxies()))


def test_a_proxy_is_asked_for_the_whole_url_and_told_its_own_secret() -> None:
    sent = written(url="http://a.test:81/v1", proxies=HTTP_PROXY)
    assert sent.startswith(b"POST http://a.test:81/v1 HTTP/1.1\r\nhost: a.test:81\r\n")
    assert b"proxy-authorization: Basic eDp5\r\n" in sent
    assert b"proxy-authorization" not in written(url="https://a.test/v1", proxies=HTTP_PROXY)


def test_an_address_is_asked_under_its_hosts_name_whatever_the_proxy() -> None:
    sent = written({"host": "b.test"}, method="GET", body=b"", proxies=HTTP_PROXY, address="127.0.0.1")
    assert sent.startswith(b"GET /v1 HTTP/1.1\r\nhost: a.test\r\n")
    assert b"connection: close\r\n" in sent
    assert b"proxy" not in sent


def test_a_head_is_made_once_for_the_same_headers() -> None:
    kept, headers = heads(), {"authorization": "Bearer one", "x": "y"}
    first = kept.head_of(WireRequest("POST", "http://a.test/v1", headers, b"a"))

    assert kept.head_of(WireRequest("POST", "http://a.test/v1", dict(headers), b"b")) is first
    headers["authorization"] = "Bearer two"
    changed = kept.head_of(WireRequest("POST", "http://a.test/v1", headers, b"a"))
    assert b"Bearer two" in changed.before(b"")
    assert changed.pool is first.pool
    renamed = {"authorization": "Bearer one", "z": "y"}
    other = kept.head_of(WireRequest("POST", "http://a.test/v1", renamed, b"a"))
    assert b"z: y" in other.before(b"")


def test_what_is_kept_is_bounded() -> None:
    kept = heads()
    for number in range(3 * MOST_HEADS):
        kept.head_of(WireRequest("POST", f"http://a{number}.test/v1", {}, b""))
    assert len(kept._heads) <= MOST_HEADS
    assert len(kept._pools) <= MOST_HEADS + 1
