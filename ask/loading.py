"""Loads the language model that a configuration describes, on this machine or on a server."""

from __future__ import annotations

import os

from ..core import ConfigError, UnsupportedError
from ..core.errors import within
from ..llm import GenerativeModel, LikelihoodModel
from ..llm.loading import load_model
from .config import LanguageModelConfig


def load_llm(config: LanguageModelConfig) -> LikelihoodModel | GenerativeModel:
    """Load the language model of a field `llm`, as `load_language_model` does.

    Raises the errors of `load_language_model`. If the error is a ConfigError, its field starts with
    "llm.".
    """
    with within("llm", missing="model"):
        return load_language_model(config)


def load_language_model(config: LanguageModelConfig) -> LikelihoodModel | GenerativeModel:
    """Return the language model that a configuration describes. A server is not contacted yet.

    Raises ConfigError for an invalid option, and ModelError if the model cannot be loaded or can
    neither compute likelihoods nor generate text.
    """
    if config.base_url is None:
        model = load_model(
            config.model,
            revision=config.revision,
            precision=config.precision,
            device=config.device,
        )
        if not model.capabilities & {"likelihood", "generate"}:
            raise UnsupportedError(
                f"model {config.model!r} supports neither likelihoods nor generation; use a causal "
                "language model"
            )
        return model
    from ..llm.server.openai import OpenAIModel

    key = None
    if config.api_key_variable is not None:
        key = os.environ.get(config.api_key_variable)
        if key is None:
            raise ConfigError(
                f"the environment variable {config.api_key_variable} is not set; set it to the key",
                field="api_key_variable",
            )
    return OpenAIModel(
        config.base_url, config.model, api_key=key, timeout_seconds=config.timeout_seconds
    )
