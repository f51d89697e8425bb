"""The contract: every field of the normalized request, answer, chunk and model list."""

from __future__ import annotations

from .chunk import ChatChunk, ChunkChoice, CustomCallDelta, Delta, FunctionCallDelta, ToolCallDelta
from .message import AudioReference, Message, Role
from .models import Model, ModelList
from .parts import (
    ContentPart,
    FilePart,
    FileReference,
    ImagePart,
    ImageURL,
    InputAudio,
    InputAudioPart,
    RefusalPart,
    TextPart,
    UnknownPart,
)
from .record import Record
from .request import (
    AudioOutput,
    ChatCompletion,
    JSONSchemaFormat,
    Prediction,
    ResponseFormat,
    StreamOptions,
)
from .response import (
    Annotation,
    AudioAnswer,
    ChatResponse,
    Choice,
    Logprobs,
    ResponseError,
    ResponseMessage,
    ResponseStatus,
    TokenLogprob,
    TopLogprob,
    URLCitation,
)
from .tools import (
    CustomCall,
    FunctionCall,
    FunctionDefinition,
    FunctionName,
    NamedToolChoice,
    Tool,
    ToolCall,
    ToolChoice,
)
from .usage import CompletionTokensDetails, Cost, PromptTokensDetails, Usage

__all__ = [
    "Annotation", "AudioAnswer", "AudioOutput", "AudioReference", "ChatChunk", "ChatCompletion",
    "ChatResponse", "Choice", "ChunkChoice", "CompletionTokensDetails", "ContentPart", "Cost",
    "CustomCall", "CustomCallDelta", "Delta", "FilePart", "FileReference", "FunctionCall",
    "FunctionCallDelta", "FunctionDefinition", "FunctionName", "ImagePart", "ImageURL", "InputAudio",
    "InputAudioPart", "JSONSchemaFormat", "Logprobs", "Message", "Model", "ModelList", "NamedToolChoice",
    "Prediction", "PromptTokensDetails", "Record", "RefusalPart", "ResponseError", "ResponseFormat",
    "ResponseMessage", "ResponseStatus", "Role", "StreamOptions", "TextPart", "TokenLogprob", "Tool",
    "ToolCall", "ToolCallDelta", "ToolChoice", "TopLogprob", "URLCitation", "UnknownPart", "Usage",
]  # fmt: skip
