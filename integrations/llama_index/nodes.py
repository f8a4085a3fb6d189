"""Converts between nodes of LlamaIndex and documents of Twindex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    MetadataMode,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from ...core.errors import InvalidInputError, shown
from ...core.types import Document, Hit
from .. import contents
from ..contents import DETAILS, TITLE, Content

_NODE = "_node_content"
"""Key of the metadata in which LlamaIndex stores a node without its text, as JSON."""


def of_hit(hit: Hit, content: Content) -> BaseNode:
    """Return a hit as a node, with details of the hit in the metadata.

    A piece of a document has the id `ID#START-END` and the document as its source. A whole document
    that was written as a node is this node.
    """
    piece = contents.span(hit, content)
    details = contents.details(hit, content)
    if piece is None and hit.document is not None and _NODE in hit.document.metadata:
        node = of_stored(hit.document)
        node.metadata = {**node.metadata, DETAILS: details}
    else:
        source = RelatedNodeInfo(node_id=hit.id, node_type=ObjectType.DOCUMENT)
        node = TextNode(
            id_=hit.id if piece is None else f"{hit.id}#{piece.start}-{piece.end}",
            text=contents.text(hit, content),
            metadata={**_metadata(hit.document), DETAILS: details},
            start_char_idx=None if piece is None else piece.start,
            end_char_idx=None if piece is None else piece.end,
            relationships={NodeRelationship.SOURCE: source},
        )
    # The details are for programs. Models read the other metadata.
    node.excluded_llm_metadata_keys = [*node.excluded_llm_metadata_keys, DETAILS]
    node.excluded_embed_metadata_keys = [*node.excluded_embed_metadata_keys, DETAILS]
    return node


def of_stored(document: Document) -> BaseNode:
    """Return a stored document as a node.

    A document that was written as a node is this node. Another document is its own source.
    """
    if _NODE in document.metadata:
        return metadata_dict_to_node(dict(document.metadata), text=document.text)
    source = RelatedNodeInfo(node_id=document.id, node_type=ObjectType.DOCUMENT)
    return TextNode(
        id_=document.id,
        text=document.text,
        metadata=contents.metadata(document),
        relationships={NodeRelationship.SOURCE: source},
    )


def _metadata(document: Document | None) -> dict[str, Any]:
    """Return the metadata of a document as the application knows them."""
    if document is not None and _NODE in document.metadata:
        own: dict[str, Any] = of_stored(document).metadata
        return own
    return contents.metadata(document)


def to_fields(nodes: Sequence[BaseNode], leg: str | None) -> list[dict[str, Any]]:
    """Return the fields of the documents that store nodes.

    leg: dense leg that stores the embeddings of nodes.

    Raises InvalidInputError for an object that is no node with a text, and for an embedding without
    a leg.
    """
    found = []
    for position, node in enumerate(nodes):
        place = f"nodes[{position}]"
        if not isinstance(node, TextNode):
            raise InvalidInputError(
                f"must be a TextNode, got {shown(node)}; only texts are stored", field=place
            )
        if node.embedding is not None and leg is None:
            raise InvalidInputError(
                "the vector store has no leg for embeddings; set `leg`, or add nodes without "
                "embeddings",
                field=f"{place}.embedding",
            )
        stored = node_to_metadata_dict(_without_details(node), remove_text=True)
        vectors = None if node.embedding is None or leg is None else {leg: node.embedding}
        fields = contents.fields(
            node.node_id, node.get_content(metadata_mode=MetadataMode.NONE), stored, vectors
        )
        found.append(fields)
    return found


def _without_details(node: TextNode) -> TextNode:
    """Return the node without what a retriever added to it."""
    hidden = ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys")
    update: dict[str, Any] = {
        name: [key for key in getattr(node, name) if key != DETAILS] for name in hidden
    }
    update["metadata"] = {key: value for key, value in node.metadata.items() if key != DETAILS}
    return node.model_copy(update=update)


def title(node: BaseNode) -> str:
    """Return the title of a node, which is an entry of its metadata. "" if there is none."""
    found = node.metadata.get(TITLE)
    return found if isinstance(found, str) else ""
