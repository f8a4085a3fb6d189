"""The default language model, where its weights are installed."""

from __future__ import annotations

import pytest

from twindex.core import ModelError
from twindex.llm import LanguageModel, find_weights
from twindex.llm.loading import load_model

NAME = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def smollm() -> LanguageModel:
    try:
        find_weights(NAME, allow_download=False)
    except ModelError:
        pytest.skip(f"{NAME} is not installed")
    return load_model(NAME)
