"""The providers' own SDKs as judges of what is sent to them, one module for each wire."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def check_payload(wire: str, body: dict[str, Any]) -> None:
    """Fail where a body has an unknown key, lacks a required one, or holds a wrong type."""
    import_module(f"oracles.{wire}").check(body)
