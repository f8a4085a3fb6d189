"""The search of an answer with the rewriting of its query, and the question that is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...core import InvalidInputError, UnsupportedByStoreError
from ..finding.results import FusedResults
from ..finding.rewriters import RewriterRegistry
from ..request import SearchRequest
from ..stages import RewriteRequest
from .request import AnswerRequest


def with_rewriting(request: AnswerRequest, rewriters: RewriterRegistry) -> SearchRequest:
    """Return the search request of an answer request, with the rewriting of the query.

    If the answer request has no `rewrite`, the first rewriter of the kind "standalone" rewrites a
    follow-up question. If `search` has another query or a `rewrite`, it does not. A rewriter that
    reads turns receives the `turns` of the answer request.

    The limit `tokens` of the request is also a limit of the rewriter.

    Raises InvalidInputError for an unknown rewriter.
    """
    search, rewrite = request.search, request.rewrite
    if rewrite is None and search.rewrite is None and search.query == request.question:
        name = rewriters.of_conversations() if request.turns else None
        rewrite = None if name is None else RewriteRequest(model=name)
    if rewrite and rewriters.config(rewrite.model).reads_turns:
        rewrite = rewrite.model_copy(update={"turns": request.turns})
    rewrite = rewrite or search.rewrite
    if rewrite is None:
        return search
    limits = [one for one in (rewrite.tokens, request.tokens) if one is not None]
    if limits:
        rewrite = rewrite.model_copy(update={"tokens": min(limits)})
    return search.model_copy(update={"rewrite": rewrite})


@contextmanager
def naming_search(request: AnswerRequest) -> Iterator[None]:
    """Put `search` before the field of an InvalidInputError raised in the `with` block.

    There are two exceptions. The field `query` becomes `question` if the question is searched. A
    field of `rewrite` stays unchanged if `rewrite` is a field of the answer request.
    """
    try:
        yield
    except InvalidInputError as error:
        field = f"search.{error.field}" if error.field else "search"
        if error.field == "query" and request.search.query == request.question:
            field = "question"
        elif (error.field or "").startswith("rewrite") and request.search.rewrite is None:
            field = error.field or ""
        unsupported = isinstance(error, UnsupportedByStoreError)
        kind = UnsupportedByStoreError if unsupported else InvalidInputError
        raise kind(error.message, field=field) from None


def asked(request: AnswerRequest, fused: FusedResults | None) -> str:
    """Return the question that generator, background and rule of abstention receive.

    fused: the result of the search; None: nothing was searched.

    If the search has another query, or nothing was searched, returns the question unchanged.
    Otherwise returns the text that was searched in its place: a standalone question for a follow-up
    question, without the conditions that `parse_filters` read.
    """
    if fused is None or request.search.query != request.question:
        return request.question
    return fused.encoded.plan.request.query or request.question
