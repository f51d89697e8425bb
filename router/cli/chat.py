"""`turnout chat`: one question, or a conversation."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import click
from anyio.from_thread import start_blocking_portal

from turnout.providers.chat import ChatResponse

from ..core import Router
from .options import (
    backend_option,
    config_option,
    installed,
    json_option,
    plain_option,
    run,
    think_option,
    tokens_option,
)
from .report import totals
from .screen import Screen

_LEAVE = ("/quit", "/exit")


@dataclass(slots=True)
class _Conversation:
    """What is asked of whom, and how the answer is shown: text on stdout, all else on stderr."""

    model: str
    options: dict[str, Any]
    plain: bool
    quiet: bool
    messages: list[Any] = field(default_factory=list)

    async def ask(self, router: Router, prompt: str) -> None:
        """One turn, streamed; the answer joins the conversation."""
        question = {"role": "user", "content": prompt}
        out, about = Screen(plain=self.plain), Screen(plain=self.plain, stderr=True)
        asked = [*self.messages, question]
        thinking = False
        async with router.stream(model=self.model, messages=asked, **self.options) as stream:
            async for chunk in stream:
                if chunk.reasoning and not self.quiet:
                    thinking = True
                    about.piece(chunk.reasoning, "dim italic")
                if chunk.text and thinking:
                    thinking = False
                    about.line()
                out.piece(chunk.text)
            response = stream.response
        _ending(out, response)
        if not self.quiet:
            about.line(f"[{response.provider}/{response.model}: {totals(response.trace)}]", "dim")
        self.messages = [*asked, response.message.as_message()]


def _ending(out: Screen, response: ChatResponse) -> None:
    """What an answer holds besides its text, and the end of its last line."""
    if response.refusal:
        out.piece(response.refusal)
    if response.text or response.refusal:
        out.line()
    for call in response.tool_calls:
        out.line(f"calls {call.name}({call.arguments})")


@click.command()
@click.argument("model")
@click.argument("prompt", required=False)
@config_option
@click.option("--system", metavar="TEXT", help="What the model is told before anything else.")
@think_option
@tokens_option
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="For the whole call, instead of the route's.",
)
@click.option("--quiet", "-q", is_flag=True, help="Write only the answer: no reasoning, no totals.")
@json_option
@plain_option
@backend_option
def chat(
    model: str,
    prompt: str | None,
    config: str,
    system: str | None,
    think: bool | None,
    max_tokens: int | None,
    deadline: float | None,
    quiet: bool,
    as_json: bool,
    plain: bool,
    backend: str,
) -> None:
    """Ask MODEL, a route or provider/model.

    Without PROMPT, what comes on stdin is asked; on a terminal, a conversation begins (/quit ends it).
    The answer goes to stdout, everything about it to stderr.
    """
    wanted = {"enable_thinking": think, "max_completion_tokens": max_tokens, "deadline": deadline}
    options = {name: value for name, value in wanted.items() if value is not None}
    messages = [] if system is None else [{"role": "system", "content": system}]
    conversation = _Conversation(model, options, plain, quiet, messages)
    if prompt is None and sys.stdin.isatty():
        if as_json:
            raise click.UsageError("--json needs a PROMPT, or one on stdin")
        _converse(conversation, Router.from_yaml(config), backend)
        return
    question = _piped() if prompt is None else prompt
    ask = _answer_json if as_json else _answer
    run(backend, partial(ask, conversation, Router.from_yaml(config), question))


async def _answer(conversation: _Conversation, router: Router, prompt: str) -> None:
    async with router:
        await conversation.ask(router, prompt)


async def _answer_json(conversation: _Conversation, router: Router, prompt: str) -> None:
    messages = [*conversation.messages, {"role": "user", "content": prompt}]
    async with router:
        response = await router.complete(model=conversation.model, messages=messages, **conversation.options)
    click.echo(json.dumps(response.wire(extensions=True), indent=2, ensure_ascii=False))


def _converse(conversation: _Conversation, router: Router, backend: str) -> None:
    """Ask line after line; reading the terminal stays outside the event loop, so Ctrl-C works in both."""
    with (
        installed(backend),
        start_blocking_portal(backend) as portal,
        portal.wrap_async_context_manager(router),
    ):
        while (prompt := _next_line()) is not None:
            if prompt:
                portal.call(conversation.ask, router, prompt)


def _next_line() -> str | None:
    """What the user types next; None at the end."""
    try:
        line = input("> ").strip()
    except EOFError:
        click.echo(err=True)
        return None
    return None if line in _LEAVE else line


def _piped() -> str:
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"stdin is not UTF-8: {error}") from error
    if not text.strip():
        raise click.UsageError("nothing to ask: give a PROMPT, or one on stdin")
    return text
