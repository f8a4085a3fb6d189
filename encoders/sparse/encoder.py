"""Learned sparse vectors (SPLADE, Formal et al. 2021), computed by sentence-transformers.

The weight of vocabulary entry j in a text is the maximum over the text's tokens i of
log(1 + relu(logit_ij)). Both functions are monotonic, so the code takes the maximum first:
log(1 + relu(max_i logit_ij)). So one logarithm for each entry is enough, and the logits of all
tokens of a batch are never in memory at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sentence_transformers
import torch
from scipy.sparse import csr_array, vstack

from ...core import InvalidInputError, ModelError, Representation, Role
from ..pruning import keep_heaviest
from ..text_model import TextModel
from .config import SparseEncoderConfig

HEADS = {
    "BertForMaskedLM": "cls.predictions.decoder",
    "DistilBertForMaskedLM": "vocab_projector",
    "ModernBertForMaskedLM": "decoder",
    "RobertaForMaskedLM": "lm_head.decoder",
    "XLMRobertaForMaskedLM": "lm_head.decoder",
}
"""Architecture -> path of the linear layer whose output is the logits."""

CHUNK = 4_096
"""Number of vocabulary entries whose logits are computed at once: few enough for the CPU cache."""


class SparseEncoder:
    """A SPLADE model, which returns a sparse vector over its vocabulary for each text.

    Fills `sparse` of the Representation: CSR float32 [n, vocabulary], pruned to the configured
    number of terms. Without pruning, the matrix equals the result of
    `sentence_transformers.SparseEncoder.encode`. Thread-safe: one batch runs at a time.
    """

    gives = SparseEncoderConfig.gives

    def __init__(self, model: TextModel, config: SparseEncoderConfig) -> None:
        self.config = config
        self._model = model
        self.reader = model.reader()
        """Token counter for cutting documents into passages. None: the model has no limit."""
        self._own_limit: int | None = getattr(model.model, "max_active_dims", None)
        self._probe()

    @classmethod
    def load(cls, config: SparseEncoderConfig) -> SparseEncoder:
        """Load the encoder. Raises ModelError if its model cannot be found, read or used."""
        model = TextModel.load(sentence_transformers.SparseEncoder, config)
        with model.trying():
            return cls(model, config)

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return self._model.fingerprint(self.config)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        top = self.config.query_top_terms if role == "query" else self.config.top_terms
        parts = [csr_array((0, self.vocabulary), dtype=np.float32)]
        order = [np.empty(0, np.int64)]
        truncated = np.zeros(len(texts), np.bool_)
        for batch in self._model.batches(texts):
            with self._model.running(self.config.precision, role):
                weights = self._weights(batch.features).cpu().numpy()
            parts.append(keep_heaviest(csr_array(weights), top or self._own_limit))
            order.append(batch.rows)
            truncated[batch.rows] = batch.truncated
            if advance is not None:
                advance(len(batch.rows))
        rows = csr_array(vstack(parts, format="csr"))[np.argsort(np.concatenate(order))]
        rows.sort_indices()
        return Representation(sparse=rows, truncated=truncated)

    def term(self, index: int) -> str:
        if not 0 <= index < self.vocabulary:
            raise InvalidInputError(
                f"must be in [0, {self.vocabulary}), got {index}", field="index"
            )
        # The model may have more outputs than the tokenizer has tokens.
        return str(self._model.tokenizer.convert_ids_to_tokens(int(index)) or f"#{index}")

    def _probe(self) -> None:
        """Set `vocabulary`, and replace the model's vocabulary layer by faster code if possible.

        Then encodes a test text. Raises ModelError if its weights differ from those of
        sentence-transformers.
        """
        text = "A text to try the model with."
        with self._model.tokenizing:
            encoded = self._model.model.encode([text], show_progress_bar=False)
        reference = encoded.to_dense().cpu().numpy()
        self.vocabulary = self.dimensions = int(reference.shape[1])
        self._head = _take_head(self._model.model)
        (batch,) = self._model.batches([text])
        with self._model.running(self.config.precision):
            own = self._weights(batch.features).cpu().numpy()
        if not np.allclose(own[reference > 0], reference[reference > 0], rtol=0.05, atol=0.05):
            raise ModelError(
                f"model {self.config.model!r} preprocesses text in a way that is not supported: "
                "choose another model"
            )

    def _weights(self, features: dict[str, Any]) -> torch.Tensor:
        """Return the weight of every vocabulary entry in each text: float32 [texts, vocabulary].

        features: the model's input, for a batch of texts.
        """
        model, head = self._model.model, self._head
        if head is None:
            weights: torch.Tensor = model(features)["sentence_embedding"].float()
            return weights
        hidden = model[0](features)["token_embeddings"]
        mask = features["attention_mask"].bool()
        chunk = CHUNK if hidden.device.type == "cpu" else self.vocabulary
        logits = torch.zeros((len(hidden), self.vocabulary), device=hidden.device)
        for row, tokens in enumerate(hidden):
            tokens = tokens[mask[row]]
            for begin in range(0, self.vocabulary, chunk):
                part = slice(begin, begin + chunk)
                logits[row, part] = (tokens @ head.weight[part].T).amax(dim=0)
        if head.bias is not None:
            logits += head.bias
        return logits.relu_().log1p_()


def _take_head(model: Any) -> torch.nn.Linear | None:
    """Remove and return the layer of a SPLADE model that computes the vocabulary's logits.

    Returns None, and leaves the model unchanged, if the logits cannot be computed separately: the
    model does not end in SPLADE's max pooling, or has an unknown architecture.
    """
    pooling = model[-1]
    if (
        len(model) != 2
        or getattr(pooling, "pooling_strategy", None) != "max"
        or getattr(pooling, "activation_function", None) != "relu"
    ):
        return None
    network = model[0].auto_model
    path = HEADS.get(type(network).__name__)
    if path is None:
        return None
    head = network.get_submodule(path)
    if not isinstance(head, torch.nn.Linear):
        return None
    network.set_submodule(path, torch.nn.Identity())
    return head
