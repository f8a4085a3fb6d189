"""Shapes of Cohere's chat: requests and replies, and errors of all endpoints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .....core import Config
from .....core.bounds import Bounds, Seed
from .....core.config import Flag
from .....core.errors import shown
from ...shapes.schemas import FieldError
from ...shapes.shape import Shape
from ..conversations import AnswerFields


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Mode = Annotated[Literal["ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"], BeforeValidator(_upper)]


class CohereError(Shape):
    """The reply to a request that failed.

    id:      id of the request, which logs contain too.
    message: what went wrong, in words.
    code:    kind of error, a stable word that programs can test.
    errors:  the invalid fields of the request.
    """

    id: str
    message: str
    code: str
    errors: list[FieldError]


class CohereMessage(Config):
    """A message of a conversation.

    role:    "user" or "assistant". "system" is refused, unless `twindex.system_message` is
             "ignore".
    content: a text, or a list of parts with the type "text".
    """

    role: str
    content: str | list[dict[str, Any]]


class CohereDocument(Config):
    """A document to answer from. A string stands for a document with this text.

    id:   id of the document in citations; by default `doc:` and its position, from 0.
    data: `text`, `snippet` or `content` is the text that the generator reads, and `title` its
          title. Other fields are not read; citations return them.
    """

    id: str | None = None
    data: dict[str, Any]


def _document(value: object) -> object:
    return {"data": {"text": value}} if isinstance(value, str) else value


class CitationMode(Config):
    """How citations are sent.

    mode: "FAST" and "ENABLED": in a stream, after their statement. "ACCURATE": after the text.
          "OFF" and "DISABLED": no citations.
    """

    mode: Mode = "ENABLED"


class CohereChatBody(Config):
    """A question to a collection, or about documents of the request.

    model:       `rag:COLLECTION` or `rag:COLLECTION:GENERATOR`; with `documents`, the name of a
                 generator.
    messages:    the conversation. The last message is the question.
    documents:   the documents to answer from, instead of a collection.
    citation_options: how citations are sent.
    stream:      reply with events while the answer is written.
    max_tokens:  maximum number of tokens of the answer, 256 by default. For a generator without a
                 language model, number of words.
    temperature: temperature of the sampling, 0 by default.
    seed:        seed of the sampling, 0 by default.
    twindex:     further fields of a request for an answer. The markers of citations are removed
                 from the text, unless `twindex.citations.markers` is "keep".
    """

    model: str
    messages: list[CohereMessage] = Field(min_length=1, max_length=1_000)
    documents: list[
        Annotated[
            CohereDocument, BeforeValidator(_document, json_schema_input_type=str | CohereDocument)
        ]
    ] = Field(default=[], max_length=1_000)
    citation_options: CitationMode | None = None
    stream: Flag | None = None
    max_tokens: Annotated[int, Bounds(1, 100_000)] | None = None
    temperature: Annotated[float, Bounds(0, 10)] | None = None
    seed: Seed | None = None
    twindex: AnswerFields | None = None


class CohereSource(Shape):
    """A source of a citation.

    type:     always "document".
    id:       id of the document.
    document: `id`, `title` and `text` of the source, or the data of a given document.
    quote:    the part of the source that supports the statement.
    """

    type: Literal["document"]
    id: str
    document: dict[str, Any]
    quote: dict[str, Any]


class CohereCitation(Shape):
    """A statement of the answer and its sources.

    start:   offset of the statement's first character in the answer, in code points.
    end:     offset after the statement's last character, in code points.
    text:    the statement.
    sources: its sources.
    content_index: always 0.
    type:    always "TEXT_CONTENT".
    supported: true if a source supports the statement, by words.
    """

    start: int
    end: int
    text: str
    sources: list[CohereSource]
    content_index: int
    type: Literal["TEXT_CONTENT"]
    supported: bool


class CohereText(Shape):
    """The text of an answer.

    type: always "text".
    text: the text.
    """

    type: Literal["text"]
    text: str


class CohereAnswer(Shape):
    """The answer.

    role:      always "assistant".
    content:   the text, in one part.
    citations: the citations; empty if the answer cites nothing.
    """

    role: Literal["assistant"]
    content: list[CohereText]
    citations: list[CohereCitation]


class CohereTokens(Shape):
    """Number of tokens.

    input_tokens:  number of tokens that language models read.
    output_tokens: number of tokens that they wrote.
    """

    input_tokens: int
    output_tokens: int


class CohereUsage(Shape):
    """Usage of language models. Nothing is billed.

    billed_units: the same numbers as `tokens`.
    tokens:       tokens that language models read and wrote.
    cached_tokens: tokens whose keys and values were reused.
    """

    billed_units: CohereTokens
    tokens: CohereTokens
    cached_tokens: int


class CohereChat(Shape):
    """The reply to a question.

    id:            id of the request.
    finish_reason: "COMPLETE"; "MAX_TOKENS" or "TIMEOUT" if a limit was reached.
    message:       the answer.
    usage:         tokens that language models read and wrote.
    twindex:       the other fields of the native reply, such as `outcome`, `reason`, `left_out` and
                   `warnings`.
    """

    id: str
    finish_reason: Literal["COMPLETE", "MAX_TOKENS", "TIMEOUT"]
    message: CohereAnswer
    usage: CohereUsage
    twindex: dict[str, Any]


def text_of(document: CohereDocument, field: str) -> str:
    """Return the text of a document of a request. Raises ValueError without a text."""
    for name in ("text", "snippet", "content"):
        if (found := document.data.get(name)) is not None:
            if not isinstance(found, str):
                raise ValueError(f"{field}.data.{name} must be a string, got {shown(found)}")
            return found
    raise ValueError(f"{field}.data must have `text`, `snippet` or `content`")
