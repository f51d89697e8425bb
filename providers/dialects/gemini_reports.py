"""What an answer of Gemini's says beside its words: tokens, sources, probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ..chat import Annotation, Logprobs, TokenLogprob, TopLogprob, Usage
from .chunks import count, token_usage
from .draft import Json


def merged_usage(before: Json, snapshot: Any) -> Json:
    """Counts with those of a later snapshot over them; a count that is gone or 0 keeps its earlier value."""
    if not isinstance(snapshot, dict):
        return before
    said = {name: value for name, value in snapshot.items() if value or not before.get(name)}
    return {**before, **said}


def usage_of(counted: Json) -> Usage | None:
    """The counts in the contract's meaning; None where there are none."""
    if not counted:
        return None
    thoughts = count(counted, "thoughtsTokenCount")
    prompt = (count(counted, "promptTokenCount") or 0) + (count(counted, "toolUsePromptTokenCount") or 0)
    said = count(counted, "candidatesTokenCount") or 0
    total = count(counted, "totalTokenCount")
    # some models count the thoughts among the candidates' tokens, which only the total tells
    inside = bool(thoughts) and said >= (thoughts or 0) and prompt + said == total
    return token_usage(
        prompt,
        said if inside else said + (thoughts or 0),
        cached=count(counted, "cachedContentTokenCount"),
        reasoning=thoughts,
        audio_in=_sound(counted.get("promptTokensDetails")),
        audio_out=_sound(counted.get("candidatesTokensDetails")),
        rest=counted,
    )


def _sound(details: Any) -> int | None:
    counts = [
        count(detail, "tokenCount") or 0
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("modality") == "AUDIO"
    ]
    return sum(counts) if counts else None


def seconds(moment: Any) -> int | None:
    """The time of an answer in Unix seconds; None where it is no date."""
    try:
        return int(datetime.fromisoformat(moment).timestamp()) if isinstance(moment, str) else None
    except (ValueError, OverflowError):
        return None


def logprobs_of(result: Any) -> Logprobs | None:
    """The probabilities of the tokens in `logprobsResult`."""
    chosen = _list(result, "chosenCandidates")
    if not chosen:
        return None
    tops = _list(result, "topCandidates")
    tokens = []
    for place, one in enumerate(chosen):
        top = _list(tops[place], "candidates") if place < len(tops) else []
        tokens.append(
            TokenLogprob(top_logprobs=[TopLogprob(**_token(other)) for other in top], **_token(one))
        )
    return Logprobs(content=tokens)


def _token(one: Any) -> Json:
    one = one if isinstance(one, dict) else {}
    known = {"token": one.get("token") or "", "logprob": one.get("logProbability") or 0.0}
    return {**{key: value for key, value in one.items() if key == "tokenId"}, **known}


def annotations_of(
    grounding: Json, citations: Json, text: str, starts: Mapping[int, tuple[int, str]]
) -> list[Annotation]:
    """The sources of an answer.

    Their places are bytes of one part's text on the wire, and characters of the whole text here; `starts`
    tells where the text of each numbered part begins.
    """
    found = []
    chunks = _list(grounding, "groundingChunks")
    for support in _list(grounding, "groundingSupports"):
        segment = support.get("segment") if isinstance(support, dict) else None
        segment = segment if isinstance(segment, dict) else {}
        start, end = _span(segment, text, starts)
        found += [
            _annotation(*_page(chunks[number]), start, end)
            for number in _list(support, "groundingChunkIndices")
            if isinstance(number, int) and 0 <= number < len(chunks)
        ]
    for citation in _list(citations, "citations") or _list(citations, "citationSources"):
        if isinstance(citation, dict):
            start, end = _span(citation, text, {})
            rest = {key: citation[key] for key in ("license", "publicationDate") if citation.get(key)}
            found.append(_annotation(citation.get("uri"), citation.get("title"), start, end, **rest))
    return found


def _annotation(url: Any, title: Any, start: int, end: int, **rest: Any) -> Annotation:
    citation = {"url": str(url or ""), "title": str(title or ""), "start_index": start, "end_index": end}
    return Annotation.model_validate({"type": "url_citation", "url_citation": citation, **rest})


def _page(chunk: Any) -> tuple[Any, Any]:
    """Address and title of a source, be it a page, a map, an image or a document of one's own."""
    for source in chunk.values() if isinstance(chunk, dict) else ():
        if isinstance(source, dict):
            return source.get("uri") or source.get("sourceUri") or source.get("imageUri"), source.get("title")
    return None, None


def _span(segment: Json, text: str, starts: Mapping[int, tuple[int, str]]) -> tuple[int, int]:
    """First and last place of a segment, in characters of the whole text."""
    first, last = count(segment, "startIndex") or 0, count(segment, "endIndex") or 0
    said = segment.get("text")
    spans = []
    for begin, base in _bases(segment, text, starts):
        raw = base.encode("utf-8", "surrogatepass")
        start = len(raw[:first].decode("utf-8", "ignore"))
        end = len(raw[:last].decode("utf-8", "ignore"))
        if not said or base[start:end] == said:
            return begin + start, begin + end
        spans.append((begin + start, begin + end))
    place = text.find(said) if isinstance(said, str) else -1
    return (place, place + len(str(said))) if place >= 0 else spans[0]


def _bases(segment: Json, text: str, starts: Mapping[int, tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The texts that a segment may count in: its part's, else the whole."""
    part = starts.get(count(segment, "partIndex") or 0)
    if part is not None:
        yield part
    yield 0, text


def _list(holder: Any, name: str) -> list[Any]:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []
