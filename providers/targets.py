"""Settings become targets: the catalogue row, the user's overrides, the URL and the key, in one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from pydantic import SecretStr, ValidationError

from turnout.config.connections import check_api_key, check_base_url
from turnout.config.errors import ConfigError
from turnout.config.policies import Timeouts
from turnout.config.settings import ProviderSettings
from turnout.config.suggestions import did_you_mean

from .catalogue import Preset, catalogue
from .dialect import Proof, Target

GENERIC = {
    "openai": "openai-compatible",
    "responses": "openai-responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "bedrock": "bedrock",
    "cohere": "cohere",
    "ollama": "ollama-native",
}
"""Dialect -> the row for a server that is known only by its dialect and base_url."""

_BRACES = re.compile(r"\{(\w+)\}")


def resolve(
    name: str,
    settings: ProviderSettings,
    model: str,
    *,
    env: Mapping[str, str],
    has_tokens: bool = False,
) -> Target:
    """The target for one model of a configured provider.

    `env` holds the environment variables that may carry keys and options, `has_tokens` tells that the key is
    a token which comes with each call. ConfigError names what is missing and where it may be given.
    """
    preset = preset_of(name, settings)
    options = _options(name, preset, settings, env)
    if has_tokens and settings.api_keys:
        raise ConfigError(
            f"provider {name}: api_keys and a function that gives tokens exclude each other; keep one of them"
        )

    def proof(said: ProviderSettings) -> Proof:
        if has_tokens or said.token_from is not None:
            return Proof(_bearing(preset), None)
        key, bearer = _key(name, preset, said, env)
        if bearer:
            return Proof(_bearing(preset), key)
        if preset.auth != "sigv4":
            return Proof(preset, key)
        from .access_keys import access_keys  # here, as below: few hosts have requests signed

        return Proof(preset, key, access_keys(name, preset, said, env, options))

    proofs = [proof(said) for said in _with_single_keys(settings)]
    return Target(
        provider=name,
        model=model,
        preset=proofs[0].preset,
        base_url=_base_url(name, preset, settings, {**options, "model": quote(model, safe="")}),
        api_key=proofs[0].api_key,
        keys=tuple(proofs) if len(proofs) > 1 else (),
        credentials=proofs[0].credentials,
        headers=dict(settings.headers),
        query={
            **{
                key: _fill(name, value, {**options, "model": model}, preset)
                for key, value in preset.query.items()
            },
            **settings.query,
        },
        timeouts=settings.timeouts or Timeouts.model_construct(),
        max_response_bytes=settings.max_response_bytes,
        fetch_media=settings.fetch_media,
        max_media_bytes=settings.max_media_bytes,
    )


def _with_single_keys(settings: ProviderSettings) -> list[ProviderSettings]:
    """The settings once for each key in use; as they are where they name no keys."""
    return [
        settings.model_copy(update={"api_key": node.key, "api_keys": ()})
        for node in settings.keys_in_use.values()
    ] or [settings]


def _bearing(preset: Preset) -> Preset:
    return preset.model_copy(update={"auth": "bearer"})


def preset_of(name: str, settings: ProviderSettings) -> Preset:
    """The row that a provider starts from, with its quirks and models applied; ConfigError."""
    row = _row_of(name, settings)
    if not settings.models:
        return row
    from .model_rows import with_models  # here: the catalogue knows most models

    return with_models(name, row, settings.models)


def _row_of(name: str, settings: ProviderSettings) -> Preset:
    """The row with its quirks applied; ConfigError where there is none."""
    known = catalogue()
    wanted = settings.preset or (
        GENERIC.get(settings.dialect, GENERIC["openai"]) if settings.dialect else name
    )
    if wanted not in known:
        raise ConfigError(
            f"provider {name}: there is no preset {wanted!r}{did_you_mean(wanted, known)}; "
            f"name one with preset, or give dialect: openai and a base_url"
        )
    row = known[wanted]
    changes = dict(settings.quirks)
    if settings.dialect and settings.dialect != row.dialect:
        row = known[row.twins.get(settings.dialect, GENERIC.get(settings.dialect, wanted))]
        changes["dialect"] = settings.dialect
    if not changes:
        return row
    thinking = changes.get("thinking")
    if isinstance(thinking, Mapping):
        # a style of one's own replaces the row, its rules included; single words change the row's control
        changes["thinking"] = thinking if "style" in thinking else {**row.thinking.model_dump(), **thinking}
        changes.setdefault("thinking_rules", [])
    try:
        return Preset.model_validate({**row.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        hint = did_you_mean(path, Preset.model_fields) if first["type"] == "extra_forbidden" else ""
        raise ConfigError(f"provider {name}: quirks.{path}: {first['msg']}{hint}") from None


def _options(
    name: str, preset: Preset, settings: ProviderSettings, env: Mapping[str, str]
) -> Mapping[str, str]:
    """Words for the braces of a row: the user's, then the environment's, then the row's own."""
    from_env = {
        key: env[variable]
        for key, variables in preset.options_env.items()
        for variable in reversed(variables.split())  # the first one set wins
        if env.get(variable)
    }
    options = {**preset.options, **from_env, **settings.options}
    allowed = {*_braces(preset, settings), *preset.options, *preset.options_env}
    for option in settings.options:
        if option not in allowed:
            raise ConfigError(
                f"provider {name}: preset {preset.name} has no option {option!r}"
                f"{did_you_mean(option, allowed)}"
            )
    return options


