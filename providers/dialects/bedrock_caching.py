"""Cache points: blocks that stand behind what is to be cached, and the rules for where they may.

Source: Bedrock user guide on prompt caching; botocore 1.44.5, shape `CachePointBlock`, read 2026-11-21.
"""

from __future__ import annotations

from .draft import Draft, Json

MOST = 4
"""Cache points that one request may hold."""


class Marks:
    """Turns `cache_control` into cache points, as far as the model's family takes them."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def mark(self, part: Json, blocks: list[Json], *, tool: bool = False) -> None:
        """Put a cache point behind the blocks written so far, if the part they were written for asks for it.

        `part` has its `path`; `tool` tells that the blocks are tools.
        """
        wanted = part.get("cache_control")
        if not wanted or (blocks and "cachePoint" in blocks[-1]):
            return
        path = f"{part['path']}.cache_control"
        if ("cache_tools" if tool else "cache") not in self._draft.flags:
            self._draft.report(path, "dropped", "the model takes no cache points here")
        elif not blocks or _document(blocks[-1]):
            self._draft.report(path, "dropped", "no cache point may stand behind such a document")
        else:
            blocks.append({"cachePoint": self._point(wanted, path)})

    def _point(self, wanted: Json, path: str) -> Json:
        lasting = wanted.get("ttl")
        if lasting == "1h" and "cache_1h" in self._draft.flags:
            return {"type": "default", "ttl": "1h"}
        if lasting not in (None, "5m"):
            self._draft.report(f"{path}.ttl", "clamped", "the model caches for five minutes")
        return {"type": "default"}


def _document(block: Json) -> bool:
    document = block.get("document")
    return "video" in block or (isinstance(document, dict) and document.get("format") != "pdf")


def settle_marks(body: Json, draft: Draft) -> None:
    """Bring the cache points of a finished body within their number, longer lasting ones first.

    The points of the tools, of the system text and of the latest messages stay.
    """
    places = [*_lists(body)]
    found = [(place, block) for place in places for block in place if "cachePoint" in block]
    fixed = sum(1 for place in places[:2] for block in place if "cachePoint" in block)
    for place, block in found[min(fixed, MOST) :][: max(0, len(found) - MOST)]:
        place[:] = [other for other in place if other is not block]
        draft.report("cache_control", "dropped", f"a request holds at most {MOST} cache points")
    shorter = False
    for point in [block["cachePoint"] for place in places for block in place if "cachePoint" in block]:
        if shorter and point.pop("ttl", None):
            draft.report("cache_control.ttl", "clamped", "longer cache points stand before shorter ones")
        shorter = shorter or "ttl" not in point


def _lists(body: Json) -> list[list[Json]]:
    """The lists that may hold cache points, in the order in which the model reads them."""
    tools = (body.get("toolConfig") or {}).get("tools") or []
    return [tools, body.get("system") or [], *(message["content"] for message in body["messages"])]
