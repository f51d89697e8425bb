"""What proves to Amazon who we are: a Bedrock API key, or access keys that sign each request.

An API key (`api_key`, or AWS_BEARER_TOKEN_BEDROCK) goes as a bearer token. Access keys come from the
environment variables that Amazon's own tools read, or as `api_key: "ID:SECRET"` or `"ID:SECRET:TOKEN"`, which
settings keep out of every message and repr as they do any key; a plain option would not. No file is read: who
keeps profiles in `~/.aws` exports them, for which `aws configure export-credentials` has a form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import SecretStr

from turnout.config.connections import check_api_key
from turnout.config.errors import ConfigError
from turnout.config.settings import ProviderSettings

from .catalogue import Preset
from .dialect import Credentials

KEY_ID, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
"""The variables of Amazon's own tools."""
_TRIPLE = re.compile(r"(?P<id>\w+):(?P<secret>[^:]+)(?::(?P<token>[^:]+))?", re.ASCII)
_HOST_REGION = re.compile(r"//bedrock(?:-runtime)?(?:-fips)?\.(?P<region>[a-z0-9-]+)\.")


def bearer_token(
    name: str, preset: Preset, settings: ProviderSettings, env: Mapping[str, str]
) -> SecretStr | None:
    """The API key that goes as a bearer token; None where requests are to be signed. ConfigError."""
    if settings.api_key is not None:
        return None if _TRIPLE.fullmatch(settings.api_key.get_secret_value()) else settings.api_key
    for variable in preset.token_env:
        if env.get(variable, "").strip():
            return _checked(env[variable], f"provider {name}: {variable}")
    return None


def access_keys(
    name: str,
    preset: Preset,
    settings: ProviderSettings,
    env: Mapping[str, str],
    options: Mapping[str, str],
) -> Credentials | None:
    """The keys that sign requests; ConfigError says what is missing.

    None where the user's own headers carry the proof, or the row needs none.
    """
    identity, secret, token = _given(name, settings, env)
    if identity is None or secret is None:
        if "authorization" in {header.lower() for header in settings.headers} or not preset.key_required:
            return None
        missing = SECRET if identity else KEY_ID if secret else f"{KEY_ID} and {SECRET}"
        tokens = "".join(f", or {variable}" for variable in preset.token_env)
        raise ConfigError(
            f"provider {name}: no credentials; set {missing}{tokens}, or give api_key: a Bedrock API key, or "
            "access keys in the form ID:SECRET or ID:SECRET:TOKEN"
        )
    return Credentials(_region(name, preset, settings, options), identity, secret, token)


def _given(
    name: str, settings: ProviderSettings, env: Mapping[str, str]
) -> tuple[str | None, SecretStr | None, SecretStr | None]:
    """Key id, secret and session token of the settings, else of the environment; never half of each."""
    if settings.api_key is not None:
        match = _TRIPLE.fullmatch(settings.api_key.get_secret_value())
        found = match.groups() if match else (None, None, None)
    else:
        names = (KEY_ID, SECRET, SESSION)
        said = [env.get(variable, "").strip() or None for variable in names]
        for variable, value in zip(names, said, strict=True):
            _checked(value or "", f"provider {name}: {variable}")
        found = (said[0], said[1], said[2])
    identity, secret, token = found
    return identity, SecretStr(secret) if secret else None, SecretStr(token) if token else None


def _region(name: str, preset: Preset, settings: ProviderSettings, options: Mapping[str, str]) -> str:
    """The region that the signature is for: the option, else what a host of Amazon's says."""
    if options.get("region"):
        return options["region"]
    match = _HOST_REGION.search(settings.base_url or "")
    if match:
        return match["region"]
    variables = " or ".join(preset.options_env.get("region", "").split())
    also = f" or set {variables}" if variables else ""
    raise ConfigError(f"provider {name}: option 'region' is missing; give it under options{also}")


def _checked(secret: str, where: str) -> SecretStr:
    try:
        return check_api_key(SecretStr(secret))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
