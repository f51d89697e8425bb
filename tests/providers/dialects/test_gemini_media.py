"""Pictures, sound and files in the parts of generateContent."""

from __future__ import annotations

from typing import Any

import pytest
from gemini_requests import HELLO, NEW, OLD, Fields, sent
from mixed_requests import IMAGE, SOUND

from turnout.providers.errors import UnsupportedError


def image(url: str) -> Fields:
    """A picture at an address."""
    return {"type": "image_url", "image_url": {"url": url}}


def file(**fields: Any) -> Fields:
    """A file."""
    return {"type": "file", "file": fields}


def address(uri: str, kind: str | None = None) -> Fields:
    """A file on the wire."""
    return {"fileData": {"fileUri": uri, **({"mimeType": kind} if kind else {})}}


UPLOADS = "https://generativelanguage.googleapis.com/v1beta/files/A"
HERE = "https://host.example/v1beta/files/"
MOVIE = "https://www.youtube.com/watch?v=1"
CAT = "https://a.example/cat"


@pytest.mark.parametrize(
    ("preset", "part", "written"),
    [
        ("gemini", SOUND, {"inlineData": {"mimeType": "audio/wav", "data": "UklGRgAAAABXQVZF"}}),
        (
            "gemini",
            file(file_data="SGk=", filename="a.txt"),
            {"inlineData": {"mimeType": "text/plain", "data": "SGk="}},
        ),
        ("gemini", file(file_id="abc-1", filename="a.pdf"), address(f"{HERE}abc-1", "application/pdf")),
        ("gemini", file(file_id="files/abc"), address(f"{HERE}abc")),
        ("gemini", file(file_id=UPLOADS), address(UPLOADS)),
        ("gemini", image(MOVIE), address(MOVIE)),
        ("vertex-express", image(MOVIE), address(MOVIE, "video/*")),
        ("vertex-express", image(f"{CAT}.png"), address(f"{CAT}.png", "image/png")),
        ("vertex-express", image(CAT), address(CAT, "image/jpeg")),
        ("vertex-express", file(file_id="gs://b/a.txt"), address("gs://b/a.txt", "text/plain")),
        ("vertex-express", file(file_id="gs://b/a"), address("gs://b/a", "application/pdf")),
    ],
)
def test_how_they_are_written(preset: str, part: Fields, written: Fields) -> None:
    body, changes = sent(NEW, preset=preset, messages=[{"role": "user", "content": [part]}])
    assert body["contents"] == [{"role": "user", "parts": [written]}]
    assert changes == []


@pytest.mark.parametrize(
    ("preset", "part"),
    [
        ("gemini", image(f"{CAT}.png")),
        ("gemini", file(file_id="gs://b/a")),
        ("gemini", file(file_data="AAAA")),
        ("gemini", {"type": "video", "video": {}}),
        ("vertex-express", file(file_id="files/abc")),
    ],
)
def test_what_cannot_be_said_is_refused(preset: str, part: Fields) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "x"}, part]}]
    with pytest.raises(UnsupportedError):
        sent(NEW, messages=messages, preset=preset)
    body, changes = sent(NEW, messages=messages, preset=preset, drop=True)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "x"}]}]
    assert [change.split()[1] for change in changes] == ["dropped"]


def test_resolutions() -> None:
    fine = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}}
    message = {"role": "user", "content": [IMAGE, fine]}
    body, _ = sent(NEW, messages=[message])
    levels = [part["mediaResolution"]["level"] for part in body["contents"][0]["parts"]]
    assert levels == ["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH"]
    body, changes = sent(OLD, messages=[message])
    assert body["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_HIGH"
    assert [list(part) for part in body["contents"][0]["parts"]] == [["inlineData"]] * 2
    assert changes == ["messages clamped"]


def test_cache_marks_are_reported() -> None:
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    now: Fields = {"name": "now"}
    called = {"id": "a", "type": "function", "function": {**now, "arguments": "{}"}}
    messages = [
        {"role": "system", "content": [marked]},
        HELLO,
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "a", "content": [marked]},
    ]
    tool = {"type": "function", "function": now, "cache_control": {"type": "ephemeral"}}
    _, changes = sent(NEW, messages=messages, tools=[tool])
    assert [change for change in changes if "cache" in change] == [
        "tools[0].cache_control dropped",
        "messages[0].content[0].cache_control dropped",
        "messages[3].content[0].cache_control dropped",
    ]
