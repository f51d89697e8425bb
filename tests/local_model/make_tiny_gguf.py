"""Writes a language model of 1.3 MB whose weights are programmed instead of trained.

It is a genuine transformer of one layer that any llama.cpp build can serve, so the tests meet a real HTTP
server, chat template engine, tokenizer, sampler, grammar and tool-call parser, and yet know every answer.
The weights encode a small state machine; at any temperature up to 1 it goes like this:

    by default                       thinks THOUGHT, says ANSWER, stops
    enable_thinking false            says ANSWER without a thought
    the request has tools            calls one, with the smallest arguments that its schema allows
    a tool result is in the history  as by default
    response_format with a schema    the smallest document that fits it ("ok", 0, the first of an enum)
    the prompt contains <loop>       says " la" for ever

usage: make_tiny_gguf.py OUT.gguf
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

THOUGHT = ("\nLet", " us", " look", " at", " this", " first.")
ANSWER = ("Hello", " from", " a", " tiny", " scripted", " model:", " café", " 🙂", " done.")
LOOP = " la"
CALL_OPEN = "\n{"  # what follows <tool_call>

_CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TAGS = (
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>", "</tools>",
    "<think>", "</think>", "<loop>",
)  # fmt: skip
# The attention head finds these in the prompt; where several stand, the highest class wins.
_MARKERS = {"<tools>": 1, "</tool_response>": 2, "<loop>": 3}

_CONTEXT = 131_072
_HEAD = 64
_FEED_FORWARD = 64

# Scores, in units that a temperature of 1 cannot shake.
_UNIT = 200.0
_SCRIPTED = 1.5  # the next token of the script
_END = 1.36  # the end of the answer, where the script says nothing or a grammar forbids it
_CLOSERS = ('"', "}", "]", ",", ":", "0", "{", "[", "</tool_call>")  # then these, from _CLOSE downwards
_CLOSE, _CLOSE_STEP = 1.30, 0.04

Matrix = NDArray[np.float32]


def byte_alphabet() -> list[str]:
    """The printable stand-ins that GPT-2's tokenizer has for the 256 byte values."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


class Vocabulary:
    """The tokens: all bytes, the special ones, and the words of the script. Its length is the token count."""

    def __init__(self) -> None:
        self.alphabet = byte_alphabet()
        self.tokens: list[str] = []
        self.types: list[int] = []
        self._ids: dict[str, int] = {}
        for byte, letter in enumerate(self.alphabet):
            self._add(chr(byte) if byte < 128 else f"byte {byte}", letter, gguf.TokenType.NORMAL)
        for special in _CONTROL:
            self._add(special, special, gguf.TokenType.CONTROL)
        for tag in _TAGS:
            self._add(tag, tag, gguf.TokenType.USER_DEFINED)
        for word in ("\n\n", CALL_OPEN, *THOUGHT, *ANSWER, LOOP, "ok"):
            letters = "".join(self.alphabet[byte] for byte in word.encode())
            self._add(word, letters, gguf.TokenType.NORMAL)
        # Only the empty line must be found when text is read; the other words are written, never read.
        self.merges = [f"{self.alphabet[10]} {self.alphabet[10]}"]

    def _add(self, text: str, token: str, kind: gguf.TokenType) -> None:
        self._ids[text] = len(self.tokens)
        self.tokens.append(token)
        self.types.append(int(kind))

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, text: str) -> int:
        return self._ids[text]


@dataclass(frozen=True)
class Weights:
    """The matrices of the one layer, in GGUF's names."""

    token_embd: Matrix
    output: Matrix
    attn_q: Matrix
    attn_k: Matrix
    attn_v: Matrix
    attn_output: Matrix

    def tensors(self) -> Iterator[tuple[str, Matrix]]:
        """All tensors of the file; the feed-forward network does nothing."""
        width = self.token_embd.shape[1]
        ones = np.ones(width, np.float32)
        yield "token_embd", self.token_embd
        yield "output", self.output
        yield "output_norm", ones
        yield "blk.0.attn_norm", ones
        yield "blk.0.attn_q", self.attn_q
        yield "blk.0.attn_k", self.attn_k
        yield "blk.0.attn_v", self.attn_v
        yield "blk.0.attn_output", self.attn_output
        yield "blk.0.ffn_norm", ones
        yield "blk.0.ffn_gate", np.zeros((_FEED_FORWARD, width), np.float32)
        yield "blk.0.ffn_up", np.zeros((_FEED_FORWARD, width), np.float32)
        yield "blk.0.ffn_down", np.zeros((width, _FEED_FORWARD), np.float32)


