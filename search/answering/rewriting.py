"""The search of an answer, with the rewriting of its query."""

from __future__ import annotations

from ..finding.rewriters import RewriterRegistry
from ..request import SearchRequest
from ..stages import RewriteRequest
from .request import AnswerRequest


def with_rewriting(request: AnswerRequest, rewriters: RewriterRegistry) -> SearchRequest:
    """Return the search request of an answer request, with the rewriting of the query.

    If the answer request has no `rewrite`, a follow-up question is rewritten by the first rewriter
    of the kind "standalone", unless `search` has another query or a `rewrite`. A rewriter that
    reads turns receives the `turns` of the answer request.

    Raises InvalidInputError for an unknown rewriter.
    """
    search, rewrite = request.search, request.rewrite
    if rewrite is None and search.rewrite is None and search.query == request.question:
        name = rewriters.of_conversations() if request.turns else None
        rewrite = None if name is None else RewriteRequest(model=name)
    if not rewrite:
        return search
    if rewriters.config(rewrite.model).reads_turns:
        rewrite = rewrite.model_copy(update={"turns": request.turns})
    return search.model_copy(update={"rewrite": rewrite})
