"""A provider simulator on real loopback HTTP, for tests and demonstrations.

    async with Simulator({"gpt-x": [Reply(status=429), Reply(text="Hello")]}) as simulator:
        ...                                  # simulator.url is the base URL to configure
        simulator.requests[0].body           # what was asked

Needs the `testing` or the `cli` extra. Names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .allowance import Allowance as Allowance
    from .quirks import HOSTS as HOSTS
    from .script import Reply as Reply
    from .script import Script as Script
    from .script import ScriptedCall as ScriptedCall
    from .script import demo_scripts as demo_scripts
    from .script import load_script as load_script
    from .server import Received as Received
    from .server import Simulator as Simulator
    from .server import serve as serve
    from .tally import Tally as Tally

_HOMES = {
    "Allowance": "allowance",
    "HOSTS": "quirks",
    "Received": "server",
    "Reply": "script",
    "Script": "script",
    "ScriptedCall": "script",
    "Simulator": "server",
    "Tally": "tally",
    "demo_scripts": "script",
    "load_script": "script",
    "serve": "server",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return __all__
