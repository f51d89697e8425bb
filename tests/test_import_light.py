"""`import turnout` costs next to nothing, and using it loads only what a call needs."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("httpx", "pydantic", "yaml", "anyio", "structlog", "tenacity", "asyncio", "trio", "ssl")
RARE = (
    "asyncio", "difflib", "http", "mimetypes", "structlog", "tenacity", "trio", "yaml",
    "turnout.config.including", "turnout.config.yaml_nodes", "turnout.explaining", "turnout.json_schema",
    "turnout.providers.access_keys", "turnout.providers.dialects.error_rules", "turnout.providers.model_rows",
    "turnout.providers.rate_limits", "turnout.providers.signing", "turnout.providers.waits", "turnout.sync",
    "turnout.testing",
)  # fmt: skip
"""What only some settings, errors or event loops need."""
EXTRAS = ("click", "rich", "h11", "pytest", "hypothesis", "openai")
ROUTER = """
from turnout import Router
Router({"providers": {"house": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "none"}},
        "routes": {"assistant": ["house/small"]}})
"""


def loaded(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a program, its own start-up aside."""
    script = f"import sys\nbefore = set(sys.modules)\n{program}\nprint(*set(sys.modules) - before)"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stdout.split())


def test_importing_turnout_loads_nothing_but_itself_and_the_standard_library() -> None:
    modules = loaded("import turnout")

    own = {name for name in modules if name.partition(".")[0] == "turnout"}
    assert own == {"turnout", "turnout._version"}
    assert not modules & {*HEAVY, *EXTRAS}


def test_a_router_is_made_without_an_http_client_an_event_loop_or_any_extra() -> None:
    modules = loaded(ROUTER)

    assert not modules & {*EXTRAS, *RARE, "httpx"}
    others = {name for name in modules if name.startswith("turnout.providers.dialects.")}
    assert not {name for name in others if "anthropic" in name or "gemini" in name or "turns" in name}


def test_making_a_router_opens_no_socket_and_no_file_for_writing() -> None:
    guard = """
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event.startswith("socket.connect") or writes and "__pycache__" not in str(arguments[0]):
        raise SystemExit(f"{event} {arguments}")
sys.dont_write_bytecode = True
sys.addaudithook(watch)
"""
    assert "turnout.core" in loaded(guard + ROUTER)
