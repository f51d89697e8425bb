"""What may stand in a provider's URL, key and headers, so that no request is broken before it is sent.

No message here repeats a value: any of them may hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, WithJsonSchema

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A field name of RFC 9110, section 5.1."""
_VISIBLE = re.compile(r"[\t\x20-\x7e]*")
_KEY = re.compile(r"[\x21-\x7e]*")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
"""Headers that frame the message; the HTTP client alone may write them."""


def check_base_url(url: str) -> str:
    """`url` if it is a bare http(s) address, optionally with {options} in braces; ValueError otherwise."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not a URL; write it like https://api.example.com/v1") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            "a base_url begins with http:// or https:// and a host, like https://api.example.com/v1"
        )
    if re.search(r"\s", url):
        raise ValueError("a base_url holds no spaces")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a base_url holds no user or password; put the secret in api_key or headers")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ValueError("a base_url ends with its path; put query parameters under query")
    return url


def check_header_name(name: str) -> str:
    """`name` if HTTP allows it and it is not one that frames the message; ValueError otherwise."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header's name; use letters, digits and hyphens")
    if name.lower() in _OURS:
        raise ValueError(f"the header {name!r} belongs to the HTTP client; leave it out")
    return name


def check_header_value(value: SecretStr) -> SecretStr:
    """`value` if it can be sent: visible ASCII, spaces and tabs; ValueError otherwise."""
    if not _VISIBLE.fullmatch(value.get_secret_value()):
        raise ValueError("a header's value is one line of ASCII; a line break or another character is in it")
    return value


def check_api_key(value: SecretStr) -> SecretStr:
    """The key without the space around it; ValueError where there is space or no ASCII inside."""
    key = value.get_secret_value().strip()
    if not _KEY.fullmatch(key):
        raise ValueError(
            "the key holds a space, a line break or a character outside ASCII; copy it once more"
        )
    return SecretStr(key)


def check_function_name(name: str) -> str:
    """`name` if it is a module and a function in it, like `package.module:function`; ValueError otherwise."""
    module, colon, function = name.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
        raise ValueError("name a function as package.module:function")
    return name


def check_headers(headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    """`headers` if no two of them differ by letter case only; ValueError otherwise."""
    seen: dict[str, str] = {}
    for name in headers:
        if name.lower() in seen:
            raise ValueError(f"{seen[name.lower()]!r} and {name!r} are the same header; leave one out")
        seen[name.lower()] = name
    return headers


BaseUrl = Annotated[
    str, AfterValidator(check_base_url), WithJsonSchema({"type": "string", "pattern": r"^https?://[^\s?#]+$"})
]
"""An http or https address without query, fragment, user or password."""
ApiKey = Annotated[SecretStr, AfterValidator(check_api_key)]
"""A key of visible ASCII; space around it is dropped."""
FunctionName = Annotated[
    str,
    AfterValidator(check_function_name),
    WithJsonSchema({"type": "string", "pattern": r"^[\w.]+:[\w.]+$"}),
]
"""A function of an importable module, as `package.module:function`."""
Headers = Annotated[
    Mapping[
        Annotated[str, AfterValidator(check_header_name)],
        Annotated[SecretStr, AfterValidator(check_header_value)],
    ],
    AfterValidator(check_headers),
]
"""Header names to values that HTTP can carry."""
