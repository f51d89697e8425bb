"""Which proxy the environment wants a request to go through: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.

Where the operating system keeps such settings of its own (macOS, Windows), they hold too. The entries of
NO_PROXY are names, which cover what is below them (`.example.com` covers only that), addresses, networks
(`10.0.0.0/8`), any of them with a port, origins (`http://example.com`), or `*` for everything.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from turnout.config.errors import ConfigError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; what it is told about us never shows in its repr."""

    scheme: str
    """`http`, `https`, or a kind of SOCKS."""
    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of proxy-authorization."""

    @property
    def speaks_http(self) -> bool:
        """Whether it can be asked in HTTP."""
        return self.scheme in _PORTS


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of an environment. ConfigError where one of them is no URL."""

    by_scheme: dict[str, Proxy] = field(default_factory=dict)
    """By the scheme of what is asked, or `all`."""
    spared: tuple[str, ...] = ()
    """The entries of NO_PROXY."""

    @classmethod
    def from_environment(cls) -> Self:
        """What holds now."""
        from urllib.request import getproxies  # takes its time, so not before it is needed

        found = getproxies()
        spared = tuple(entry.strip().lower() for entry in found.get("no", "").split(",") if entry.strip())
        if "*" in spared:
            return cls()
        chosen = {scheme: found[scheme] for scheme in ("http", "https", "all") if found.get(scheme)}
        return cls({scheme: _proxy(url) for scheme, url in chosen.items()}, spared)

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy for an origin; None: it is asked directly."""
        proxy = self.by_scheme.get(scheme) or self.by_scheme.get("all")
        if proxy is None or any(_covers(entry, scheme, host, port) for entry in self.spared):
            return None
        return proxy


def basic(user: str, password: str) -> str:
    """The value of a header that tells a name and a password, which are written as in a URL."""
    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _proxy(url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _PORTS.get(parts.scheme, 1080)
        host = (parts.hostname or "").encode("idna" if not url.isascii() else "ascii").decode()
    except ValueError:
        host = ""
    if not host or parts.scheme not in (*_PORTS, "socks4", "socks4a", "socks5", "socks5h"):
        raise ConfigError(
            "a proxy in the environment is no http, https or socks5 URL; correct HTTP_PROXY, HTTPS_PROXY or "
            "ALL_PROXY."
        )
    told = None if parts.username is None else basic(parts.username, parts.password or "")
    return Proxy(parts.scheme, host, port, told)


def _covers(entry: str, scheme: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY covers an origin."""
    if "://" in entry:
        wanted, _, entry = entry.partition("://")
        if wanted not in (scheme, "all"):
            return False
    network = _in_network(entry, host)
    if network is not None:
        return network
    try:
        parts: SplitResult = urlsplit(f"//{entry}")
        name, only = parts.hostname or "", parts.port
    except ValueError:
        return False
    if only is not None and only != port:
        return False
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _in_network(entry: str, host: str) -> bool | None:
    """Whether a host is in the network or is the address of an entry; None if the entry is neither."""
    try:
        network = ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None
    try:
        return ip_address(host) in network
    except ValueError:
        return False
