"""The reply of OpenAI's responses."""

from __future__ import annotations

from typing import Any, Literal

from ...shapes.shape import Shape
from .shapes import FoundSource, UrlCitation


class ResponseAnnotation(UrlCitation):
    """A citation: a statement of the answer and one of its sources.

    type:      always "url_citation".
    supported: true if the source supports the statement, by words.
    """

    type: Literal["url_citation"]
    supported: bool


class ResponseText(Shape):
    """The text of an answer.

    type:        always "output_text".
    text:        the text.
    annotations: the citations.
    logprobs:    always empty.
    """

    type: Literal["output_text"]
    text: str
    annotations: list[ResponseAnnotation]
    logprobs: list[Any]


class ResponseMessage(Shape):
    """The message with the answer.

    id:      id of the message.
    type:    always "message".
    role:    always "assistant".
    status:  "completed"; "incomplete" if a limit was reached.
    content: the text, in one part.
    """

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Literal["completed", "incomplete"]
    content: list[ResponseText]


class ResponseReply(Shape):
    """The reply to a question.

    id:         id of the request after "resp_".
    object:     always "response".
    created_at: time of the request, in Unix seconds.
    status:     "completed"; "incomplete" if the limit of tokens or of time was reached.
    error, instructions, previous_response_id, top_p: always null.
    incomplete_details: `{"reason": "max_output_tokens"}` if a limit was reached.
    max_output_tokens, metadata, model, temperature: as in the request.
    output:     one message, with the answer.
    parallel_tool_calls, store: always false.
    text:       always plain text.
    tool_choice: always "none".
    tools:      always empty.
    truncation: always "disabled".
    usage:      tokens that language models read and wrote.
    citations:  addresses of the sources, in the order of their numbers.
    search_results: the sources, in the order of their numbers.
    twindex:    the other fields of the native reply, such as `outcome`, `reason`, `citations` with
                quotes, `left_out` and `warnings`.
    """

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    error: None
    incomplete_details: dict[str, str] | None
    instructions: None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[ResponseMessage]
    parallel_tool_calls: Literal[False]
    previous_response_id: None
    store: Literal[False]
    temperature: float | None
    text: dict[str, Any]
    tool_choice: Literal["none"]
    tools: list[Any]
    top_p: None
    truncation: Literal["disabled"]
    usage: dict[str, Any]
    citations: list[str]
    search_results: list[FoundSource]
    twindex: dict[str, Any]