def _braces(preset: Preset, settings: ProviderSettings) -> set[str]:
    return set(_BRACES.findall(" ".join((preset.base_url, settings.base_url or "", *preset.query.values()))))


def _base_url(name: str, preset: Preset, settings: ProviderSettings, options: Mapping[str, str]) -> str:
    template = settings.base_url or preset.base_url
    if not template:
        raise ConfigError(f"provider {name}: base_url is missing; preset {preset.name} has none of its own")
    filled = {key: value.rstrip("/") for key, value in options.items()}
    url = _fill(name, template, filled, preset).rstrip("/")
    try:
        return check_base_url(url)
    except ValueError as error:
        raise ConfigError(f"provider {name}: base_url: {error}") from None


def _fill(name: str, template: str, options: Mapping[str, str], preset: Preset) -> str:
    def word(match: re.Match[str]) -> str:
        option = match.group(1)
        if option in options:
            return options[option]
        variables = " or ".join(preset.options_env.get(option, "").split())
        also = f" or set {variables}" if variables else ""
        raise ConfigError(f"provider {name}: option {option!r} is missing; give it under options{also}")

    return _BRACES.sub(word, template)


def _key(
    name: str, preset: Preset, settings: ProviderSettings, env: Mapping[str, str]
) -> tuple[SecretStr | None, bool]:
    """The key, and whether it is a token that goes as Bearer whatever the row says."""
    if preset.auth == "none":
        return None, False
    if preset.auth == "sigv4":
        from .access_keys import bearer_token

        token = bearer_token(name, preset, settings, env)
        return token, token is not None
    if settings.api_key is not None:
        return settings.api_key, False
    for variable in (*preset.token_env, *preset.key_env):
        if env.get(variable, "").strip():
            return _checked(env[variable], f"provider {name}: {variable}"), variable in preset.token_env
    if preset.key_required and not _brings_own(settings):
        where = " or ".join((*preset.key_env, *preset.token_env))
        raise ConfigError(
            f"provider {name}: no API key; " + (f"set {where}, or " if where else "") + "give api_key"
        )
    return None, False


def _brings_own(settings: ProviderSettings) -> bool:
    """Whether the user's headers carry the credential themselves."""
    return any(
        header.lower() in {"authorization", "api-key", "x-api-key", "x-goog-api-key"}
        for header in settings.headers
    )


def _checked(secret: str, where: str) -> SecretStr:
    """A key from the environment, which nobody has looked at before."""
    try:
        return check_api_key(SecretStr(secret))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
