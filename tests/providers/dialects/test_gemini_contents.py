"""Calls, their results and signed blocks in the contents of generateContent."""

from __future__ import annotations

from typing import Any

from gemini_requests import HELLO, NEW, OLD, Fields, said
from mixed_requests import IMAGE, PIXEL, SOUND

SKIP = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="


def call(identity: str, arguments: str = "{}", name: str = "now") -> Fields:
    """A tool call in a history."""
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def asked(*calls: Fields, **more: Any) -> Fields:
    """An assistant's message that calls tools."""
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def result(identity: str, content: Any = "9") -> Fields:
    """What came of a call."""
    return {"role": "tool", "tool_call_id": identity, "content": content}


def kept(part: Fields, *, kind: str = "call", index: int = 0, model: str = NEW) -> Fields:
    """A block that came from this provider."""
    block = {"call_id": part["functionCall"].get("id"), "part": part} if kind == "call" else part
    return {"type": f"gemini.{kind}", "provider": "p", "model": model, "index": index, "block": block}


SIGNED: Fields = {"functionCall": {"id": "a", "name": "now", "args": {"x": 1}}, "thoughtSignature": "U2ln"}


class TestForeignCalls:
    def test_results_stand_alone_in_the_order_of_the_calls(self) -> None:
        calls = asked(call("a", '{"x": 1}'), call("b", name="later"))
        contents, changes = said(OLD, HELLO, calls, result("b", "two"), result("a", ""), HELLO)
        assert contents[1]["parts"] == [
            {"functionCall": {"name": "now", "args": {"x": 1}}},
            {"functionCall": {"name": "later", "args": {}}},
        ]
        assert contents[2]["parts"] == [
            {"functionResponse": {"name": "now", "response": {"output": ""}}},
            {"functionResponse": {"name": "later", "response": {"output": "two"}}},
        ]
        assert contents[3] == {"role": "user", "parts": [{"text": "Hello"}]}
        assert changes == []

    def test_an_unanswered_call_gets_a_note(self) -> None:
        contents, changes = said(OLD, HELLO, asked(call("a")), HELLO)
        assert "No result" in contents[2]["parts"][0]["functionResponse"]["response"]["error"]
        assert changes == ["messages[1].tool_calls[0] emulated"]

    def test_they_skip_the_check_of_their_signature(self) -> None:
        first, second = asked(call("a/ä"), call("b")), asked(call("c"))
        contents, changes = said(NEW, HELLO, first, result("a/ä"), result("b"), second, result("c"))
        calls = [part for content in contents for part in content["parts"] if "functionCall" in part]
        assert [part.get("thoughtSignature") for part in calls] == [SKIP, None, SKIP]
        assert changes == ["messages[1].tool_calls emulated", "messages[4].tool_calls emulated"]
        ids = [part["functionCall"]["id"] for part in calls]
        assert ids[1:] == ["b", "c"]
        assert contents[2]["parts"][0]["functionResponse"]["id"] == ids[0] != "a/ä"

    def test_an_older_model_needs_neither_signature_nor_id(self) -> None:
        contents, changes = said("gemini-2.0-flash", HELLO, asked(call("a")), result("a"))
        assert contents[1]["parts"] == [{"functionCall": {"name": "now", "args": {}}}]
        assert changes == []

    def test_free_text_calls_become_functions(self) -> None:
        custom = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
        contents, changes = said(OLD, HELLO, asked(custom), result("a"))
        assert contents[1]["parts"][0]["functionCall"]["args"] == {"input": "select 1"}
        assert changes == ["messages[1].tool_calls[0] emulated"]
        details = [kept({"functionCall": {"id": "a", "name": "sql"}}, model=OLD)]
        _, changes = said(OLD, HELLO, asked(custom, reasoning_details=details), result("a"))
        assert "messages[1].reasoning_details dropped" in changes


