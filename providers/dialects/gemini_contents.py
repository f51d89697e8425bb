"""A conversation as `contents`: turns of `user` and `model`, each a list of parts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from .draft import Draft, Json
from .envelope import loaded
from .keeping import Kept, arranged
from .media import Media, file_of, image_of, of_url, sound_of
from .tooling import arguments_of, fitted_id
from .turns import Call, Result, Turn, custom_arguments

WIRE = "gemini"
SKIP = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""The signature of a call that Gemini has not made: base64 of `skip_thought_signature_validator`.

Source: Google's page on thought signatures; this form of the two in use was measured live (pydantic-ai 2.68).
"""
GO_ON = "Continue."
"""What the user says after a conversation that ends with the model's words, where it may not."""

_IN_RESULTS = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"})
"""Media types that the result of a function may hold. Source: Google's page on function calling."""
_OWN_HOSTS = ("generativelanguage.googleapis.com", "youtube.com", "youtu.be")
_DETAILS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_UPLOAD = re.compile(r"(?:files/)?[a-z0-9-]+")


def instruction(parts: list[Json], draft: Draft) -> list[Json]:
    """The parts of `systemInstruction`, which are text alone."""
    written = []
    for part in parts:
        if part.get("type") == "text":
            written.append(_text(part, draft))
        else:
            draft.refuse(part["path"], "the standing instruction is text alone")
    return written


def contents(turns: list[Turn], draft: Draft) -> list[Json]:
    """The turns as the wire wants them; later words of the system's are spoken by the user."""
    written: list[Json] = []
    ids: dict[str, str] = {}
    for turn in turns:
        if turn.role == "assistant":
            written.append({"role": "model", "parts": _model_parts(turn, ids, draft)})
        elif turn.role == "results":
            _add_results(written, turn, ids, draft)
        else:
            if turn.role == "system":
                draft.report(
                    turn.path, "emulated", "an instruction within the conversation is said by the user"
                )
            _add_user(written, _parts(turn.parts, draft))
    written = [content for content in written if content["parts"]]
    if written and written[0]["role"] == "model":
        written.insert(0, {"role": "user", "parts": [{"text": ""}]})
        draft.report("messages", "emulated", "the conversation begins with an empty word of the user's")
    if written and written[-1]["role"] == "model" and "no_trailing_model" in draft.flags:
        written.append({"role": "user", "parts": [{"text": GO_ON}]})
        draft.report(
            "messages", "emulated", f"the user says {GO_ON!r}: the model's words may not be the last"
        )
    return written


def _add_user(written: list[Json], parts: list[Json]) -> None:
    """Join what the user says to the turn before, unless that holds results, which stand alone."""
    last = written[-1] if written else {}
    if last.get("role") == "user" and not any("functionResponse" in part for part in last["parts"]):
        last["parts"] += parts
    else:
        written.append({"role": "user", "parts": parts})


def _add_results(written: list[Json], turn: Turn, ids: dict[str, str], draft: Draft) -> None:
    aside: list[Json] = []
    answers = [_answer(result, ids, aside, draft) for result in turn.results]
    written.append({"role": "user", "parts": answers})
    if aside:
        written.append({"role": "user", "parts": aside})


def _answer(result: Result, ids: dict[str, str], aside: list[Json], draft: Draft) -> Json:
    """One `functionResponse`; media that cannot ride in it go into a turn of their own."""
    call = result.call
    said = {"error" if result.is_error else "output": result.text}
    answer: Json = {"name": call.name, "response": said}
    if call.path in ids:
        answer["id"] = ids[call.path]
    inside = []
    for part in result.parts:
        if part.get("type") == "text":
            _unmarked(part, draft)
            continue
        written = _part(part, draft)
        if written is None:
            continue
        blob = written.get("inlineData") or {}
        if "media_results" in draft.flags and blob.get("mimeType") in _IN_RESULTS:
            inside.append({key: value for key, value in written.items() if key != "level"})
        else:
            aside.append(written)
            draft.report(part["path"], "emulated", "shown by the user after the results")
    if inside:
        answer["parts"] = inside
    return {"functionResponse": answer}


def _model_parts(turn: Turn, ids: dict[str, str], draft: Draft) -> list[Json]:
    """The model's own words and calls, those that it signed as they came."""
    kept, loose = _with_calls(turn, ids, draft)
    parts: list[Json] = []
    for piece in arranged(kept, turn.text, len(loose)):
        if piece.what == "kept":
            parts.append(piece.block)
        elif piece.what == "call":
            parts.append(_call(loose[piece.number], ids, draft))
        else:
            parts += [_text(part, draft) for part in turn.parts if part.get("type") == "text"]
    parts += _parts([part for part in turn.parts if part.get("type") != "text"], draft)
    if "signatures" in draft.flags:
        first = next((place for place, part in enumerate(parts) if "functionCall" in part), None)
        if first is not None and not parts[first].get("thoughtSignature"):
            parts[first] = {**parts[first], "thoughtSignature": SKIP}
            draft.report(
                f"{turn.path}.tool_calls", "emulated", "the calls are not the model's own; marked so"
            )
    return parts


