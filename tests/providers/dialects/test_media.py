"""Type and bytes out of the contract's parts."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mixed_requests import FILE, FILE_URL, IMAGE, NOTE, PAPER, PIXEL, REMOTE, SOUND, UPLOAD

from turnout.providers.dialects.media import Media, file_of, image_of, of_url, sound_of, text_in


def test_images() -> None:
    assert image_of(IMAGE) == Media("image/png", PIXEL)
    assert image_of(REMOTE) == Media("image/png", url="https://pictures.example/cat.png")


def test_sound() -> None:
    assert sound_of(SOUND) == Media("audio/wav", "UklGRgAAAABXQVZF")


def test_files() -> None:
    assert file_of(FILE) == Media("application/pdf", PAPER, name="paper.pdf")
    assert file_of(FILE_URL) == Media("application/pdf", PAPER)
    assert file_of(UPLOAD) == Media("", file_id="file-1")
    assert file_of({"file": {"file_data": PAPER}}) == Media("application/pdf", PAPER)
    away = {"file_data": "https://x.example/a?id=1", "filename": "a.pdf"}
    assert file_of({"file": away}) == Media("application/pdf", url="https://x.example/a?id=1", name="a.pdf")


def test_texts() -> None:
    assert text_in(file_of(NOTE)) == "Hello"
    assert text_in(file_of(FILE)) is None
    assert text_in(Media("text/plain", b64encode(b"\xff").decode())) is None
    assert text_in(Media("text/plain", "no base64!")) is None


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("data:text/plain,a%20b", Media("text/plain", "YSBi")),
        ("DATA:image/GIF;charset=x;BASE64,AAAA", Media("image/gif", "AAAA")),
        (f"data:;base64,{PIXEL}", Media("image/png", PIXEL)),
        ("data:;base64,!", Media("", "!")),
        ("gs://bucket/a.pdf", Media("application/pdf", url="gs://bucket/a.pdf")),
        ("https://pages.example/a?b=.png", Media("", url="https://pages.example/a?b=.png")),
        ("http://[", Media("", url="http://[")),
    ],
)
def test_urls(url: str, media: Media) -> None:
    assert of_url(url) == media


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"PK\x03\x04", "application/zip"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"), (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"hello", ""),
    ],
)  # fmt: skip
def test_first_bytes_tell_the_type(head: bytes, kind: str) -> None:
    assert of_url(f"data:;base64,{b64encode(head).decode()}").type == kind


@given(st.text() | st.text().map("data:{}".format) | st.text().map("https://{}".format))
@example("http://[")
def test_any_address_can_be_read(url: str) -> None:
    media = of_url(url)
    assert media.url in {"", url}
    assert not (media.url and media.data)
