"""Who is measured, what each one's environment holds, and which phases it goes through.

A peer needs an adapter in adapters/ and a line in PEERS; nothing else knows its name.
"""

from __future__ import annotations

from dataclasses import dataclass

SELF = "turnout"
"""In an environment's requirements: this very working tree."""

CALLS = ("calls:1", "calls:16", "calls:64", "calls:256", "calls:1000")
FLIGHTS = CALLS[1:]
"""Phases with several calls in flight."""
STREAMS = ("stream:1", "paced:16")
FAILOVER = ("failover:1",)
TLS = ("tls-calls:1", "tls-calls:64", "tls-stream:1")
ALL_PHASES = (*CALLS[:3], *STREAMS, *FAILOVER, *TLS, *CALLS[3:])
"""In the order of a round: where clients may stall comes last."""
FEW_PHASES = ("calls:1", "calls:16", "stream:1", "failover:1")
"""What a slow peer goes through after the first round, so that a run stays short."""
NARROW_PHASES = ALL_PHASES[:-2]
"""All but those with hundreds of calls in flight."""
TRIO_PHASES = ("calls:1", "calls:16", "calls:64", "stream:1", "failover:1")

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "bare": (),
    "turnout": (SELF,),
    "turnout-trio": (SELF, "trio"),
    "httpx": ("httpx",),
    "httpx-sniffio": ("httpx", "sniffio"),
    "httpx-trio": ("httpx", "trio"),
    "httpx2": ("httpx2",),
    "aiohttp": ("aiohttp",),
    "openai": ("openai",),
    "litellm": ("litellm",),
    "any-llm": ("any-llm-sdk[openai]",),
    "pydantic-ai": ("pydantic-ai-slim[openai]",),
    "certificates": ("trustme",),
}
"""What is installed into each virtual environment. The last one only makes the upstream's certificate."""


@dataclass(frozen=True)
class Peer:
    """One client under measurement."""

    name: str
    """What results call it."""
    title: str
    """What the page calls it."""
    adapter: str
    """Its module in adapters/."""
    environment: str
    """Its virtual environment, a key of ENVIRONMENTS."""
    engine: str = "asyncio"
    """The event loop that it runs on: asyncio or trio."""
    phases: tuple[str, ...] = ALL_PHASES
    """The phases it goes through in every round, in this order."""
    ready: str | None = None
    """What a program imports before its first call, which is timed; None: not timed."""
    again: tuple[str, ...] = ALL_PHASES
    """Those of its phases that it goes through after the first round too."""
    memory: float = 0.0
    """Seconds for each half of the calls after which memory is measured; 0: it is not."""
    listed: bool = True
    """Whether it has a line in tables and a colour in plots."""

    def goes_through(self, phase: str, number: int) -> bool:
        """Whether a phase is its in a round, counted from 0."""
        return phase in self.phases and (number == 0 or phase in self.again)


ROUTER = """
from turnout import Router
house = {"dialect": "openai", "api_key": "none", "base_url": "http://127.0.0.1:9/v1"}
chain = ["main/gpt-4o-mini", "backup/gpt-4o-mini"]
route = {"chain": chain, "retry": {"attempts": 2}, "deadline": "60s"}
Router({"providers": {"main": house, "backup": house}, "routes": {"bench": route}})
"""
"""A router like the one that is measured, made from nothing: its settings checked, its routes planned."""

PEERS: tuple[Peer, ...] = (
    Peer("socket", "raw asyncio socket (the limit)", "raw_socket", "bare"),
    Peer("aiohttp", "raw aiohttp", "raw_aiohttp", "aiohttp", ready="import aiohttp", memory=15),
    Peer(
        "turnout", "**turnout**", "turnout_router", "turnout", ready="from turnout import Router", memory=15
    ),
    Peer(
        "httpx2", "raw httpx2", "raw_httpx2", "httpx2", again=NARROW_PHASES, ready="import httpx2", memory=4
    ),
    Peer("httpx-sniffio", "raw httpx, with sniffio", "raw_httpx", "httpx-sniffio", again=NARROW_PHASES),
    Peer("httpx", "raw httpx", "raw_httpx", "httpx", again=NARROW_PHASES, ready="import httpx", memory=4),
    Peer(
        "openai",
        "openai SDK",
        "openai_sdk",
        "openai",
        ready="from openai import AsyncOpenAI",
        again=FEW_PHASES,
        memory=4,
    ),
    Peer(
        "any-llm",
        "any-llm",
        "any_llm_client",
        "any-llm",
        phases=tuple(phase for phase in ALL_PHASES if phase not in FAILOVER),
        ready="from any_llm import AnyLLM; AnyLLM.create('openai', api_key='none')",
        again=FEW_PHASES,
        memory=4,
    ),
    Peer(
        "pydantic-ai",
        "pydantic-ai Agent",
        "pydantic_ai_agent",
        "pydantic-ai",
        ready="from pydantic_ai import Agent; from pydantic_ai.models.openai import OpenAIChatModel",
        again=FEW_PHASES,
        memory=4,
    ),
    Peer(
        "litellm",
        "litellm Router",
        "litellm_router",
        "litellm",
        ready="import litellm",
        again=FEW_PHASES,
        memory=4,
    ),
    Peer("turnout-made", "turnout, a router made", "turnout_router", "turnout", phases=(), ready=ROUTER),
    Peer(
        "turnout-alone",
        "turnout over nothing",
        "turnout_alone",
        "turnout",
        phases=("calls:1", "stream:1"),
        listed=False,
    ),
    Peer("nothing", "nothing at all", "nothing", "turnout", phases=("calls:1",), listed=False),
    Peer("turnout-trio", "**turnout** on trio", "turnout_router", "turnout-trio", "trio", TRIO_PHASES),
    Peer("httpx-trio", "raw httpx on trio", "raw_httpx", "httpx-trio", "trio", TRIO_PHASES),
)
