"""The tables that come with turnout, as people write them; `make seeds` makes of them what a router reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from turnout.config.seeds import written
from turnout.providers.catalogue import FILES, expanded

ROOT = Path(__file__).parents[2]


def read(name: str) -> Any:
    """All of a YAML file."""
    return yaml.load((ROOT / name).read_text("utf-8"), Loader=yaml.CSafeLoader)


def presets() -> dict[str, Any]:
    """The rows of the catalogue, with what is known of their models."""
    document: dict[str, Any] = {}
    for name in FILES:
        document |= read(f"providers/{name}")
    for name, rules in read("providers/capabilities.yaml").items():
        if not name.startswith("."):
            document[name] = {**document[name], "capabilities": rules}
    return expanded(document)


def prices() -> dict[str, Any]:
    """The prices by `preset/model`."""
    found = {}
    for group in read("config/prices.yaml"):
        about = {"as_of": group["as_of"].isoformat(), "source": group["source"]}
        for preset in group["presets"]:
            for prefix in group.get("prefixes", ("",)):
                for model, row in group["models"].items():
                    found[f"{preset}/{prefix}{model}"] = {"row": row, **about}
    return found


SEEDS = {"providers/catalogue.json": presets, "config/prices.json": prices}
"""Each file, and what it holds."""


if __name__ == "__main__":
    for file, made in SEEDS.items():
        (ROOT / file).write_text(written(made()), "utf-8")
