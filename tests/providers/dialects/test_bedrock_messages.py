"""A conversation in Converse's messages, as each maker's models want it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bedrock_requests import (
    ASKED,
    CALL,
    CLAUDE,
    DIALECT,
    HI,
    IMAGE,
    LLAMA,
    MARK,
    NOVA,
    PDF,
    SOUND,
    TOLD,
    TOOL,
    content,
    roles,
    sent,
)
from mixed_requests import PAPER, PIXEL, target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.errors import UnsupportedError


class TestMessages:
    def test_instructions_come_first_and_later_ones_are_the_users(self) -> None:
        body, adapted = sent(
            {"role": "system", "content": "A"},
            {"role": "developer", "content": [{"type": "text", "text": "B"}]},
            HI,
            {"role": "system", "content": "C"},
            model=NOVA,
        )
        assert body["system"] == [{"text": "A"}, {"text": "B"}]
        assert content(body) == [{"text": "Hi"}, {"text": "C"}]
        assert adapted == {"messages[3]": "emulated"}
        with pytest.raises(UnsupportedError, match="only text from the system"):
            sent({"role": "system", "content": [IMAGE]}, HI)

    def test_who_begins_and_who_ends(self) -> None:
        said = {"role": "assistant", "content": "Well "}
        body, adapted = sent(said, HI, model=NOVA)
        assert roles(body) == ["user", "assistant", "user"]
        assert content(body) == [{"text": "."}]
        assert adapted == {"messages[0]": "emulated"}
        assert roles(sent(said, HI)[0]) == ["assistant", "user"]
        assert content(sent(HI, said)[0], 1) == [{"text": "Well"}]
        with pytest.raises(UnsupportedError, match="does not go on"):
            sent(HI, said, model="us.anthropic.claude-sonnet-5")
        assert roles(sent(HI, said, model=NOVA, policy="drop")[0]) == ["user", "assistant", "user"]

    def test_nothing_but_instructions(self) -> None:
        body, _ = sent({"role": "system", "content": "A"})
        assert body["messages"] == [{"role": "user", "content": [{"text": "."}]}]

    def test_images_sound_and_documents(self) -> None:
        body, adapted = sent({"role": "user", "content": [IMAGE, SOUND, PDF, PDF]}, model="some.model-v1:0")
        assert content(body) == [
            {"text": "."},
            {"image": {"format": "png", "source": {"bytes": PIXEL}}},
            {"audio": {"format": "wav", "source": {"bytes": "UklGRgAA"}}},
            {"document": {"format": "pdf", "name": "doc-1", "source": {"bytes": PAPER}}},
            {"document": {"format": "pdf", "name": "doc-2", "source": {"bytes": PAPER}}},
        ]
        assert list(adapted.values()) == ["renamed", "renamed", "emulated"]

    @pytest.mark.parametrize(
        ("file", "block"),
        [
            ({"file_data": "SGVsbG8=", "filename": "a.md"}, "md"),
            ({"file_data": "data:text/x-python;base64,SGVsbG8="}, "txt"),
            ({"file_data": "SGVs\nbG8=", "filename": "a.csv"}, "csv"),
            ({"file_id": "s3://bucket/a.pdf", "filename": "a.pdf"}, "pdf"),
        ],
    )
    def test_documents_by_their_kind(self, file: dict[str, Any], block: str) -> None:
        body, _ = sent({"role": "user", "content": [{"type": "file", "file": file}]}, model=NOVA)
        document = content(body)[1]["document"]
        assert document["format"] == block
        assert document["source"] in (
            {"bytes": "SGVsbG8="},
            {"s3Location": {"uri": "s3://bucket/a.pdf"}},
        )

    def test_a_picture_sent_as_a_file(self) -> None:
        part = {"type": "file", "file": {"file_data": f"data:image/png;base64,{PIXEL}"}}
        assert "image" in content(sent({"role": "user", "content": [part]})[0])[0]

    @pytest.mark.parametrize(
        ("model", "part", "says"),
        [
            (NOVA, {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}, "as data"),
            (NOVA, {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}}, "png, jpeg"),
            ("us.amazon.nova-micro-v1:0", IMAGE, "sees no images"),
            (CLAUDE, SOUND, "hears no sound"),
            ("us.amazon.nova-micro-v1:0", PDF, "reads no documents"),
            (NOVA, {"type": "file", "file": {"file_id": "file-1"}}, "as data"),
            (NOVA, {"type": "file", "file": {"file_data": "data:application/zip;base64,AAA="}}, "pdf, csv"),
            (NOVA, {"type": "hologram", "hologram": {}}, "no part 'hologram'"),
        ],
    )
    def test_parts_that_cannot_be_said(self, model: str, part: dict[str, Any], says: str) -> None:
        message = {"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}
        with pytest.raises(UnsupportedError, match=says):
            sent(message, model=model)
        body, adapted = sent(message, model=model, policy="drop")
        assert content(body) == [{"text": "Hi"}]
        assert adapted == {"messages[0].content[1]": "dropped"}

    def test_the_wires_own_parts_pass(self) -> None:
        video = {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v.mp4"}}}
        body, _ = sent({"role": "user", "content": [{"type": "video", "video": video}]}, model=NOVA)
        assert content(body) == [{"video": video}]
        image = {"type": "image_url", "image_url": {**IMAGE["image_url"], "detail": "low"}}
        assert sent({"role": "user", "content": [image]})[1] == {
            "messages[0].content[0].image_url.detail": "dropped"
        }


class TestToolHistory:
    def test_calls_results_and_their_ids(self) -> None:
        first = {**CALL, "id": "a/b"}
        body, adapted = sent(
            HI,
            {"role": "assistant", "content": "So", "tool_calls": [first, {**CALL, "index": 4}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "", "is_error": True},
            {"role": "tool", "tool_call_id": "a/b", "content": [{"type": "text", "text": "x"}, IMAGE]},
            tools=[TOOL],
        )
        text, one, two = content(body, 1)
        identity = one["toolUse"]["toolUseId"]
        assert text == {"text": "So"}
        assert identity.startswith("call_")
        assert one["toolUse"]["input"] == {"zone": "CET"}
        assert two["toolUse"]["toolUseId"] == "call_1"
        assert content(body, 2) == [
            {
                "toolResult": {
                    "toolUseId": identity,
                    "content": [{"text": "x"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}],
                    "status": "success",
                }
            },
            {"toolResult": {"toolUseId": "call_1", "content": [{"text": "(no output)"}], "status": "error"}},
        ]
        assert adapted == {"messages[1].tool_calls[1]": "dropped"}

    def test_ids_that_come_twice_are_told_apart(self) -> None:
        body, _ = sent(HI, ASKED, TOLD, ASKED, TOLD, tools=[TOOL])
        used = [content(body, place)[0]["toolUse"]["toolUseId"] for place in (1, 3)]
        answered = [content(body, place)[0]["toolResult"]["toolUseId"] for place in (2, 4)]
        assert used == answered
        assert len(set(used)) == 2

    def test_families_that_want_results_alone(self) -> None:
        history = (HI, ASKED, TOLD, HI)
        body, adapted = sent(*history, model=LLAMA, tools=[TOOL])
        assert roles(body) == ["user", "assistant", "user", "assistant", "user"]
        assert content(body, 3) == [{"text": "."}]
        assert adapted == {"messages[3]": "emulated"}
        assert roles(sent(*history, model=NOVA, tools=[TOOL])[0]) == ["user", "assistant", "user"]

    def test_a_document_beside_results(self) -> None:
        history = (HI, ASKED, TOLD, {"role": "user", "content": [PDF]})
        assert roles(sent(*history, tools=[TOOL])[0])[3:] == ["assistant", "user"]
        assert len(roles(sent(*history, model=NOVA, tools=[TOOL])[0])) == 3

    def test_what_may_not_stand_inside_a_result_follows_it(self) -> None:
        told = {**TOLD, "content": [IMAGE, PDF]}
        inside = content(sent(HI, ASKED, told, tools=[TOOL])[0], 2)[0]["toolResult"]["content"]
        assert [*inside[0], *inside[1]] == ["image", "document"]
        body, adapted = sent(HI, ASKED, told, model="us.mistral.pixtral-large-2502-v1:0", tools=[TOOL])
        assert [*content(body, 2)[0]["toolResult"]["content"][0]] == ["document"]
        assert [*content(body, 4)[0]] == ["image"]
        assert adapted["messages[2]"] == "emulated"
        told = {**TOLD, "content": [IMAGE]}
        body, _ = sent(HI, ASKED, told, model="moonshotai.kimi-k2.5", tools=[TOOL])
        assert content(body, 2)[0]["toolResult"]["content"] == [{"text": "See below."}]

    def test_a_family_without_a_status(self) -> None:
        body, _ = sent(HI, ASKED, {**TOLD, "is_error": True}, model="us.writer.palmyra-x5-v1:0", tools=[TOOL])
        assert content(body, 2)[0]["toolResult"] == {
            "toolUseId": "call_1",
            "content": [{"text": "Error:"}, {"text": "nine"}],
        }

    def test_calls_in_the_history_want_tools(self) -> None:
        body, adapted = sent(HI, {**ASKED, "tool_calls": [{**CALL, "function": {"name": "a.b"}}]}, TOLD)
        assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["a_b"]
        assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
        assert adapted["tools"] == "emulated"
        assert "additionalModelRequestFields" not in sent(HI, ASKED, TOLD, model=NOVA)[0]


def kept(model: str, *blocks: tuple[str, int, dict[str, Any]]) -> dict[str, Any]:
    details = [
        {"type": f"bedrock.{kind}", "provider": "p", "model": model, "index": index, "block": block}
        for kind, index, block in blocks
    ]
    return {
        "role": "assistant",
        "content": "Hm",
        "tool_calls": [CALL],
        "reasoning": "a",
        "reasoning_details": details,
    }


class TestReplay:
    THOUGHT: dict[str, Any] = {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s"}}}

    def test_signed_thinking_goes_back_to_where_it_came_from(self) -> None:
        body, adapted = sent(HI, kept(CLAUDE, ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL])
        assert content(body, 1)[0] == self.THOUGHT
        assert content(body, 1)[1] == {"text": "Hm"}
        assert adapted == {}
        body, adapted = sent(HI, kept("other", ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL])
        assert content(body, 1)[0] == {"text": "Hm"}
        assert set(adapted.values()) == {"dropped"}

    def test_families_that_take_no_thinking_back(self) -> None:
        body, adapted = sent(HI, kept(NOVA, ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL], model=NOVA)
        assert content(body, 1)[0] == {"text": "Hm"}
        assert adapted == {"messages[1].reasoning_details": "dropped"}

    def test_server_tools_go_back_and_unknown_blocks_do_not(self) -> None:
        use = {"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {}}}
        result = {"toolResult": {"toolUseId": "s", "content": [{"text": "1"}], "type": "n_result"}}
        body, adapted = sent(
            HI,
            kept(NOVA, ("server_tool", 0, use), ("server_tool", 1, result), ("other", 2, {"hologram": {}})),
            TOLD,
            tools=[TOOL],
            model=NOVA,
        )
        assert content(body, 1)[:3] == [use, result, {"text": "Hm"}]
        assert adapted == {"messages[1].reasoning_details": "dropped"}

    def test_an_answer_goes_round(self) -> None:
        blocks = [
            {"text": "One."},
            self.THOUGHT,
            {"text": "Two."},
            {"toolUse": {"toolUseId": "call_1", "name": "now", "input": {}}},
        ]
        answer = DIALECT.decode(
            json.dumps({"output": {"message": {"content": blocks}}, "stopReason": "tool_use"}).encode(),
            ChatCompletion.parse({"model": "m", "messages": [HI]}),
            target_of("bedrock", CLAUDE),
        )
        body, _ = sent(HI, answer.message.as_message(), TOLD, tools=[TOOL])
        assert content(body, 1) == blocks


class TestCachePoints:
    def text(self, words: str, **more: Any) -> dict[str, Any]:
        return {"type": "text", "text": words, "cache_control": {**MARK, **more}}

    def test_they_stand_behind_what_is_marked(self) -> None:
        body, adapted = sent(
            {"role": "system", "content": [self.text("A", ttl="1h")]},
            {"role": "user", "content": [self.text("B"), {"type": "text", "text": "C"}]},
            ASKED,
            {**TOLD, "content": [self.text("D")]},
            tools=[{**TOOL, "cache_control": {**MARK, "ttl": "1h"}}],
        )
        hour, plain = ({"cachePoint": {"type": "default", **more}} for more in ({"ttl": "1h"}, {}))
        assert body["system"] == [{"text": "A"}, hour]
        assert body["toolConfig"]["tools"][1] == hour
        assert content(body) == [{"text": "B"}, plain, {"text": "C"}]
        assert content(body, 2)[1] == plain
        assert adapted == {}

    def test_no_more_than_four_and_longer_ones_first(self) -> None:
        parts = [self.text(str(number), **({"ttl": "1h"} if number == 5 else {})) for number in range(6)]
        body, adapted = sent(
            {"role": "system", "content": [self.text("A")]}, {"role": "user", "content": parts}
        )
        assert json.dumps(body).count("cachePoint") == 4
        assert body["system"][1] == {"cachePoint": {"type": "default"}}
        assert "cachePoint" in content(body)[-1]
        assert "ttl" not in json.dumps(body)
        assert adapted == {"cache_control": "dropped", "cache_control.ttl": "clamped"}

    def test_who_takes_none(self) -> None:
        message = {"role": "user", "content": [self.text("B", ttl="1h")]}
        assert sent(message, model=LLAMA)[1] == {"messages[0].content[0].cache_control": "dropped"}
        assert sent(message, model=NOVA)[1] == {"messages[0].content[0].cache_control.ttl": "clamped"}
        marked = [{**TOOL, "cache_control": MARK}]
        assert sent(tools=marked, model=NOVA)[1] == {"tools[0].cache_control": "dropped"}

    def test_not_behind_a_document_that_is_no_pdf(self) -> None:
        note = {"type": "file", "file": {"file_data": "SGk=", "filename": "a.txt"}, "cache_control": MARK}
        pdf = {**PDF, "cache_control": MARK}
        body, adapted = sent({"role": "user", "content": [self.text("A"), note]})
        assert "cachePoint" not in content(body)[-1]
        assert adapted["messages[0].content[1].cache_control"] == "dropped"
        assert "cachePoint" in content(sent({"role": "user", "content": [self.text("A"), pdf]})[0])[-1]
