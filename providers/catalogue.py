"""OpenAI-compatible hosts and their quirks, as rows of data; a new host is a new row and no Python."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from turnout.config.seeds import Seed

ThinkingStyle = Literal[
    "none",  # no control on the wire
    "effort",  # reasoning_effort (OpenAI, Azure, Groq, xAI, Cerebras, Ollama /v1, LM Studio, Mistral ...)
    "enable_thinking",  # enable_thinking + thinking_budget at the top level (DashScope)
    "template",  # chat_template_kwargs.enable_thinking (llama.cpp, vLLM, SGLang, SambaNova, NIM ...)
    "type",  # thinking: {type: enabled|disabled} (DeepSeek, GLM, Kimi, MiniMax)
    "flag",  # true or false at `switch_field`, where an effort may stand in its place (Ollama's own wire)
    "reasoning_object",  # reasoning: {effort|max_tokens|enabled} (OpenRouter, Together)
    "budget",  # a number of tokens alone, where 0 is off (Gemini 2.5)
]
ReasoningField = Literal["reasoning_content", "reasoning", "reasoning_details", "thinking_parts", "none"]


def _flat(value: object) -> object:
    """Lists inside a list are joined into it, so that rows can share YAML anchors."""
    if not isinstance(value, (list, tuple)):
        return value
    flat: list[object] = []
    for item in value:
        inner = _flat(item)
        flat.extend(inner if isinstance(inner, tuple) else [inner])
    return tuple(flat)


Names = Annotated[tuple[str, ...], BeforeValidator(_flat)]


Auth = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "sigv4", "none"]


class Strict(BaseModel):
    """A frozen part of a row; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Thinking(Strict):
    """How one host, or one family of its models, is told to think."""

    style: ThinkingStyle = "none"
    efforts: Names = ()
    """Effort words the wire takes besides off, weakest first; empty: no effort control."""
    effort_field: str = "reasoning_effort"
    """Dotted path of the field that carries the effort."""
    aliases: Mapping[str, str] = {}
    """Canonical effort -> this wire's word, where the nearest by rank would be wrong."""
    off: bool = True
    """Whether thinking can be switched off."""
    on_word: str = "enabled"
    """What `thinking.type` or `reasoning_effort` is for plain on; empty: nothing needs to be said."""
    off_word: str = "disabled"
    template_keys: Names = ("enable_thinking",)
    """Keys of `chat_template_kwargs` that switch thinking, for style `template`."""
    switch_field: str = "thinking.type"
    """Dotted path of the word that switches, for style `type`; of the truth value, for style `flag`."""
    budget: str | None = None
    """Dotted path of the field that bounds reasoning tokens; None: no such control."""
    budgets: Mapping[str, int] = {}
    """Effort -> reasoning tokens, where this wire's steps are its own."""
    budget_on: int | None = None
    """The budget for plain on and for efforts without one, where the wire cannot think without a number."""
    budget_range: tuple[int, int] | None = None
    """The least and the most reasoning tokens the wire takes; others are clamped."""
    default_on: bool | None = None
    """What the model does when nothing is said; None: unknown or model dependent."""
    stream_only: bool = False
    """Thinks only in streams: a whole answer is streamed upstream and folded."""
    send: Mapping[str, Any] = {}
    """Fields always sent along, such as reasoning_format: parsed; the caller's own win."""
    excludes: Names = ()
    """Request fields the wire refuses while the model thinks; `tools` means function tools, and
    `tool_choice.forced` a choice that makes the model call one."""

    @property
    def never(self) -> bool:
        """Whether the model cannot think at all."""
        return self.style == "none" and self.default_on is False


class ThinkingRule(Strict):
    """`thinking` for the models whose name matches one of `models` (fnmatch, lower case)."""

    models: Names
    thinking: Thinking


class ModelRule(Strict):
    """Field rules for the models whose name matches; they add to the row's own."""

    models: Names
    rename: Mapping[str, str] = {}
    unsupported: Names = ()
    only: Names | None = None
    """Replaces the row's `only` for these models."""
    system_role: Literal["any", "system", "user"] | None = None
    """Replaces the row's `system_role` for these models."""
    dialect: str | None = None
    """These models are only served by the row's twin of this dialect."""
    flags: Names = ()
    """Words for the dialect's own code, such as what these models' generation can do."""


class Prefill(Strict):
    """How a host is told to go on with an answer whose beginning is the last message of the request."""

    way: Literal["plain", "prefix", "partial", "continue_final_message"] = "plain"
    """`plain`: it goes on with a last message of the assistant's as it is; else what says so: `prefix` or
    `partial` in that message or `continue_final_message` in the request."""
    path: str = ""
    """Where it takes such requests, if not at the row's `path`."""
    echoes: bool = False
    """Whether the answer may begin with the text that it was given."""
    tools: bool = True
    """Whether it also does so where the request has tools."""


