"""Parts of a search request: stages that change its query, or the order of its hits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from ..ask import Limits
from ..core import Config
from ..core.bounds import Bounds, Calls, Few, Milliseconds, Score, Share
from ..core.config import PART_NAME
from ..core.errors import shown
from ..rerank import Budget
from .predictors import PREDICTOR, check_predictor

LONGEST = 100_000
"""Maximum number of characters of a question or a turn."""

MOST_TURNS = 100
"""Maximum number of earlier turns of a conversation."""

_NAME = re.compile(PART_NAME)


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            "contains half of a surrogate pair, which is not Unicode text; remove it"
        ) from None
    return text


Text = Annotated[str, Field(max_length=LONGEST), AfterValidator(_unicode)]


class Turn(Config):
    """One earlier turn of a conversation.

    role:    who wrote the turn: "user" or "assistant".
    content: the text of the turn.
    """

    role: Literal["user", "assistant"]
    content: Text


Passages = Annotated[int, Bounds(1, 100)]
"""Number of documents whose best passages feedback reads."""

Terms = Annotated[int, Bounds(1, 1_000)]
"""Number of terms that feedback adds to a query at most."""


class Gate(Config):
    """A condition on a predictor of query performance. A stage runs only if its gate is open.

    predictor: name of the predictor, such as "idf_max", or "dense.top_score" for one leg.
    below:     the gate is open if the value of the predictor is below this threshold.
    above:     the gate is open if the value of the predictor is above this threshold.
    """

    predictor: Annotated[
        str, AfterValidator(check_predictor), Field(json_schema_extra={"pattern": PREDICTOR})
    ]
    below: Score | None = None
    above: Score | None = None

    @model_validator(mode="after")
    def _has_one_threshold(self) -> Self:
        if (self.below is None) == (self.above is None):
            given = "neither" if self.below is None else "both"
            raise ValueError(f"requires either `below` or `above`, got {given}")
        return self

    def refusal(self, value: float) -> str:
        """Return why the gate is closed for a value of the predictor; "" if it is open."""
        if self.below is not None and not value < self.below:
            return f"{self.predictor} is {value:.4g}, which is not below {self.below:g}"
        if self.above is not None and not value > self.above:
            return f"{self.predictor} is {value:.4g}, which is not above {self.above:g}"
        return ""


class LexicalFeedback(Config):
    """Feedback on the terms of lexical legs.

    method:    "rm3" (relevance model), "rocchio", "bo1" (Bose-Einstein) or "kl"
               (Kullback-Leibler).
    documents: number of best documents that are read; None = 10, or 3 for "bo1" and "kl".
    terms:     number of terms that are taken from these documents.
    weight:    share of these terms in the expanded query; None = 0.5, or 0.43 for "rocchio".
    """

    method: Literal["rm3", "rocchio", "bo1", "kl"] = "rm3"
    documents: Passages | None = None
    terms: Terms = 10
    weight: Share | None = None


class SparseFeedback(Config):
    """Feedback on the weights of learned sparse legs.

    method:    "rocchio" or "rm3" (relevance model).
    documents: number of best documents that are read.
    terms:     number of terms that are taken from these documents.
    weight:    share of these terms in the expanded query; None = 0.43, or 0.5 for "rm3".
    """

    method: Literal["rocchio", "rm3"] = "rocchio"
    documents: Passages = 10
    terms: Terms = 50
    weight: Share | None = None


class DenseFeedback(Config):
    """Feedback on the vectors of dense legs.

    method:    "rocchio", or "average": the mean of the query and the passages.
    documents: number of best documents that are read; None = 5, or 3 for "average".
    weight:    share of the passages in the new vector; None = 0.6. Only "rocchio" accepts it.
    """

    method: Literal["rocchio", "average"] = "rocchio"
    documents: Passages | None = None
    weight: Share | None = None

    @model_validator(mode="after")
    def _weight_of_rocchio(self) -> Self:
        if self.method == "average" and self.weight is not None:
            raise ValueError(
                '`weight` requires the method "rocchio"; "average" weighs the query and each '
                "passage equally"
            )
        return self


def _named(value: object) -> object:
    """Return {"method": value} for a string, and any other value unchanged."""
    return {"method": value} if isinstance(value, str) else value


METHODS: Mapping[str, tuple[str, ...]] = {
    "rm3": ("lexical", "sparse"),
    "rocchio": ("lexical", "sparse", "dense"),
    "bo1": ("lexical",),
    "kl": ("lexical",),
    "average": ("dense",),
}
"""Method of feedback -> kinds of legs that have it."""

FeedbackMethod = Literal["rm3", "rocchio", "bo1", "kl", "average"]


class FeedbackRequest(Config):
    """Pseudo-relevance feedback: the query is expanded from the best documents, and searched again.

    The name of a method is short for this method in every kind of leg that has it: "rm3" expands
    the queries of lexical and sparse legs, "rocchio" those of lexical, sparse and dense legs, and
    "average" those of dense legs. Legs that store several vectors for a text keep their query.

    lexical: how the queries of lexical legs are expanded; None = they are not. The name of a method
             is short for {"method": name}.
    sparse:  the same for learned sparse legs.
    dense:   the same for dense legs.
    gate:    expand only queries for which this condition holds; None = all.
    """

    lexical: (
        Annotated[
            LexicalFeedback,
            BeforeValidator(_named, json_schema_input_type=LexicalFeedback | str),
        ]
        | None
    ) = None
    sparse: (
        Annotated[
            SparseFeedback, BeforeValidator(_named, json_schema_input_type=SparseFeedback | str)
        ]
        | None
    ) = None
    dense: (
        Annotated[
            DenseFeedback, BeforeValidator(_named, json_schema_input_type=DenseFeedback | str)
        ]
        | None
    ) = None
    gate: Gate | None = None

    @model_validator(mode="after")
    def _expands(self) -> Self:
        if self.lexical is None and self.sparse is None and self.dense is None:
            raise ValueError(
                'names no method; set `lexical`, `sparse` or `dense`, as in {"lexical": "rm3"}'
            )
        return self

    def of(self, kind: str) -> LexicalFeedback | SparseFeedback | DenseFeedback | None:
        """Return the feedback of a kind of leg; None if the queries of such legs stay unchanged."""
        found: LexicalFeedback | SparseFeedback | DenseFeedback | None = None
        if kind in ("lexical", "sparse", "dense"):
            found = getattr(self, kind)
        return found


def parse_feedback(value: object) -> object:
    """Return the object that the name of a method is short for; any other value unchanged."""
    if not isinstance(value, str):
        return value
    if value not in METHODS:
        raise ValueError(f"must be one of {', '.join(METHODS)}, or an object, got {value!r}")
    found: dict[str, Any] = dict.fromkeys(METHODS[value], value)
    return found


class RewriteRequest(Config):
    """Rewriting of the query by a language model, before the search.

    Filters apply to everything that is searched. If the model fails or a limit is reached, the
    query is searched as it is, with a warning.

    model:      name of a configured rewriter.
    turns:      earlier turns of the conversation, in order. Only for rewriters that read them, such
                as those of the kind "standalone".
    timeout_ms: wall-clock time limit in milliseconds. Texts that are not written by then are not
                searched.
    calls:      maximum number of prompts that the model reads.
    tokens:     maximum number of tokens that the model reads and writes, added up.
    on_error:   what to do if the model fails. "keep" = search the query as it is; "fail" = raise
                the error.
    gate:       rewrite only queries for which this condition holds; None = all. For a predictor
                of legs or passages, the original query is searched first.
    """

    model: str = Field(json_schema_extra={"pattern": PART_NAME})
    turns: tuple[Turn, ...] = Field(default=(), max_length=MOST_TURNS)
    timeout_ms: Milliseconds | None = None
    calls: Calls | None = None
    tokens: Calls | None = None
    on_error: Literal["keep", "fail"] = "keep"
    gate: Gate | None = None

    @field_validator("model")
    @classmethod
    def _name(cls, model: str) -> str:
        if _NAME.fullmatch(model) is None:
            raise ValueError(f"must be the name of a configured rewriter, got {shown(model)}")
        return model

    @property
    def limits(self) -> Limits:
        """Return the limits of this request."""
        return Limits(calls=self.calls, tokens=self.tokens, milliseconds=self.timeout_ms)


def by_model(value: object) -> object:
    """Return {"model": value} for a string, and any other value unchanged."""
    return {"model": value} if isinstance(value, str) else value


RewriteField = Annotated[
    RewriteRequest,
    BeforeValidator(by_model, json_schema_input_type=RewriteRequest | str),
]
"""A field with a `RewriteRequest`. The name of a rewriter is short for {"model": name}."""


class RerankRequest(Config):
    """Reranking of the best hits.

    model:      name of a configured reranker.
    top_n:      number of best hits that are reranked; None = the reranker's `candidates`. The
                other hits follow in their original order.
    timeout_ms: wall-clock time limit in milliseconds. If this limit, `calls` or `tokens` is
                reached, the status is "partial", and the hits that are not judged yet follow the
                judged hits in their original order.
    calls:      maximum number of prompts (or pairs of query and passage) that the models read.
    tokens:     maximum number of tokens that the models read and write, added up.
    on_error:   what to do if a model fails. "keep" = return the hits in their original order,
                with the status "failed" and a warning; "fail" = raise the error.
    min_score:  minimum rerank score of a hit; a probability if the reranker is calibrated. Hits
                after the first `top_n` have no rerank score and are left out. Hits that were not
                judged because a limit was reached stay in the result.
    """

    model: str = Field(json_schema_extra={"pattern": PART_NAME})
    top_n: Few | None = None
    timeout_ms: Milliseconds | None = None
    on_error: Literal["keep", "fail"] = "keep"
    calls: Calls | None = None
    tokens: Calls | None = None
    min_score: Score | None = None

    @field_validator("model")
    @classmethod
    def _name(cls, model: str) -> str:
        if _NAME.fullmatch(model) is None:
            raise ValueError(
                f"must be the name of a configured reranker, got {shown(model)}; only the command "
                "line accepts specs such as leg:late or cross-encoder:FOLDER"
            )
        return model

    @property
    def budget(self) -> Budget:
        """Return the limits of this request as a reranker's Budget."""
        return Budget(calls=self.calls, tokens=self.tokens, milliseconds=self.timeout_ms)
