"""Signatures are those of botocore's own signer, and credentials never show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from pydantic import SecretStr

from turnout.config.errors import ConfigError
from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects.bedrock import BedrockDialect
from turnout.providers.signing import signed
from turnout.providers.targets import resolve

NOW = datetime(2026, 11, 21, tzinfo=UTC)
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "SECRETEXAMPLE"}
REGION = {"AWS_REGION": "us-east-1"}


def made(env: dict[str, str] | None = None, **settings: Any) -> Target:
    given = ProviderSettings.model_validate({"preset": "bedrock", **settings})
    return resolve("b", given, "us.amazon.nova-micro-v1:0", env={**KEYS, **REGION} if env is None else env)


def test_the_known_signature_of_a_request() -> None:
    wire = WireRequest(
        "POST",
        "https://bedrock-runtime.us-east-1.amazonaws.com"
        "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse",
        {"content-type": "application/json", "accept": "application/json"},
        b'{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}',
    )
    headers = signed(wire, made(), NOW).headers
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-east-1/bedrock/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=0653b0e334485a288d16a6f5182cfe71b13af61fd618955983469becadaeb58a"
    )
    assert headers["x-amz-date"] == "20261121T000000Z"
    assert headers["accept"] == "application/json"


def theirs(wire: WireRequest, target: Target, now: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    """The signature that botocore makes, whose signer looks at the clock itself."""
    keys = target.credentials
    assert keys is not None
    token = keys.session_token.get_secret_value() if keys.session_token else None
    credentials = TheirCredentials(keys.access_key_id, keys.secret_access_key.get_secret_value(), token)
    signs = {"content-type"} | {name for name in wire.headers if name.startswith("x-amz-")}
    headers = {name: value for name, value in wire.headers.items() if name in signs}
    request = AWSRequest(wire.method, wire.url, headers, wire.body)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: now.replace(tzinfo=None))
    auth.SigV4Auth(credentials, "bedrock", keys.region).add_auth(request)
    return str(request.headers["Authorization"])


def test_a_hundred_requests_are_signed_as_botocore_signs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(5)
    letters = "aZ09-._~:/ %+=&é日😀()'*!@$"

    def word(most: int = 12) -> str:
        return "".join(random.choice(letters) for _ in range(random.randint(1, most)))

    for _ in range(100):
        host = random.choice(["https://Bedrock-Runtime.us-east-1.amazonaws.com", "http://127.0.0.1:8899",
                              "https://h.example:443", "http://h.example:80", "http://[::1]:9"])  # fmt: skip
        path = random.choice(["/model/{}/converse", "/a//b/./{}/../c/", "", "/{}"])
        query = random.choice(["", "?b=2&a=1&a=0", "?x={}&empty=", "?flag"])
        url = f"{host}{path.format(quote(word(), safe=''))}{query.format(quote(word(), safe=''))}"
        headers = {"accept": "application/json", "user-agent": "x"}
        if random.random() < 0.8:
            headers["content-type"] = random.choice(["application/json", " text/plain;  charset=x "])
        if random.random() < 0.3:
            headers["x-amz-meta"] = "a  b"
        token = {"AWS_SESSION_TOKEN": "T0ken/+="} if random.random() < 0.5 else {}
        env = {**KEYS, **token, "AWS_REGION": random.choice(["us-east-1", "eu-central-1"])}
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=random.randint(0, 10**8))
        wire = WireRequest(
            random.choice(["POST", "GET"]), url, headers, random.randbytes(random.randint(0, 40))
        )
        target = made(env)
        assert signed(wire, target, now).headers["authorization"] == theirs(wire, target, now, monkeypatch), (
            url
        )


def test_a_request_of_the_dialect_is_signed_over_its_very_body(monkeypatch: pytest.MonkeyPatch) -> None:
    target = made()
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "Zoë"}]})
    wire = BedrockDialect().encode(request, target)
    assert "authorization" not in wire.headers
    finished = signed(wire, target, NOW.astimezone(timezone(timedelta(hours=5))))
    assert finished.headers["authorization"] == theirs(wire, target, NOW, monkeypatch)
    assert finished.body is wire.body


def test_a_session_token_goes_along_and_is_signed() -> None:
    target = made({**KEYS, **REGION, "AWS_SESSION_TOKEN": "TOKEN"})
    headers = signed(WireRequest("GET", "https://h.example/", {}, b""), target, NOW).headers
    assert headers["x-amz-security-token"] == "TOKEN"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in headers["authorization"]


def test_without_credentials_and_with_an_authorization_of_ones_own_nothing_is_signed() -> None:
    wire = WireRequest("GET", "https://h.example/", {"authorization": "Bearer own"}, b"")
    assert signed(wire, made(), NOW) is wire
    bare = WireRequest("GET", "https://h.example/", {}, b"")
    assert signed(bare, replace(made(), credentials=None), NOW) is bare


# ------------------------------------------------------------------- where credentials come from


def test_access_keys_of_the_environment() -> None:
    target = made({**KEYS, "AWS_DEFAULT_REGION": "eu-west-1"})
    assert target.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert target.preset.auth == "sigv4"
    assert target.api_key is None
    assert target.credentials is not None
    assert (target.credentials.region, target.credentials.access_key_id) == ("eu-west-1", "AKIDEXAMPLE")
    assert target.credentials.session_token is None


def test_the_first_variable_of_a_region_counts_and_an_option_goes_before() -> None:
    env = {**KEYS, "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert "us-west-2" in made(env).base_url
    assert "ap-south-1" in made(env, options={"region": "ap-south-1"}).base_url


def test_a_bearer_token_is_preferred_to_keys() -> None:
    target = made({**KEYS, **REGION, "AWS_BEARER_TOKEN_BEDROCK": "bedrock-api-key-x"})
    assert (target.preset.auth, target.api_key) == ("bearer", SecretStr("bedrock-api-key-x"))
    assert target.credentials is None
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    assert BedrockDialect().encode(request, target).headers["authorization"] == "Bearer bedrock-api-key-x"


def test_an_api_key_of_the_settings_is_a_bearer_key_or_access_keys() -> None:
    assert made(REGION, api_key="ABSKkey").preset.auth == "bearer"
    target = made(REGION, api_key="AKIDOTHER:se/c+ret=")
    assert target.api_key is None
    assert target.credentials is not None
    assert target.credentials.access_key_id == "AKIDOTHER"
    assert target.credentials.secret_access_key == SecretStr("se/c+ret=")
    short = made({**KEYS, **REGION, "AWS_SESSION_TOKEN": "other"}, api_key="ASIAX:secret:token").credentials
    assert short is not None
    assert short.session_token == SecretStr("token")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (
            REGION,
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK, or give api_key",
        ),
        ({**REGION, "AWS_ACCESS_KEY_ID": "A"}, "set AWS_SECRET_ACCESS_KEY, or"),
        ({**REGION, "AWS_SECRET_ACCESS_KEY": "S"}, "set AWS_ACCESS_KEY_ID, or"),
        (KEYS, "option 'region' is missing; give it under options or set AWS_REGION or AWS_DEFAULT_REGION"),
        ({**KEYS, **REGION, "AWS_SECRET_ACCESS_KEY": "a\nb"}, "AWS_SECRET_ACCESS_KEY: the key holds a space"),
        ({**REGION, "AWS_BEARER_TOKEN_BEDROCK": "a b"}, "AWS_BEARER_TOKEN_BEDROCK: the key holds a space"),
    ],
)
def test_what_is_missing_or_broken_is_named(env: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        made(env)


def test_the_region_of_a_signature_may_stand_in_the_host() -> None:
    url = "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    credentials = made(KEYS, base_url=url).credentials
    assert credentials is not None
    assert credentials.region == "cn-north-1"
    with pytest.raises(ConfigError, match="option 'region' is missing"):
        made(KEYS, base_url="http://127.0.0.1:1")


def test_headers_of_ones_own_may_carry_the_proof() -> None:
    assert made(REGION, headers={"Authorization": "Bearer own"}).credentials is None
    assert made(REGION, quirks={"key_required": False}).credentials is None


def test_no_secret_shows() -> None:
    target = made({**KEYS, **REGION, "AWS_SESSION_TOKEN": "TOKENEXAMPLE"})
    wire = signed(WireRequest("GET", "https://h.example/", {}, b""), target, NOW)
    for text in (repr(target), str(target), repr(target.credentials), repr(wire)):
        assert "SECRETEXAMPLE" not in text
        assert "TOKENEXAMPLE" not in text
    body = b'{"message":"the canonical string was x-amz-security-token:TOKENEXAMPLE"}'
    error = BedrockDialect().error(403, {"x-amzn-errortype": "InvalidSignatureException"}, body, target)
    assert error.kind == "authentication"
    assert "TOKENEXAMPLE" not in str(error)
    assert "[redacted]" in str(error)