class Capabilities(Strict):
    """What a model can take and do. None where nobody knows, and the request is then let through."""

    images: bool | None = None
    audio: bool | None = None
    """Whether it hears sound."""
    files: bool | None = None
    """Whether it reads documents such as PDF."""
    tools: bool | None = None
    forced_tools: bool | None = None
    """Whether a tool choice may make it call one."""
    json_schema: bool | None = None
    """Whether the wire holds its answer to a schema."""
    thinking_off: bool | None = None
    """Whether it can answer without thinking."""
    prefill: bool | None = None
    """Whether it goes on with an answer that the request begins, in the way that the row's `prefill` tells;
    unlike the others, what nobody knows counts as no."""
    context_window: int | None = None
    """Tokens of prompt and answer together, or of the prompt where the vendor counts them apart."""
    output_limit: int | None = None
    """The most tokens of one answer, thinking included."""


class CapabilityRule(Capabilities):
    """Capabilities of the models whose name matches one of `models` (fnmatch, lower case)."""

    models: Names

    __hash__ = object.__hash__  # a rule is one place in a file, looked up for every request


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
    """Added to the base URL; `{model}` stands for the model's name, percent-encoded."""
    stream_path: str | None = None
    """The same for streams, where they have a path of their own."""
    models_path: str = "/models"
    twins: Mapping[str, str] = {}
    """Dialect -> the row that speaks it at the same base URL, for what this row's own wire cannot say."""
    passes: Names = ()
    """Fields of the wire's own that a request may carry as extras, and that are sent as they are."""
    options: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    options_env: Mapping[str, str] = {}
    """Option -> environment variable that fills it where the settings do not; of several, with a space
    between them, the first one set."""
    key_env: Names = ()
    """Environment variables that may hold the key, first one set wins; empty: no key needed."""
    token_env: Names = ()
    """Environment variables that may hold a short-lived token, sent as Bearer and preferred to a key."""
    key_required: bool = True
    auth: Auth = "bearer"
    """How the key travels: as Bearer, in a header of that name, as a signature of the request, or not."""
    service: str = ""
    """Name of the service in a SigV4 signature."""
    local: bool = False
    """Runs on the user's own machine: prices are zero."""
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    rename: Mapping[str, str] = {}
    """Request field -> this wire's name for it."""
    unsupported: Names = ()
    """Request fields the wire cannot say; also `response_format.json_schema`, `tool_choice.required` ..."""
    only: Names | None = None
    """Fields the wire takes, where unknown ones are refused with an error; None: unknown fields pass."""
    message_only: Names | None = None
    """The same for the fields of a message."""
    limits: Mapping[str, tuple[float, float]] = {}
    """Request field -> the lowest and highest value the wire takes; others are clamped."""
    values: Mapping[str, Names] = {}
    """Request field -> the words the wire takes; others are dropped."""
    send: Mapping[str, Any] = {}
    """Fields always sent along; the caller's own win."""
    cache_control: bool = False
    """Whether content parts may carry cache_control."""
    empty_content: Literal["omit", "empty"] = "omit"
    """What stands for the content of an assistant message that has only tool calls."""
    system_role: Literal["any", "system", "user"] = "system"
    """`system`: a developer message is sent as system; `user`: both are sent as user."""
    always_stream: bool = False
    """Whether the host writes whole answers to their end although nobody waits for them any more, so that it
    is asked for a stream, which ends with its reader."""
    stream_usage: Literal["option", "always"] = "option"
    """`option`: stream_options.include_usage must be asked for; `always`: it comes unasked, none is sent."""
    prefill: Prefill | None = None
    """How it goes on with an answer that the request begins; None: nobody knows that it does."""
    thinking: Thinking = Field(default_factory=Thinking)
    thinking_rules: Annotated[tuple[ThinkingRule, ...], BeforeValidator(_flat)] = ()
    """Looked through in order before `thinking`."""
    model_rules: Annotated[tuple[ModelRule, ...], BeforeValidator(_flat)] = ()
    capabilities: Annotated[tuple[CapabilityRule, ...], BeforeValidator(_flat)] = ()
    """Field by field, the first rule that matches a model and says something counts."""
    reasoning_out: ReasoningField = "reasoning_content"
    """Where reasoning comes back; decoding is tolerant and looks everywhere."""
    think_tags: bool = False
    """Whether reasoning may come as leading <think> tags inside content."""
    replay: Literal["never", "refuse", "tool_calls", "always"] = "never"
    """Earlier reasoning on assistant messages: `never` has no use for it, `refuse` errors on the plain text,
    `tool_calls` requires it beside tool calls, `always` takes it anywhere."""
    replay_field: ReasoningField = "reasoning_content"
    replay_blank: str = ""
    """What stands for reasoning that is required but not known, under `tool_calls`."""
    completion_excludes_reasoning: bool = False
    """xAI: completion_tokens leaves reasoning_tokens out."""
    cost_in_usage: bool = False
    """The host reports its own price in usage.cost."""
    errors: Mapping[str, str] = {}
    """Provider code or type (as text) -> kind, looked up before the general table."""
    error_texts: Mapping[str, str] = {}
    """Lower-case piece of a message -> kind, looked up before the general table."""
    statuses: Mapping[int, str] = {}
    request_id_headers: Names = ()
    encode_hooks: Names = ()
    """Named functions of `providers/dialects/hooks.py` for what no row can say."""

    def thinking_of(self, model: str) -> Thinking:
        """The thinking control of one model: the first rule that matches its name, else the row's."""
        return next(
            (rule.thinking for rule in self.thinking_rules if matches(model, rule.models)), self.thinking
        )

    def capabilities_of(self, model: str) -> Capabilities:
        """What one model can take, as far as it is known."""
        known = dict(_known(self.capabilities, model))
        thinking = self.thinking_of(model)
        if "thinking_off" not in known and (thinking.style != "none" or thinking.default_on is not None):
            known["thinking_off"] = thinking.off or thinking.never
        return Capabilities(**known)

    def flags_of(self, model: str) -> frozenset[str]:
        """The words that one model's rules add up to; `-word` takes one away that an earlier rule gave."""
        flags: set[str] = set()
        for rule in self.rules_of(model):
            for flag in rule.flags:
                (flags.discard if flag.startswith("-") else flags.add)(flag.removeprefix("-"))
        return frozenset(flags)

    def rules_of(self, model: str) -> tuple[ModelRule, ...]:
        """All field rules that match one model's name."""
        return tuple(rule for rule in self.model_rules if matches(model, rule.models))


