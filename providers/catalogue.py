"""OpenAI-compatible hosts and their quirks, as rows of data; a new host is a new row and no Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

ThinkingStyle = Literal[
    "none",  # no control on the wire
    "effort",  # reasoning_effort (OpenAI, Azure, Groq, xAI, Cerebras, Ollama /v1, LM Studio, Mistral ...)
    "enable_thinking",  # enable_thinking + thinking_budget at the top level (DashScope)
    "template",  # chat_template_kwargs.enable_thinking (llama.cpp, vLLM, SGLang, transformers, SambaNova, NIM)
    "type",  # thinking: {type: enabled|disabled} (DeepSeek, GLM, Kimi, MiniMax)
    "reasoning_object",  # reasoning: {effort|max_tokens|enabled} (OpenRouter, Together)
]
ReasoningField = Literal["reasoning_content", "reasoning", "reasoning_details", "thinking_parts", "none"]


class Strict(BaseModel):
    """A frozen part of a row; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Thinking(Strict):
    """How one host, or one family of its models, is told to think."""

    style: ThinkingStyle = "none"
    efforts: tuple[str, ...] = ()
    """Effort words the wire takes, weakest first; empty: no effort control."""
    aliases: Mapping[str, str] = {}
    """Canonical effort -> this wire's word, where the nearest by rank would be wrong."""
    off: bool = True
    """Whether thinking can be switched off."""
    on_word: str = "enabled"
    """What `thinking.type` or `reasoning_effort` is for plain on."""
    off_word: str = "disabled"
    budget: str | None = None
    """Dotted path of the field that bounds reasoning tokens; None: no such control."""
    default_on: bool | None = None
    """What the model does when nothing is said; None: unknown or model dependent."""
    stream_only: bool = False
    """Thinks only in streams: a whole answer is streamed upstream and folded."""
    send: Mapping[str, Any] = {}
    """Fields always sent along, such as reasoning_format: parsed."""


class ThinkingRule(Strict):
    """`thinking` for the models whose name matches one of `models` (fnmatch, lower case); the first match wins."""

    models: tuple[str, ...]
    thinking: Thinking


class ModelRule(Strict):
    """Field rules for the models whose name matches; they add to the row's own."""

    models: tuple[str, ...]
    rename: Mapping[str, str] = {}
    unsupported: tuple[str, ...] = ()


class Preset(Strict):
    """One row: where a host is, and how it departs from OpenAI's wire."""

    name: str
    title: str
    source: str
    """Where the row's facts were read, with the date."""
    dialect: str = "openai"
    base_url: str
    """May name options in braces, such as {resource}; option defaults stand in `options`."""
    path: str = "/chat/completions"
    models_path: str = "/models"
    options: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    key_env: tuple[str, ...] = ()
    """Environment variables that may hold the key, first one set wins; empty: no key needed."""
    key_required: bool = True
    auth: Literal["bearer", "api-key", "none"] = "bearer"
    local: bool = False
    """Runs on the user's own machine: prices are zero."""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    rename: Mapping[str, str] = {}
    """Request field -> this wire's name for it."""
    unsupported: tuple[str, ...] = ()
    """Request fields the wire cannot say; also `response_format.json_schema`, `tool_choice.required`, `messages.name` ..."""
    only: tuple[str, ...] | None = None
    """Fields the wire takes, where unknown ones are refused with an error; None: unknown fields pass."""
    system_role: Literal["any", "system"] = "system"
    """`system`: a developer message is sent as system."""
    stream_usage: Literal["option", "always"] = "option"
    """`option`: stream_options.include_usage must be asked for; `always`: it comes by itself and the option is not sent."""
    thinking: Thinking = Thinking()
    thinking_rules: tuple[ThinkingRule, ...] = ()
    model_rules: tuple[ModelRule, ...] = ()
    reasoning_out: ReasoningField = "reasoning_content"
    """Where reasoning comes back; decoding is tolerant and looks everywhere."""
    think_tags: bool = False
    """Whether reasoning may come as leading <think> tags inside content."""
    replay: Literal["never", "refuse", "tool_calls", "always"] = "never"
    """Earlier reasoning on assistant messages: `never` drops it silently-reported; `tool_calls` requires it there; `refuse`: the wire errors on it."""
    replay_field: ReasoningField = "reasoning_content"
    completion_excludes_reasoning: bool = False
    """xAI: completion_tokens leaves reasoning_tokens out."""
    cost_in_usage: bool = False
    """The host reports its own price in usage.cost."""
    errors: Mapping[str, str] = {}
    """Provider code or type (as text) -> kind, looked up before the general table."""
    error_texts: Mapping[str, str] = {}
    """Lower-case piece of a message -> kind, looked up before the general table."""
    statuses: Mapping[int, str] = {}
    request_id_headers: tuple[str, ...] = ()
    encode_hooks: tuple[str, ...] = ()
    """Named functions of `providers/dialects/hooks.py` for what no row can say."""
    decode_hooks: tuple[str, ...] = ()


@cache
def catalogue() -> Mapping[str, Preset]:
    """All rows by name, read once from catalogue.yaml."""
    rows = yaml.safe_load(files(__package__ or "turnout.providers").joinpath("catalogue.yaml").read_text("utf-8"))
    return {name: Preset(name=name, **row) for name, row in rows.items()}
