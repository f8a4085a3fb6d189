"""A LlamaIndex node postprocessor that reranks nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from ...core.errors import InvalidInputError
from ..reranking import Reranking, Scored
from .nodes import title


class TwindexRerank(BaseNodePostprocessor):
    """Reranks nodes with a reranker of Twindex.

    reranker:   a Reranker object, such as `RerankerConfig.load()` returns, or a Client or
                AsyncClient. With an AsyncClient, only `apostprocess_nodes` works.
    model:      name of a reranker of the service. Required for a client, and refused for a Reranker
                object.
    top_n:      maximum number of nodes to return. None: all.
    timeout_ms: time limit in milliseconds. None: no limit.
    calls:      maximum number of prompts or pairs that models read. None: no limit.
    tokens:     maximum number of tokens that models read and write. None: no limit.
    on_error:   "fail" raises the error of a model; "keep" returns the nodes in their order.

    The reranker reads the text of a node and the entry `title` of its metadata. The score of a
    returned node is the score of the reranker.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    reranker: Any = Field(exclude=True, repr=False)
    model: str | None = None
    top_n: int | None = None
    timeout_ms: float | None = None
    calls: int | None = None
    tokens: int | None = None
    on_error: Literal["fail", "keep"] = "fail"
    _reranking: Reranking = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check the fields together."""
        self._reranking = Reranking.of(self)

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in serialised data."""
        return "TwindexRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return _ordered(nodes, self._reranking.run(_query(query_bundle), _texts(nodes)))

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        scored = await self._reranking.run_async(_query(query_bundle), _texts(nodes))
        return _ordered(nodes, scored)


def _query(bundle: QueryBundle | None) -> str:
    if bundle is None:
        raise InvalidInputError("a reranker needs the query", field="query_bundle")
    return bundle.query_str


def _texts(nodes: Sequence[NodeWithScore]) -> list[dict[str, str]]:
    return [
        {"text": one.node.get_content(metadata_mode=MetadataMode.NONE), "title": title(one.node)}
        for one in nodes
    ]


def _ordered(nodes: Sequence[NodeWithScore], scored: Sequence[Scored]) -> list[NodeWithScore]:
    return [NodeWithScore(node=nodes[one.index].node, score=one.score) for one in scored]