class TestOwnBlocks:
    def test_calls_come_back_as_they_were(self) -> None:
        first = {"functionCall": {"id": "a", "name": "now", "args": {"x": 1.0}}, "thoughtSignature": "U2ln"}
        second = {"functionCall": {"id": "b", "name": "now"}}
        message = {
            **asked(call("a", '{"x": 1.0}'), call("b")),
            "content": "Look",
            "reasoning_details": [kept(second, index=2), kept(first, index=1)],
        }
        contents, changes = said(NEW, HELLO, message, result("a"), result("b"))
        assert contents[1]["parts"] == [{"text": "Look"}, first, second]
        assert [part["functionResponse"]["id"] for part in contents[2]["parts"]] == ["a", "b"]
        assert changes == []

    def test_a_call_without_an_id_of_googles_gets_none(self) -> None:
        part = {"functionCall": {"name": "now", "args": {}}, "thoughtSignature": "U2ln"}
        block = kept(part)
        block["block"]["call_id"] = "call_made"
        message = asked(call("call_made"), reasoning_details=[{**block, "model": "gemini-3-pro"}])
        contents, _ = said("gemini-3-pro", HELLO, message, result("call_made"))
        assert contents[1]["parts"] == [part]
        assert "id" not in contents[2]["parts"][0]["functionResponse"]

    def test_a_changed_call_loses_its_signature(self) -> None:
        changes = (
            call("a", '{"x": 2}'),
            call("a", name="other"),
            call("z", '{"x": 1}'),
            call("a", "no json"),
        )
        for changed in changes:
            message = asked(changed, reasoning_details=[kept(SIGNED)])
            contents, told = said(NEW, HELLO, message, result(changed["id"]))
            assert contents[1]["parts"][0]["thoughtSignature"] == SKIP
            assert "messages[1].reasoning_details dropped" in told

    def test_signed_text_comes_back_as_it_was(self) -> None:
        details = [
            kept({"text": "One. "}, kind="text"),
            kept({"executableCode": {"code": "1"}}, kind="part", index=1),
            kept({"text": "Two.", "thoughtSignature": "U2ln"}, kind="text", index=2),
            kept({"text": "", "thoughtSignature": "RW5k"}, kind="part", index=3),
        ]
        message = {"role": "assistant", "content": "One. Two.", "reasoning_details": details}
        contents, _ = said(NEW, HELLO, message, HELLO)
        assert contents[1]["parts"] == [detail["block"] for detail in details]
        changed, _ = said(NEW, HELLO, {**message, "content": "Three."}, HELLO)
        assert {"text": "Three."} in changed[1]["parts"]
        assert not any("Two." in part.get("text", "") for part in changed[1]["parts"])

    def test_another_models_blocks_stay_away(self) -> None:
        details = [kept(SIGNED, model="gemini-3.7-flash")]
        message = asked(call("a", '{"x": 1}'), reasoning_details=details)
        contents, changes = said(NEW, HELLO, message, result("a"))
        assert contents[1]["parts"][0]["thoughtSignature"] == SKIP
        assert "messages[1].reasoning_details dropped" in changes


class TestPicturesInResults:
    HISTORY = (HELLO, asked(call("a")), result("a", [{"type": "text", "text": "see"}, IMAGE, SOUND]))

    def test_newer_models_take_them(self) -> None:
        contents, changes = said("gemini-3-flash-preview", *self.HISTORY)
        answer = contents[2]["parts"][0]["functionResponse"]
        assert answer["response"] == {"output": "see"}
        blob = {"mimeType": "image/png", "data": PIXEL}
        assert answer["parts"] == [{"inlineData": blob, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}]
        assert [list(part) for part in contents[3]["parts"]] == [["inlineData"]]  # the sound
        assert "messages[2].content[2] emulated" in changes

    def test_others_see_them_afterwards(self) -> None:
        contents, _ = said(OLD, *self.HISTORY)
        assert "parts" not in contents[2]["parts"][0]["functionResponse"]
        assert len(contents[3]["parts"]) == 2

    def test_what_is_none(self) -> None:
        strange = result("a", [{"type": "hologram"}])
        _, changes = said(OLD, HELLO, asked(call("a")), strange, drop=True)
        assert changes == ["messages[2].content[0] dropped"]
