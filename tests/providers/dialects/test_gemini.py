"""A request of generateContent: where it goes, who says what, and the settings of the answer."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from gemini_requests import HELLO, NEW, OLD, Fields, encoded, said, sent
from mixed_requests import IMAGE, target_of

from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.gemini import GeminiDialect
from turnout.providers.errors import MalformedResponseError, UnsupportedError
from turnout.providers.targets import resolve


def function(name: str = "now", **more: Any) -> Fields:
    """A function tool."""
    return {"type": "function", "function": {"name": name, **more}}


def user(*parts: Fields) -> Fields:
    """A user's turn on the wire."""
    return {"role": "user", "parts": list(parts)}


class TestWhereItGoes:
    def test_the_gemini_api(self) -> None:
        wire = encoded("models/x")
        assert wire.url == "https://host.example/v1beta/models/models%2Fx:generateContent"
        assert wire.headers["x-goog-api-key"] == "k"
        streamed = encoded(NEW, stream=True, stream_options={"include_usage": True})
        assert streamed.url == f"https://host.example/v1beta/models/{NEW}:streamGenerateContent?alt=sse"
        assert streamed.stream

    @pytest.mark.parametrize(
        ("location", "host"),
        [
            (None, "aiplatform.googleapis.com"),
            ("us", "aiplatform.us.rep.googleapis.com"),
            ("eu", "aiplatform.eu.rep.googleapis.com"),
            ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ],
    )
    def test_vertex_knows_its_locations(self, location: str | None, host: str) -> None:
        env = {"GOOGLE_CLOUD_PROJECT": "mine", "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.token"}
        if location:
            env["GOOGLE_CLOUD_LOCATION"] = location
        target = resolve("v", ProviderSettings(preset="vertex"), NEW, env=env)
        wire = GeminiDialect().encode(ChatCompletion.parse({"model": "m", "messages": [HELLO]}), target)
        place = f"v1beta1/projects/mine/locations/{location or 'global'}/publishers/google/models"
        assert wire.url == f"https://{host}/{place}/{NEW}:generateContent"
        assert wire.headers["authorization"] == "Bearer ya29.token"
        listing = GeminiDialect().models_request(target)
        assert listing.url == f"https://{host}/v1beta1/publishers/google/models"

    def test_vertex_with_a_key_alone(self) -> None:
        target = resolve(
            "v", ProviderSettings(preset="vertex-express"), NEW, env={"GOOGLE_API_KEY": "k" * 20}
        )
        wire = GeminiDialect().models_request(target)
        assert wire.url == "https://aiplatform.googleapis.com/v1beta1/publishers/google/models"
        assert wire.headers["x-goog-api-key"] == "k" * 20

    def test_models(self) -> None:
        target, dialect = target_of("google", ""), GeminiDialect()
        assert dialect.models_request(target).url.endswith("/v1beta/models?pageSize=1000")
        body = json.dumps({"models": [{"name": "models/gemini-3.8-flash", "inputTokenLimit": 9}, {}]})
        first, second = dialect.models(body.encode(), target).data
        assert (first.id, first.owned_by, second.id) == ("gemini-3.8-flash", "google", "")
        assert first.wire()["inputTokenLimit"] == 9
        published = json.dumps({"publisherModels": [{"name": "publishers/google/models/x", "created": "?"}]})
        assert [model.id for model in dialect.models(published.encode(), target).data] == ["x"]
        with pytest.raises(MalformedResponseError):
            dialect.models(b'{"error": 1}', target)


class TestWhoSaysWhat:
    def test_instructions(self) -> None:
        body, changes = sent(
            NEW,
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": "Be kind."},
                HELLO,
                {"role": "system", "content": "Be quick."},
            ],
        )
        assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
        assert body["contents"] == [user({"text": "Hello"}, {"text": "Be quick."})]
        assert changes == ["messages[3] emulated"]

    def test_instructions_alone_are_the_users_words(self) -> None:
        body, changes = sent(NEW, messages=[{"role": "system", "content": "Be brief."}])
        assert body["contents"] == [user({"text": "Be brief."})]
        assert "systemInstruction" not in body
        assert changes == ["messages emulated"]

    def test_a_model_without_instructions(self) -> None:
        system = {"role": "system", "content": "Be brief."}
        contents, changes = said("gemma-3-27b-it", system, HELLO)
        assert contents == [user({"text": "Be brief."}, {"text": "Hello"})]
        assert changes == ["messages[0] emulated"]

    def test_instructions_are_text(self) -> None:
        image = {"role": "system", "content": [IMAGE]}
        with pytest.raises(UnsupportedError):
            said(NEW, image, HELLO)
        assert said(NEW, image, HELLO, drop=True)[1] == ["messages[0].content[0] dropped"]

    def test_nothing_said_at_all(self) -> None:
        assert said(NEW, {"role": "user", "content": ""})[0] == [user({"text": ""})]

    def test_neighbours_are_joined(self) -> None:
        contents, _ = said(NEW, HELLO, HELLO, {"role": "assistant", "content": "Hi"}, HELLO)
        assert [len(content["parts"]) for content in contents] == [2, 1, 1]

    def test_the_model_never_begins(self) -> None:
        contents, changes = said(NEW, {"role": "assistant", "content": "Hi"}, HELLO)
        assert contents[0] == user({"text": ""})
        assert changes == ["messages emulated"]

    def test_the_model_may_not_have_the_last_word(self) -> None:
        messages = (HELLO, {"role": "assistant", "content": "Once"})
        contents, changes = said(NEW, *messages)
        assert (contents[-1], changes) == (user({"text": "Continue."}), ["messages emulated"])
        assert said(OLD, *messages)[0][-1]["role"] == "model"


