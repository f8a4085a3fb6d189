"""Diverse documents: a language model writes one for each cluster of demonstrations.

A demonstration is a pair of a question and a document. Different demonstrations lead to documents
with different views of the question. Together, these documents contain more of the possible answers
than samples of one prompt (GenRead, Yu et al., 2023, section 3.2). The paper has 20 clusters with 5
pairs each, chosen from 200 pairs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from ...core.bounds import Bounds
from ...core.errors import within
from ...core.kinds import OneOf
from ...encoders.config import ENCODERS, EncoderConfig
from ...encoders.dense.config import DenseEncoderConfig
from ...encoders.loading import load_encoder
from .clusters import groups
from .config import BACKGROUNDS
from .demonstrations import read_demonstrations
from .language_model import PromptingBackground, WritingBackgroundConfig


@BACKGROUNDS.register
class ClusteredBackgroundConfig(WritingBackgroundConfig):
    """Diverse documents: a language model writes one document for each cluster of demonstrations.

    A demonstration is a pair of a question and a document. The prompt for a document contains
    demonstrations of one cluster.
    """

    made_by = ".clustered:load"

    kind: Literal["clustered"] = "clustered"
    demonstrations: Path
    """File of JSON lines with the fields `question`, `document` and optionally `answers`. Its first
    200 lines are read. A pair with answers is used only if its document contains one of them."""
    clusters: Annotated[int, Bounds(1, 100)] = 5
    """Number of clusters of the demonstrations (k-means)."""
    per_cluster: Annotated[int, Bounds(1, 100)] = 5
    """Number of random demonstrations of a cluster in its prompt."""
    encoder: Annotated[
        EncoderConfig,
        OneOf(
            ENCODERS,
            default="dense",
            among=lambda one: "dense" in one.gives and not one.per_token and one.encodes_text,
        ),
    ] = DenseEncoderConfig()
    """Encoder of the demonstrations, which are clustered by their vectors."""


def load(config: ClusteredBackgroundConfig) -> PromptingBackground:
    """Read and cluster the demonstrations, and load the model.

    Raises SourceError for an invalid file, and the errors of `PromptingBackground`.
    """
    pairs = read_demonstrations(config.demonstrations)
    texts = [f"{question} {document}" for question, document in pairs]
    with within("encoder"):
        encoder = load_encoder(config.encoder)
    vectors = encoder.encode(texts, role="document").dense
    assert vectors is not None
    found = groups(pairs, vectors, config.clusters, config.per_cluster, config.seed)
    return PromptingBackground(config, found)
