"""Complete settings files that load as they are; `offline.yaml` first, for it needs no key and no network."""

from __future__ import annotations

from pathlib import Path


def names() -> tuple[str, ...]:
    """The examples by file name, in alphabetical order."""
    return tuple(sorted(path.name for path in Path(__file__).parent.glob("*.yaml")))


def example_path(name: str) -> Path:
    """The file of one example, such as `offline.yaml` or just `offline`; FileNotFoundError for others."""
    file = name if name.endswith(".yaml") else f"{name}.yaml"
    if file not in names():
        raise FileNotFoundError(f"there is no example {name!r}; choose one of {', '.join(names())}")
    return Path(__file__).parent / file
