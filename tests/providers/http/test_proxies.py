"""Which requests go through which proxy, as the environment says."""

from __future__ import annotations

import os

import pytest

from turnout.config.errors import ConfigError
from turnout.providers.http.proxies import Proxies, Proxy

PROXY = Proxy("http", "proxy.test", 3128)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def test_each_scheme_has_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.test:3128")
    monkeypatch.setenv("https_proxy", "https://me:p%40ss@[::1]")
    found = Proxies.from_environment()

    assert found.proxy_for("http", "a.test", 80) == PROXY
    assert found.proxy_for("https", "a.test", 443) == Proxy("https", "::1", 443, "Basic bWU6cEBzcw==")
    assert "bWU6" not in repr(found)
    monkeypatch.delenv("https_proxy")
    assert Proxies.from_environment().proxy_for("https", "a.test", 443) is None
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    every = Proxies.from_environment()
    assert every.proxy_for("http", "a.test", 80) == PROXY
    socks = every.proxy_for("https", "a.test", 443)
    assert socks is not None
    assert not socks.speaks_http


@pytest.mark.parametrize(
    "url", ["http://", "ftp://proxy.test", "http://proxy.test:x", "http://" + "\u00fc" * 70]
)
def test_a_proxy_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    with pytest.raises(ConfigError, match="HTTP_PROXY"):
        Proxies.from_environment()


@pytest.mark.parametrize(
    ("spared", "covered", "not_covered"),
    [
        ("*", ["http://a.test", "https://10.0.0.1"], []),
        ("a.test, b.test", ["http://a.test", "http://x.a.test", "http://B.test"], ["http://xa.test"]),
        (".a.test", ["http://x.a.test"], ["http://a.test", "http://xa.test"]),
        ("*.a.test", ["http://x.a.test"], ["http://a.test"]),
        ("*a.test", ["http://x.a.test", "http://a.test"], []),
        ("localhost", ["http://localhost:8000"], ["http://127.0.0.1"]),
        ("127.0.0.1,[::1]", ["http://127.0.0.1", "http://[::1]:80"], ["http://127.0.0.2"]),
        (
            "10.0.0.0/8,fd00::/8",
            ["http://10.1.2.3", "http://[fd00::1]"],
            ["http://11.0.0.1", "http://a.test"],
        ),
        ("a.test:8080", ["http://a.test:8080"], ["http://a.test"]),
        ("https://a.test", ["https://a.test"], ["http://a.test"]),
        ("all://a.test", ["https://a.test", "http://a.test"], []),
        ("a.test:x,,", [], ["http://a.test"]),
    ],
)
def test_some_are_spared(
    monkeypatch: pytest.MonkeyPatch, spared: str, covered: list[str], not_covered: list[str]
) -> None:
    from turnout.providers.http.request import place_of

    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", spared)
    found = Proxies.from_environment()
    assert [url for url in covered if place_of(url, found).proxy is not None] == []
    assert [url for url in not_covered if place_of(url, found).proxy != PROXY] == []
