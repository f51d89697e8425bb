"""What a user wrote, a row and the environment become one target, or an error that says what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from turnout.config.errors import ConfigError
from turnout.config.policies import Timeouts
from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target
from turnout.providers.dialects import dialect
from turnout.providers.dialects.openai import OpenAIDialect
from turnout.providers.targets import preset_of, resolve


def made(name: str, model: str = "m", env: dict[str, str] | None = None, **settings: Any) -> Target:
    return resolve(name, ProviderSettings.model_validate(settings), model, env=env or {})


def test_a_name_is_enough_where_the_environment_has_the_key() -> None:
    target = made("openai", "gpt-5", {"OPENAI_API_KEY": "sk-1\n"})
    assert str(target) == "openai/gpt-5"
    assert target.base_url == "https://api.openai.com/v1"
    assert target.api_key == SecretStr("sk-1")
    assert target.timeouts == Timeouts()


def test_a_preset_under_another_name() -> None:
    target = made("fast", preset="kimi", api_key="k")
    assert (target.provider, target.preset.name) == ("fast", "moonshot")


def test_the_first_variable_that_is_set_counts_and_the_settings_go_before() -> None:
    env = {"DASHSCOPE_API_KEY": " ", "QWENCLOUD_API_KEY": "two", "ALIBABA_API_KEY": "three"}
    assert made("qwen", env=env).api_key == SecretStr("two")
    assert made("qwen", env=env, api_key="own").api_key == SecretStr("own")


def test_a_missing_key_names_its_variables() -> None:
    with pytest.raises(
        ConfigError, match="provider qwen: no API key; set DASHSCOPE_API_KEY or QWENCLOUD_API_KEY"
    ):
        made("qwen")


def test_a_row_without_a_variable_of_its_own_asks_for_api_key() -> None:
    with pytest.raises(ConfigError, match="no API key; give api_key"):
        made("h", dialect="openai", base_url="https://h.example", quirks={"key_required": True})


def test_local_servers_need_no_key_and_a_header_may_stand_for_one() -> None:
    assert made("llama-cpp").api_key is None
    assert made("openai", headers={"Authorization": "Bearer x"}).api_key is None
    assert made("openai", quirks={"auth": "none"}, api_key="unused").api_key is None


@pytest.mark.parametrize("key", ["sk-\u2013", "sk-\x07z", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="provider openai: OPENAI_API_KEY: the key holds a space") as error:
        made("openai", env={"OPENAI_API_KEY": key})
    assert key not in str(error.value)


def test_a_house_server_needs_a_dialect_and_an_address() -> None:
    target = made("house", dialect="openai", base_url="https://llm.example/v1/", query={"v": "2"})
    assert target.preset.name == "openai-compatible"
    wire = OpenAIDialect().encode(
        ChatCompletion.parse({"model": "x", "messages": [{"role": "user", "content": "Hi"}]}), target
    )
    assert wire.url == "https://llm.example/v1/chat/completions?v=2"
    with pytest.raises(ConfigError, match="base_url is missing"):
        made("house", dialect="openai")


@pytest.mark.parametrize("endpoint", ["r.openai.azure.com", "ftp://r.example", "https://r.example/?a=b"])
def test_an_address_from_the_environment_must_be_one(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="provider azure: base_url: a base_url"):
        made("azure", env={"AZURE_OPENAI_ENDPOINT": endpoint, "AZURE_OPENAI_API_KEY": "k"})


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'opnai'; did you mean 'openai'\?"):
        made("opnai")
    with pytest.raises(ConfigError, match="there is no preset 'zzz'"):
        made("x", preset="zzz")


def test_an_unknown_dialect_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no dialect 'opnai'; did you mean 'openai'\?"):
        dialect("opnai")


def test_azure_names_the_deployment_in_the_url() -> None:
    env = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/", "AZURE_OPENAI_API_KEY": "k"}
    old = made("azure-deployment", "my model", env)
    assert old.base_url == "https://r.openai.azure.com/openai/deployments/my%20model"
    assert old.query == {"api-version": "2024-10-21"}
    newer = made("azure-deployment", "m", {**env, "OPENAI_API_VERSION": "2025-01-01"})
    assert newer.query == {"api-version": "2025-01-01"}
    assert made("azure", "m", env).base_url == "https://r.openai.azure.com/openai/v1"


def test_azure_without_an_endpoint_says_where_it_may_stand() -> None:
    with pytest.raises(
        ConfigError, match="option 'endpoint' is missing; give it under options or set AZURE_OPENAI_EN"
    ):
        made("azure", api_key="k")


def test_an_entra_token_goes_as_bearer_and_before_the_key() -> None:
    env = {
        "AZURE_OPENAI_ENDPOINT": "https://r.example",
        "AZURE_OPENAI_API_KEY": "k",
        "AZURE_OPENAI_AD_TOKEN": "t",
    }
    assert (made("azure", env=env).preset.auth, made("azure", env=env).api_key) == ("bearer", SecretStr("t"))
    assert made("azure", env=env, api_key="k").preset.auth == "api-key"


def test_a_misspelt_option_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"has no option 'endpoit'; did you mean 'endpoint'\?"):
        made("azure", api_key="k", options={"endpoit": "https://r.example"})


def test_an_option_in_an_address_of_ones_own() -> None:
    with pytest.raises(ConfigError, match=r"option 'region' is missing; give it under options$"):
        made("h", dialect="openai", base_url="https://{region}.example")
    target = made("h", dialect="openai", base_url="https://{region}.example", options={"region": "eu"})
    assert target.base_url == "https://eu.example"


def test_quirks_change_the_row_for_one_provider() -> None:
    settings = ProviderSettings(
        dialect="openai", quirks={"unsupported": ["seed"], "max_tokens_field": "max_tokens"}
    )
    assert preset_of("h", settings).unsupported == ("seed",)


def test_a_word_of_thinking_changes_the_rows_control_and_a_style_replaces_it() -> None:
    word = preset_of("vllm", ProviderSettings(quirks={"thinking": {"budget": "budget_tokens"}})).thinking
    assert (word.style, word.budget) == ("template", "budget_tokens")
    style = preset_of("vllm", ProviderSettings(quirks={"thinking": {"style": "enable_thinking"}}))
    assert (style.thinking.style, style.thinking.efforts, style.thinking_rules) == ("enable_thinking", (), ())


@pytest.mark.parametrize(
    ("quirks", "message"),
    [
        ({"unsuported": []}, r"quirks.unsuported: .*; did you mean 'unsupported'\?"),
        ({"auth": "basic"}, "quirks.auth: Input should be"),
    ],
)
def test_a_misspelt_quirk_is_refused(quirks: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made("openai", api_key="k", quirks=quirks)


def test_each_of_several_keys_makes_a_target_once() -> None:
    target = made("openai", api_keys=["sk-1", {"key": "sk-rests", "weight": 0}, "sk-2"])
    keyed = target.with_each_key()
    assert [one.api_key for one in keyed] == [SecretStr("sk-1"), SecretStr("sk-2")]
    assert target.api_key == SecretStr("sk-1")
    assert target.secrets == (SecretStr("sk-1"), SecretStr("sk-1"), SecretStr("sk-2"))
    assert target.with_each_key() is keyed
    assert [one.keys for one in keyed] == [(), ()]
    assert "sk-" not in repr(target) + repr(keyed)


def test_a_single_key_of_a_list_is_the_target_s_own() -> None:
    target = made("openai", env={"OPENAI_API_KEY": "sk-env"}, api_keys=["", "sk-1"])
    assert (target.api_key, target.keys, target.with_each_key()) == (SecretStr("sk-1"), (), ())
    assert made("openai", env={"OPENAI_API_KEY": "sk-env"}, api_keys=[""]).api_key == SecretStr("sk-env")


def test_keys_of_one_provider_may_prove_themselves_in_different_ways() -> None:
    target = made("bedrock", api_keys=["AKID:secret", "a-bearer-token"], options={"region": "eu-central-1"})
    signing, bearing = target.with_each_key()
    assert signing.credentials is not None
    assert (signing.preset.auth, signing.api_key) == ("sigv4", None)
    assert (bearing.preset.auth, bearing.api_key, bearing.credentials) == (
        "bearer", SecretStr("a-bearer-token"), None,
    )  # fmt: skip


def test_keys_and_a_function_for_tokens_exclude_each_other() -> None:
    settings = ProviderSettings.model_validate({"api_keys": ["sk-1", "sk-2"]})
    with pytest.raises(ConfigError, match="api_keys and a function that gives tokens exclude"):
        resolve("openai", settings, "m", env={}, has_tokens=True)