def matches(model: str, patterns: Iterable[str]) -> bool:
    """Whether a model's name, or what follows its last slash, fits a pattern; case does not count."""
    return _fits(model, patterns if isinstance(patterns, tuple) else tuple(patterns))


@lru_cache(maxsize=16_384)
def _fits(model: str, patterns: tuple[str, ...]) -> bool:
    """The answer for one name and one rule, which every request asks again."""
    name = model.lower()
    bare = name.rpartition("/")[2]
    return any(fnmatchcase(name, pattern) or fnmatchcase(bare, pattern) for pattern in patterns)


@lru_cache(maxsize=4096)
def _known(rules: tuple[CapabilityRule, ...], model: str) -> Mapping[str, Any]:
    """What the rules say of a model together, the first one that says a thing winning."""
    known: dict[str, Any] = {}
    for rule in rules:
        if matches(model, rule.models):
            for name in Capabilities.model_fields:
                value = getattr(rule, name)
                if value is not None:
                    known.setdefault(name, value)
    return known


FILES = (
    "catalogue.yaml",
    "dialects/responses.yaml",
    "dialects/anthropic.yaml",
    "dialects/gemini.yaml",
    "dialects/bedrock.yaml",
    "dialects/cohere.yaml",
    "dialects/ollama.yaml",
)
"""Where the rows are written, those of a dialect of its own beside its code."""


@cache
def catalogue() -> Mapping[str, Preset]:
    """All rows and aliases by name, as `catalogue.json` has them out of the YAML files."""
    return _Rows(Seed(Path(__file__).with_name("catalogue.json")))


def rows(document: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Preset]:
    """Presets by name, out of rows as they are written."""
    return _Rows(expanded(document))


def expanded(document: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Whole rows: `alias` and `extends` name an earlier row, keys with a leading dot are shared."""
    plain: dict[str, dict[str, Any]] = {}
    for name, row in document.items():
        if not name.startswith("."):
            base = plain[row["extends"]] if "extends" in row else {}
            own = {key: value for key, value in row.items() if key not in {"alias", "extends"}}
            plain[name] = {**base, **own, "name": name}
            if "alias" in row:
                plain[name] = plain[row["alias"]]
    return plain


class _Rows(Mapping[str, Preset]):
    """Presets by name, each made when it is first asked for: a router uses few of them."""

    def __init__(self, plain: Mapping[str, Mapping[str, Any]]) -> None:
        self._plain = plain
        self._made: dict[str, Preset] = {}

    def __getitem__(self, name: str) -> Preset:
        preset = self._made.get(name)
        if preset is None:
            preset = self._made[name] = Preset.model_validate(self._plain[name])
        return preset

    def __contains__(self, name: object) -> bool:
        return name in self._plain

    def __iter__(self) -> Iterator[str]:
        return iter(self._plain)

    def __len__(self) -> int:
        return len(self._plain)
