"""Amazon's signature of a request, version 4.

The way of botocore 1.44's `SigV4Auth` for services other than S3, read 2026-11-21: the path, which travels
percent-encoded already, is encoded once more for the signature; the hash of the body is part of it; signed
are `content-type`, `host` and all `x-amz-` headers. A signature holds for some minutes around the time in it,
so a request is signed when it is sent, and again for every try.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import SplitResult, quote, urlsplit

from .dialect import Credentials, Target, WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


def signed(wire: WireRequest, target: Target, now: datetime) -> WireRequest:
    """The request with its signature among the headers; `now` is the time of sending.

    A target without credentials, and a request whose `authorization` the user has set, stay as they are.
    """
    credentials = target.credentials
    if credentials is None or "authorization" in wire.headers:
        return wire
    time = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {**wire.headers, "x-amz-date": time}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token.get_secret_value()
    scope = f"{time[:8]}/{credentials.region}/{target.preset.service}/aws4_request"
    parts = urlsplit(wire.url)
    covered = _covered(headers, parts)
    names = ";".join(covered)
    to_sign = "\n".join((ALGORITHM, time, scope, _hash(_canonical(wire, parts, covered, names).encode())))
    signature = hmac.new(_key(credentials, scope), to_sign.encode(), sha256).hexdigest()
    headers["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return replace(wire, headers=headers)


def _covered(headers: Mapping[str, str], parts: SplitResult) -> dict[str, str]:
    """The headers that the signature covers, by name in order; of the others a proxy may change some."""
    chosen = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    if "content-type" in headers:
        chosen["content-type"] = headers["content-type"]
    chosen["host"] = _host(parts)
    return {name: " ".join(chosen[name].split()) for name in sorted(chosen)}


def _host(parts: SplitResult) -> str:
    """The host header as the HTTP client writes it: lower case, and without the scheme's own port."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _canonical(wire: WireRequest, parts: SplitResult, covered: Mapping[str, str], names: str) -> str:
    """The request in the one spelling that both sides hash."""
    lines = [f"{name}:{value}" for name, value in covered.items()]
    path = quote(_plain_path(parts.path), safe="/~")
    return "\n".join((wire.method, path, _query(parts.query), *lines, "", names, _hash(wire.body)))


def _plain_path(path: str) -> str:
    """The path without empty and dot segments."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return f"/{'/'.join(kept)}{'/' if kept and path.endswith('/') else ''}"


def _query(query: str) -> str:
    """The parameters, encoded as they travel, in order."""
    if not query:
        return ""
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _key(credentials: Credentials, scope: str) -> bytes:
    """The key for one day, region and service."""
    key = f"AWS4{credentials.secret_access_key.get_secret_value()}".encode()
    for word in scope.split("/"):
        key = hmac.new(key, word.encode(), sha256).digest()
    return key


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()
