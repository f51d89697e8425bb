"""What Cohere says beside the words of an answer: citations, likelihoods of tokens, counts of tokens.

Sources: cohere 7.3.1 `Citation`, `LogprobItem` and `Usage`; recorded answers in public tests, 2026-11-21.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..chat import Annotation, Logprobs, TokenLogprob, Usage
from .chunks import count, token_usage
from .draft import Json

_PLACED = frozenset({"start", "end", "sources", "text", "type"})
_OF_TEXT = "TEXT_CONTENT"


def remarks(citation: Json, offset: int) -> Iterator[Annotation]:
    """One remark for each source of a citation.

    Cohere counts from the beginning of the block that is cited; `offset` is where that stands in the joined
    text. The source itself, which is a document or a tool's result and seldom a page, stays under `source`.
    What is cited in thinking or in a plan has no place in the text, and is kept as it came.
    """
    kind = citation.get("type")
    if kind not in (None, "", _OF_TEXT):
        yield Annotation.model_validate({"type": "citation", "citation": citation})
        return
    start, end = _place(citation.get("start"), offset), _place(citation.get("end"), offset)
    rest = {name: value for name, value in citation.items() if name not in _PLACED and value is not None}
    if isinstance(citation.get("text"), str):
        rest["cited_text"] = citation["text"]
    if kind:
        rest["citation_type"] = kind
    sources = citation.get("sources")
    for source in sources if isinstance(sources, list) and sources else [None]:
        page = {"start_index": start, "end_index": end, **_page(source)}
        told = {} if source is None else {"source": source}
        yield Annotation.model_validate({**rest, **told, "type": "url_citation", "url_citation": page})


def _place(value: Any, offset: int) -> int | None:
    return int(value) + offset if isinstance(value, int | float) and not isinstance(value, bool) else None


def _page(source: Any) -> dict[str, str]:
    """Address and title of a source, as far as its own fields tell."""
    if not isinstance(source, dict):
        return {"url": "", "title": ""}
    told = source.get("document") or source.get("tool_output")
    fields = told if isinstance(told, dict) else {}
    found = {name: fields.get(name) for name in ("url", "title")}
    return {name: value if isinstance(value, str) else "" for name, value in found.items()}


def logprobs(items: Any) -> Logprobs | None:
    """Likelihoods in the contract's shape; None where there are none.

    An item is a piece of text with the ids of its tokens. Where it has several tokens, whose own texts are
    not told, the piece stands as one with the product of their probabilities; `token_logprobs` keeps them.
    """
    found = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]
    return Logprobs(content=[_token(item) for item in found]) if found else None


def _token(item: Json) -> TokenLogprob:
    text = item.get("text") if isinstance(item.get("text"), str) else ""
    each = [value for value in item.get("logprobs") or () if _finite(value)]
    told: Json = {"token": text, "bytes": list(str(text).encode("utf-8", "surrogatepass"))}
    if each:
        told["logprob"] = math.fsum(each)
    if len(each) > 1:
        told["token_logprobs"] = each
    if item.get("token_ids"):
        told["token_ids"] = item["token_ids"]
    return TokenLogprob.model_validate(told)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def usage(told: Any) -> Usage | None:
    """Counts of tokens; None where there are none.

    `tokens` is what the model read and wrote, Cohere's own part of the prompt and all thinking included.
    `billed_units` leaves that part out; it stands in only where there is nothing else, and is always kept.
    """
    if not isinstance(told, dict):
        return None
    prompt, completion = (
        next(
            (n for n in (count(told, "tokens", name), count(told, "billed_units", name)) if n is not None),
            None,
        )
        for name in ("input_tokens", "output_tokens")
    )
    if prompt is None and completion is None:
        return None
    cached = count(told, "cached_tokens")
    rest = {name: value for name, value in told.items() if name not in {"tokens", "cached_tokens"}}
    tokens = told.get("tokens")
    if isinstance(tokens, dict) and tokens.keys() - {"input_tokens", "output_tokens"}:
        rest["tokens"] = tokens
    return token_usage(
        prompt or 0,
        completion or 0,
        cached=None if cached is None else min(cached, prompt or 0),
        rest=rest,
    )