class TestTheRest:
    def test_settings(self) -> None:
        body, changes = sent(
            OLD,
            temperature=1.5,
            top_p=0.5,
            top_k=4,
            n=2,
            seed=2**40,
            stop=["\n", "b"],
            max_completion_tokens=9,
            logprobs=True,
            top_logprobs=3,
            presence_penalty=1,
            frequency_penalty=-1,
        )
        assert body["generationConfig"] == {
            "temperature": 1.5,
            "topP": 0.5,
            "topK": 4,
            "candidateCount": 2,
            "seed": 2**31 - 1,
            "stopSequences": ["\n", "b"],
            "maxOutputTokens": 9,
            "responseLogprobs": True,
            "logprobs": 3,
            "presencePenalty": 1,
            "frequencyPenalty": -1,
            "thinkingConfig": {"includeThoughts": True},
        }
        assert changes == ["seed clamped"]

    def test_the_newest_models_heed_no_sampling(self) -> None:
        body, changes = sent(
            "gemini-4-neon", temperature=1, top_p=0.5, top_k=4, n=1, presence_penalty=1, logprobs=True
        )
        assert body["generationConfig"] == {
            "responseLogprobs": True,
            "thinkingConfig": {"includeThoughts": True},
        }
        assert changes == [
            "temperature dropped",
            "top_p dropped",
            "top_k dropped",
            "presence_penalty dropped",
        ]
        with pytest.raises(UnsupportedError):
            sent("gemini-4-neon", n=2)
        assert sent("gemini-4-neon", n=2, drop=True)[1] == ["n dropped"]

    @pytest.mark.parametrize(
        ("tier", "written"),
        [
            ("flex", "flex"),
            ("priority", "priority"),
            ("default", "standard"),
            ("auto", None),
            ("scale", None),
        ],
    )
    def test_tiers(self, tier: str, written: str | None) -> None:
        body, changes = sent(NEW, service_tier=tier)
        assert body.get("serviceTier") == written
        assert changes == (["service_tier dropped"] if tier == "scale" else [])
        wire = encoded(NEW, preset="vertex-express", service_tier=tier)
        header = "x-vertex-ai-llm-shared-request-type"
        assert wire.headers.get(header) == (written if written != "standard" else None)

    def test_labels_and_storage(self) -> None:
        body, changes = sent(NEW, metadata={"team": "search-1", "Team": "x", "note": "Ä"}, store=True)
        assert (body["labels"], body["store"]) == ({"team": "search-1"}, True)
        assert changes == ["metadata.Team dropped", "metadata.note dropped"]
        assert sent(NEW, preset="vertex-express", store=True)[1] == ["store dropped"]

    def test_what_passes(self) -> None:
        safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
        body, changes = sent(
            OLD,
            safety_settings=safety,
            responseModalities=["TEXT", "IMAGE"],
            generationConfig={"topP": 0.1},
            top_p=1,
        )
        assert body["safetySettings"] == safety
        assert body["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]
        assert body["generationConfig"]["topP"] == 0.1
        assert changes == []

    def test_cached_content_brings_its_own(self) -> None:
        system = {"role": "system", "content": "x"}
        body, changes = sent(
            NEW, messages=[system, HELLO], cachedContent="c/1", tools=[function()], tool_choice="auto"
        )
        assert body.keys() == {"contents", "cachedContent", "generationConfig"}
        assert changes == ["messages dropped", "tools dropped", "tool_choice dropped"]

    def test_speech(self) -> None:
        wanted = {"modalities": ["audio"], "audio": {"voice": "Kore", "format": "wav"}}
        body, changes = sent("gemini-2.5-flash-preview-tts", **wanted)
        voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
        assert body["generationConfig"] == {"responseModalities": ["AUDIO"], "speechConfig": voice}
        assert changes == ["audio.format dropped"]
        with pytest.raises(UnsupportedError):
            sent(NEW, **wanted)

    def test_what_nobody_here_knows_is_reported(self) -> None:
        _, changes = sent(NEW, user="u", logit_bias={"1": 2}, verbosity="low", min_p=0.1, tags={"a": "b"})
        assert sorted(changes) == [
            "logit_bias dropped",
            "min_p dropped",
            "tags dropped",
            "user dropped",
            "verbosity dropped",
        ]

    def test_the_target_is_left_alone(self) -> None:
        target = target_of("gemini", NEW)
        before = dataclasses.replace(target)
        GeminiDialect().encode(ChatCompletion.parse({"model": "m", "messages": [HELLO]}), target)
        assert target == before
