"""Conversations as Anthropic takes them: instructions, turns, kept blocks and content parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic_requests import (
    ANTHROPIC,
    CALL,
    MARK,
    NEW,
    OLD,
    RESULT,
    USER,
    Fields,
    adapted,
    at,
    encoded,
    sent,
)
from mixed_requests import PAPER, PIXEL

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.keeping import keep
from turnout.providers.errors import UnsupportedError


class TestSystem:
    def test_leading_instructions_are_one_text(self) -> None:
        body = sent(NEW, {"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, USER)
        assert body["system"] == "A\n\nB"

    def test_marked_ones_are_blocks(self) -> None:
        parts = [{"type": "text", "text": "A", "cache_control": MARK}, {"type": "text", "text": "B"}]
        body = sent(NEW, {"role": "system", "content": parts}, USER)
        assert body["system"] == [{"type": "text", "text": "A", "cache_control": MARK},
                                  {"type": "text", "text": "B"}]  # fmt: skip

    def test_later_ones_have_a_role_where_the_model_knows_it(self) -> None:
        late = {"role": "system", "content": "Now in French."}
        body = sent("claude-opus-4-8", USER, late)
        assert body["messages"][-1] == {"role": "system", "content": "Now in French."}
        answered = sent("claude-opus-5", USER, late, {"role": "assistant", "content": "Oui"}, USER)
        assert answered["messages"][1]["role"] == "system"

    @pytest.mark.parametrize("model", [OLD, NEW, "claude-haiku-5-5", "claude-next"])
    def test_else_they_are_text_of_the_user(self, model: str) -> None:
        wire = encoded(model, USER, {"role": "system", "content": "Now in French."})
        text = "<system>\nNow in French.\n</system>"
        blocks = [{"type": "text", "text": "Hi"}, {"type": "text", "text": text}]
        assert json.loads(wire.body)["messages"] == [{"role": "user", "content": blocks}]
        assert adapted(wire)["messages[1]"] == "emulated"

    def test_between_two_user_turns_there_is_no_role_for_it(self) -> None:
        body = sent("claude-opus-4-8", USER, {"role": "system", "content": "S"}, USER)
        assert [message["role"] for message in body["messages"]] == ["user"]

    def test_nothing_but_instructions(self) -> None:
        wire = encoded(NEW, {"role": "system", "content": "S"})
        assert json.loads(wire.body)["messages"] == [{"role": "user", "content": "."}]
        assert adapted(wire)["messages[0]"] == "emulated"


class TestTurns:
    def test_the_user_speaks_first(self) -> None:
        wire = encoded(OLD, {"role": "assistant", "content": "Hello!"}, USER)
        assert [one["role"] for one in json.loads(wire.body)["messages"]] == ["user", "assistant", "user"]
        assert adapted(wire)["messages[0]"] == "emulated"

    def test_the_start_of_an_answer(self) -> None:
        wire = encoded(OLD, USER, {"role": "assistant", "content": "The answer is \n"})
        assert json.loads(wire.body)["messages"][-1] == {"role": "assistant", "content": "The answer is"}
        assert adapted(wire)["messages[1]"] == "clamped"

    @pytest.mark.parametrize(("model", "fields"), [("claude-opus-4-6", {}), (OLD, {"enable_thinking": True})])
    def test_is_refused_by_newer_models_and_while_thinking(self, model: str, fields: Fields) -> None:
        wire = encoded(model, USER, {"role": "assistant", "content": "The answer is"}, **fields)
        assert json.loads(wire.body)["messages"][-1] == {"role": "user", "content": "Go on."}
        assert adapted(wire)["messages[1]"] == "emulated"

    def test_a_paused_turn_goes_on(self) -> None:
        block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
        paused = {"role": "assistant", "content": "",
                  "reasoning_details": [keep(at(NEW), "anthropic", "server", 0, block)]}  # fmt: skip
        assert sent(NEW, USER, paused)["messages"][-1] == {"role": "assistant", "content": [block]}

    def test_blocks_go_back_in_their_order(self) -> None:
        target = at(NEW)
        blocks: list[Fields] = [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "text", "text": "I look. "},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "Done.", "citations": [{"type": "char_location", "cited_text": "x"}]},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
        ]
        body = {"id": "msg_1", "content": blocks, "stop_reason": "tool_use", "usage": {}}
        request = ChatCompletion.parse({"model": "m", "messages": [USER]})
        answer = ANTHROPIC.decode(json.dumps(body).encode(), request, target)
        message = answer.choices[0].message.wire()
        assert sent(NEW, USER, message, RESULT)["messages"][1]["content"] == blocks

        changed = {**message, "content": "Else."}
        types = [one["type"] for one in sent(NEW, USER, changed, RESULT)["messages"][1]["content"]]
        assert sorted(types) == sorted(["thinking", "text", "server_tool_use", "web_search_tool_result",
                                        "tool_use"])  # fmt: skip
        marked = {**message, "content": [{"type": "text", "text": "I look. Done.", "cache_control": MARK}]}
        last = sent(NEW, USER, marked, RESULT)["messages"][1]["content"][-1]
        assert last == {**blocks[-1], "cache_control": MARK}

    def test_thinking_alone_is_no_message(self) -> None:
        block = {"type": "thinking", "thinking": "Hm", "signature": "s"}
        cut = {"role": "assistant", "content": "",
               "reasoning_details": [keep(at(NEW), "anthropic", "thinking", 0, block)]}  # fmt: skip
        wire = encoded(NEW, USER, cut, USER)
        assert [one["role"] for one in json.loads(wire.body)["messages"]] == ["user"]
        assert adapted(wire)["messages[1]"] == "dropped"

    def test_foreign_signatures_stay_at_home(self) -> None:
        foreign = keep(at("claude-opus-4-6"), "anthropic", "thinking", 0, {"type": "thinking"})
        wire = encoded(NEW, USER, {"role": "assistant", "content": "A", "reasoning_details": [foreign]}, USER)
        assert json.loads(wire.body)["messages"][1]["content"] == "A"
        assert adapted(wire)["messages[1].reasoning_details"] == "dropped"

    def test_results_come_first_and_ids_fit_on_both_sides(self) -> None:
        call = {**CALL, "id": "call:1/é", "vendor": "x", "caller": {"type": "direct"}}
        result = {**RESULT, "tool_call_id": "call:1/é", "is_error": True, "content": [
            {"type": "text", "text": "none", "cache_control": MARK},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}  # fmt: skip
        wire = encoded(NEW, USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result, USER)
        _, said, back = json.loads(wire.body)["messages"]
        first, text = back["content"]
        assert said["content"][0].keys() == {"type", "id", "name", "input"}
        assert first["tool_use_id"] == said["content"][0]["id"] != "call:1/é"
        assert (first["is_error"], first["cache_control"], text["text"]) == (True, MARK, "Hi")
        assert [part["type"] for part in first["content"]] == ["text", "image"]
        assert adapted(wire)["messages[1].tool_calls[0].vendor"] == "dropped"

    def test_names_of_old_calls_fit(self) -> None:
        call = {"id": "call_1", "type": "function", "function": {"name": "get weather!", "arguments": "4"}}
        wire = encoded(NEW, USER, {"role": "assistant", "content": None, "tool_calls": [call]}, RESULT)
        block = json.loads(wire.body)["messages"][1]["content"][0]
        assert (block["name"], block["input"]) == ("get_weather_", {"arguments": "4"})

    def test_where_a_call_came_from_goes_back_with_its_blocks(self) -> None:
        block = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {}}
        caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
        message = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "native_caller": caller}],
                   "reasoning_details": [keep(at(NEW), "anthropic", "server", 0, block)]}  # fmt: skip
        assert sent(NEW, USER, message, RESULT)["messages"][1]["content"][1]["caller"] == caller


class TestParts:
    def one(self, part: Fields, **options: Any) -> Any:
        return sent(NEW, {"role": "user", "content": [part]}, **options)["messages"][0]["content"]

    def test_images(self) -> None:
        far = self.one({"type": "image_url", "image_url": {"url": "https://pictures.example/a.gif"}})
        near = self.one({"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}})
        assert far[0]["source"] == {"type": "url", "url": "https://pictures.example/a.gif"}
        assert near[0]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": PIXEL}

    @pytest.mark.parametrize(
        "part",
        [
            {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,SUkq"}},
            {"type": "image_url", "image_url": {"url": "data:image/png"}},
            {"type": "file", "file": {"file_data": "gs://bucket/a.pdf"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_data": "UEsDBA==", "filename": "a.docx"}},
            {"type": "video_url", "video_url": {"url": "https://films.example/a.mp4"}},
        ],
    )
    def test_what_the_wire_cannot_take(self, part: Fields) -> None:
        with pytest.raises(UnsupportedError):
            self.one({**part, "cache_control": MARK})
        wire = encoded(NEW, {"role": "user", "content": [{**part, "cache_control": MARK}]}, USER, drop=True)
        assert adapted(wire)["messages[0].content[0]"] == "dropped"
        assert adapted(wire)["messages[0].content[0].cache_control"] == "dropped"

    def test_files(self) -> None:
        paper = self.one({"type": "file", "file": {"file_data": PAPER, "filename": "a.pdf"},
                          "citations": {"enabled": True}})  # fmt: skip
        source = {"type": "base64", "media_type": "application/pdf", "data": PAPER}
        wanted = {"type": "document", "title": "a.pdf", "citations": {"enabled": True}, "source": source}
        assert paper == [wanted]
        upload = self.one({"type": "file", "file": {"file_id": "file_1"}})
        assert upload[0]["source"] == {"type": "file", "file_id": "file_1"}
        note = self.one({"type": "file", "file": {"file_data": "data:text/markdown;base64,SGVsbG8="}})
        assert note[0]["source"] == {"type": "text", "media_type": "text/plain", "data": "Hello"}
        web = self.one({"type": "file", "file": {"file_data": "https://papers.example/a.pdf"}})
        assert web[0]["source"] == {"type": "url", "url": "https://papers.example/a.pdf"}
        image = self.one({"type": "file", "file": {"file_data": f"data:image/png;base64,{PIXEL}"}})
        assert image[0]["type"] == "image"

    def test_blocks_of_its_own_pass(self) -> None:
        block = {"type": "search_result", "source": "s", "title": "t", "content": []}
        assert self.one(block) == [block]

    def test_old_models_see_and_read_nothing(self) -> None:
        for part in (
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.gif"}},
            {"type": "file", "file": {"file_id": "file_1"}},
        ):
            with pytest.raises(UnsupportedError, match="model"):
                encoded("claude-2.1", {"role": "user", "content": [part]})

    def test_the_assistant_only_says_text(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.gif"}}
        with pytest.raises(UnsupportedError, match="assistant"):
            encoded(NEW, USER, {"role": "assistant", "content": [image]}, USER)

    def test_unknown_fields_are_reported(self) -> None:
        text = {"type": "text", "text": "Hi", "shade": "blue"}
        look = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.gif", "detail": "low"}}
        wire = encoded(NEW, {"role": "user", "content": [text, look]})
        assert adapted(wire).keys() >= {
            "messages[0].content[0].shade",
            "messages[0].content[1].image_url.detail",
        }
