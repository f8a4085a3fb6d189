"""From a configuration to the reranker that it describes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..core.config import Device
from .calibrated import Calibrated
from .chain import Chain
from .config import (
    ChainConfig,
    CriteriaConfig,
    IntraDocumentConfig,
    ListwiseConfig,
    PairwiseConfig,
    PointwiseConfig,
    RerankerConfig,
)
from .protocol import Reranker

LANGUAGE_MODEL_KINDS = (PointwiseConfig, PairwiseConfig, ListwiseConfig, CriteriaConfig)

_CLASSES = {
    "cross_encoder": ("cross_encoder.reranker", "CrossEncoderReranker"),
    "leg": ("encoded.stored", "StoredLegReranker"),
    "late": ("encoded.late", "LateInteractionReranker"),
    "pointwise": ("pointwise.reranker", "PointwiseReranker"),
    "pairwise": ("pairwise", "PairwiseReranker"),
    "listwise": ("listwise.reranker", "ListwiseReranker"),
    "criteria": ("criteria", "CriteriaReranker"),
    "tilde": ("encoded.tilde", "TildeReranker"),
    "mmr": ("diversity", "DiversityReranker"),
    "fake": ("fake", "FakeReranker"),
}
"""Kind -> module and class; a class is made from its configuration. They are imported when they are
asked for, because those with models import torch: seconds."""


def load_reranker(config: RerankerConfig, *, device: Device | None = None) -> Reranker:
    """Load a reranker and its models.

    device: where models run, whatever the configuration says; None = what that says. Raises
    ConfigError for options that cannot be used and ModelError for a model that cannot be had. The
    network is used only for a server that the configuration names, and for weights if the
    environment has TWINDEX_ALLOW_DOWNLOAD=1.
    """
    if device is not None:
        config = on_device(config, device)
    found = _load(config)
    return found if config.calibration is None else Calibrated(found, config.calibration)


def _load(config: RerankerConfig) -> Reranker:
    if isinstance(config, ChainConfig):
        return Chain([(load_reranker(s.reranker), s.candidates) for s in config.stages])
    if isinstance(config, IntraDocumentConfig):
        from .intra_document import IntraDocumentReranker

        return IntraDocumentReranker(config, load_reranker(config.slow))
    module, name = _CLASSES[config.kind]
    make: Callable[[Any], Reranker] = getattr(import_module(f".{module}", __package__), name)
    return make(config)


def on_device(config: RerankerConfig, device: Device) -> RerankerConfig:
    """The same reranker with its models on another device."""
    update: dict[str, Any] = {}
    if "device" in type(config).model_fields:
        update["device"] = device
    if isinstance(config, LANGUAGE_MODEL_KINDS):
        update["llm"] = config.llm.model_copy(update={"device": device})
    if isinstance(config, IntraDocumentConfig):
        update["slow"] = on_device(config.slow, device)
    if isinstance(config, ChainConfig):
        update["stages"] = tuple(
            stage.model_copy(update={"reranker": on_device(stage.reranker, device)})
            for stage in config.stages
        )
    return config.model_copy(update=update)
