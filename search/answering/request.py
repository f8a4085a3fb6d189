"""Requests for answers. Python, the command line and REST use the same classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ...ask import Limits
from ...core.bounds import Calls, Milliseconds
from ...core.config import PART_NAME, Flag
from ...core.errors import shown
from ...generate import AnswerOptions
from ..request import SearchRequest
from ..stages import MOST_TURNS, RewriteField, RewriteRequest, Text, Turn
from .backgrounds import BackgroundField

PARTS = ("title", "text", "metadata")
"""Parts of the hits that an answer reads."""


class AnswerRequest(AnswerOptions):
    """A request for an answer to a question.

    question:  the question.
    turns:     earlier turns of the conversation, in order, without the question.
    search:    how the passages are found: the fields of a search request. Without `query`, the
               question is searched.
    rewrite:   how a language model rewrites the query before the search. None = only a follow-up
               question (with `turns`), if a rewriter of the kind "standalone" is configured. false
               = never; the request must then not have `search.rewrite`. The name of a rewriter
               is short for {"model": name}. The rewriter receives the `turns` of the conversation
               if it reads them.
    background: texts that a model generates for the generator to read beside the passages; None =
               none. The name of a background is short for {"model": name}.
    generator: name of a configured generator; None = the first configured one. "extractive" needs
               no model and always exists.
    abstain:   return "no_answer" if the generator's calibrated rule finds that the sources do not
               contain the answer. Without calibration, this has no effect.
    timeout_ms: wall-clock time limit of background and generator in milliseconds. The answer then
               ends, and its `finish` is "timeout".
    tokens:    maximum number of tokens that the models of rewriter, background and generator read
               and write, added up.
    """

    question: Text
    turns: tuple[Turn, ...] = Field(default=(), max_length=MOST_TURNS)
    search: SearchRequest = Field(default=None, validate_default=True)
    rewrite: (
        Annotated[
            Annotated[Literal[False], Tag("false")] | Annotated[RewriteField, Tag("request")],
            Discriminator(lambda value: "false" if value is False else "request"),
        ]
        | None
    ) = None
    background: BackgroundField | None = None
    generator: str | None = Field(default=None, json_schema_extra={"pattern": PART_NAME})
    abstain: Flag = True
    timeout_ms: Milliseconds | None = None
    tokens: Calls | None = None

    @field_validator("question")
    @classmethod
    def _not_empty(cls, question: str) -> str:
        if not question.strip():
            raise ValueError("must not be empty; write a question")
        return question

    @field_validator("rewrite", mode="before")
    @classmethod
    def _names_rewriter(cls, rewrite: object) -> object:
        named = isinstance(rewrite, str) and rewrite
        if named or rewrite is None or rewrite is False:
            return rewrite
        if isinstance(rewrite, Mapping | RewriteRequest):
            return rewrite
        raise ValueError(
            "must be false, the name of a rewriter, or an object with the field `model`, got "
            f"{shown(rewrite)}"
        )

    @field_validator("search", mode="before")
    @classmethod
    def _searches_question(cls, search: object, info: ValidationInfo) -> object:
        """Add the question as the query, unless the search has a query or vectors."""
        given: Any = {} if search is None else search
        if not isinstance(given, Mapping):
            return given
        if given.get("query") is None and not given.get("vectors"):
            return {**given, "query": info.data.get("question", "")}
        return given

    @model_validator(mode="after")
    def _reads_texts(self) -> Self:
        missing = [part for part in PARTS if part not in self.search.include]
        if missing:
            raise ValueError(
                f"`search.include` must contain {', '.join(PARTS)}, because the generator reads "
                "them"
            )
        return self

    @model_validator(mode="after")
    def _rewrites_once(self) -> Self:
        if self.rewrite is False and self.search.rewrite is not None:
            raise ValueError(
                "`rewrite` is false, but `search.rewrite` is set; set only one of them"
            )
        if self.rewrite and self.search.rewrite is not None:
            raise ValueError(
                "`rewrite` and `search.rewrite` set the same option; set only one of them"
            )
        if self.rewrite and self.rewrite.turns:
            raise ValueError(
                "`rewrite.turns` is not allowed, because the rewriter receives `turns`; leave "
                "`rewrite.turns` out, and set `turns`"
            )
        if self.rewrite and self.search.query is None:
            raise ValueError("`rewrite` requires a query text; set `search.query`")
        return self

    @model_validator(mode="after")
    def _searches_for_passages(self) -> Self:
        only = self.background is not None and self.background.only
        if only and self.search != SearchRequest(query=self.question):
            raise ValueError(
                "`background.only` answers without a search, so `search` has no effect; leave out "
                "one of the two"
            )
        if only and self.rewrite:
            raise ValueError(
                "`background.only` answers without a search, so `rewrite` has no effect; leave out "
                "one of the two"
            )
        return self

    @property
    def limits(self) -> Limits:
        """Return the limits of background and generator together."""
        return Limits(tokens=self.tokens, milliseconds=self.timeout_ms)