def _with_calls(turn: Turn, ids: dict[str, str], draft: Draft) -> tuple[list[Kept], list[Call]]:
    """The kept blocks that still hold, as parts, and the calls that none of them stands for."""
    calls = {call.id: call for call in turn.calls}
    kept: list[Kept] = []
    done: set[str] = set()
    for one in turn.kept:
        if one.kind != "call":
            kept.append(one)
            continue
        call = calls.get(str(one.block.get("call_id")))
        part = one.block.get("part")
        if call is None or not isinstance(part, dict) or not _same(part.get("functionCall"), call):
            draft.report(
                f"{turn.path}.reasoning_details", "dropped", "a call was changed since it was signed"
            )
            continue
        done.add(call.path)
        identity = part["functionCall"].get("id")
        if identity:
            ids[call.path] = identity
        kept.append(Kept(one.place, one.kind, part))
    return kept, [call for call in turn.calls if call.path not in done]


def _same(written: object, call: Call) -> bool:
    """Whether a call is still what the model wrote."""
    if not isinstance(written, dict) or call.custom:
        return False
    return written.get("name") == call.name and (written.get("args") or {}) == loaded(call.arguments or "{}")


def _call(call: Call, ids: dict[str, str], draft: Draft) -> Json:
    path = f"{call.path}.function.arguments"
    written: Json = {"name": call.name, "args": arguments_of(custom_arguments(call), path, draft)}
    if call.custom:
        draft.report(call.path, "emulated", "the wire knows no custom tools; sent as a function")
    if "ids" in draft.flags:
        ids[call.path] = written["id"] = fitted_id(call.id, "A-Za-z0-9_.:-")
    return {"functionCall": written}


def _parts(parts: list[Json], draft: Draft) -> list[Json]:
    written = (_part(part, draft) for part in parts)
    return [part for part in written if part is not None]


def _part(part: Json, draft: Draft) -> Json | None:
    """One content part; None where the wire cannot say it and the user chose to drop such."""
    _unmarked(part, draft)
    match part.get("type"):
        case "text":
            return {"text": part["text"]}
        case "image_url":
            return _image(part, draft)
        case "input_audio":
            return _blob(sound_of(part), part["path"], draft)
        case "file":
            return _file(part, draft)
        case kind:
            draft.refuse(part["path"], f"the wire takes no {kind} parts")
            return None


def _text(part: Json, draft: Draft) -> Json:
    _unmarked(part, draft)
    return {"text": part["text"]}


def _unmarked(part: Json, draft: Draft) -> None:
    if part.get("cache_control"):
        draft.report(f"{part['path']}.cache_control", "dropped", "caching is automatic here")


def _image(part: Json, draft: Draft) -> Json | None:
    image, path = image_of(part), f"{part['path']}.image_url.url"
    if not image.url:
        written = _blob(image, path, draft)
    elif draft.lacks("messages.image_url.remote") and not _is_own(image.url):
        draft.refuse(path, "the wire only takes images as data URLs, or files and videos of Google's")
        return None
    else:
        written = _address(image.url, image.type or _guessed(image.url), draft)
    level = _DETAILS.get(part["image_url"].get("detail") or "")
    if written is not None and level:
        if "part_resolution" in draft.flags:
            written["mediaResolution"] = {"level": level}
        else:
            written["level"] = level  # taken off again by `resolution_of`: these models take one for all
    return written


def _is_own(url: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return any(host == own or host.endswith(f".{own}") for own in _OWN_HOSTS)


def _guessed(url: str) -> str:
    return "video/*" if "youtu" in (urlsplit(url).hostname or "") else "image/jpeg"


def _address(uri: str, kind: str, draft: Draft) -> Json:
    written = {"fileUri": uri}
    # the Gemini API knows the types of its own files; Vertex has to be told
    if kind and not (draft.lacks("messages.image_url.remote") and _is_own(uri)):
        written["mimeType"] = kind
    return {"fileData": written}


def _blob(media: Media, path: str, draft: Draft) -> Json | None:
    if not media.type:
        draft.refuse(path, "nothing tells its media type; give a data URL, or a file name that ends in it")
        return None
    return {"inlineData": {"mimeType": media.type, "data": media.data}}


def _file(part: Json, draft: Draft) -> Json | None:
    file, path = file_of(part), part["path"]
    if not file.file_id and not file.url:
        return _blob(file, path, draft)
    uri, remote = file.url or file.file_id, not draft.lacks("messages.image_url.remote")
    if remote:
        if "://" in uri:
            return _address(uri, file.type or _typed(uri), draft)
        draft.refuse(path, "the wire takes files by their gs:// or https:// address alone")
        return None
    if uri.startswith("gs://") or (file.url and not _is_own(uri)):
        draft.refuse(path, "the wire only takes the ids and addresses of the API's own uploads")
        return None
    if _UPLOAD.fullmatch(uri):
        uri = f"{draft.target.base_url}/v1beta/files/{uri.removeprefix('files/')}"
    return _address(uri, file.type, draft)


def _typed(uri: str) -> str:
    return of_url(uri).type or "application/pdf"


def resolution_of(written: list[Json], draft: Draft) -> str | None:
    """The resolution for all pictures, of models that take one alone: the finest that was asked for."""
    asked = [part.pop("level") for content in written for part in content["parts"] if "level" in part]
    if not asked:
        return None
    finest = _DETAILS["high"] if _DETAILS["high"] in asked else _DETAILS["low"]
    if len(set(asked)) > 1:
        draft.report("messages", "clamped", f"one resolution holds for all pictures; {finest} is sent")
    return finest