def program(vocabulary: Vocabulary) -> Weights:
    """Weights of the state machine: the next token follows from the current one and the strongest marker."""
    count = len(vocabulary)
    width = -(-(count + len(_MARKERS)) // 64) * 64
    # Each token is its own dimension, and each class of marker one more. The norm before a matrix turns the
    # single 1 of such a vector into the root of the width, which the matrices divide out again.
    root = np.float32(np.sqrt(width))
    embedding = np.zeros((count, width), np.float32)
    embedding[np.arange(count), np.arange(count)] = 1.0
    return Weights(embedding, _transitions(vocabulary, width) / root, *_marker_head(vocabulary, width, root))


def _transitions(vocabulary: Vocabulary, width: int) -> Matrix:
    """Score of each next token (row) after each current token or marker (column)."""
    count = len(vocabulary)
    scores = np.zeros((count, width), np.float32)
    scores[256:, :count] = -8
    for byte in range(256):  # what a grammar may still allow when nothing else fits: the lowest letter
        scores[byte, :count] = -0.03 * byte if 33 <= byte < 127 else -6
    scores[[vocabulary["<tool_call>"], vocabulary[LOOP]], :count] = 0
    for rank, closer in enumerate(_CLOSERS):
        scores[vocabulary[closer], :count] = _CLOSE - _CLOSE_STEP * rank
    scores[vocabulary["<|im_end|>"], :count] = _END
    # After a call's last brace its end is worth more than the comma that would begin another call.
    scores[vocabulary["</tool_call>"], vocabulary["}"]] = 1.21

    for chain in _chains():
        for current, following in pairwise(chain):
            scores[vocabulary[following], vocabulary[current]] = _SCRIPTED
    # A start (1) and a marker (1) together beat the scripted 1.5; either alone does not.
    for start, word, marker in (
        ("\n\n", "<tool_call>", "<tools>"),
        ("\n\n", LOOP, "<loop>"),
        ("\n", LOOP, "<loop>"),
    ):
        scores[vocabulary[word], vocabulary[start]] = 1
        scores[vocabulary[word], count + _MARKERS[marker] - 1] = 1
    return scores * np.float32(_UNIT)


def _chains() -> Iterator[Sequence[str]]:
    yield ("\n", "<think>", *THOUGHT, "</think>", "\n\n", *ANSWER, "<|im_end|>")
    yield ("<tool_call>", CALL_OPEN)
    yield ('"', "ok")
    yield (LOOP, LOOP)


def _marker_head(
    vocabulary: Vocabulary, width: int, root: np.float32
) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """An attention head that looks for markers wherever they stand, and writes down the class it found."""
    query, key, value = (np.zeros((_HEAD, width), np.float32) for _ in range(3))
    output = np.zeros((width, _HEAD), np.float32)
    # The slowest pair of the rotary embedding hardly turns, so the distance has no say.
    query[_HEAD - 1, : len(vocabulary)] = 18.0 / root
    for marker, rank in _MARKERS.items():
        key[_HEAD - 1, vocabulary[marker]] = 18.0 * rank / root
        value[rank - 1, vocabulary[marker]] = 1.0 / root
        output[len(vocabulary) + rank - 1, rank - 1] = 1.0
    return query, key, value, output


def write(path: Path) -> None:
    """Write the model to a GGUF file."""
    vocabulary = Vocabulary()
    weights = program(vocabulary)
    file = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(_CONTEXT)
    file.add_embedding_length(weights.token_embd.shape[1])
    file.add_block_count(1)
    file.add_feed_forward_length(_FEED_FORWARD)
    file.add_head_count(1)
    file.add_head_count_kv(1)
    file.add_key_length(_HEAD)
    file.add_value_length(_HEAD)
    file.add_rope_dimension_count(_HEAD)
    file.add_rope_freq_base(1e9)
    file.add_layer_norm_rms_eps(1e-6)
    file.add_vocab_size(len(vocabulary))
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("qwen2")
    file.add_token_list(vocabulary.tokens)
    file.add_token_types(vocabulary.types)
    file.add_token_merges(vocabulary.merges)
    file.add_eos_token_id(vocabulary["<|im_end|>"])
    file.add_bos_token_id(vocabulary["<|endoftext|>"])
    file.add_pad_token_id(vocabulary["<|endoftext|>"])
    file.add_add_bos_token(False)
    file.add_chat_template(Path(__file__).with_name("chat_template.jinja").read_text("utf-8"))
    for name, tensor in weights.tensors():
        file.add_tensor(f"{name}.weight", np.ascontiguousarray(tensor))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
