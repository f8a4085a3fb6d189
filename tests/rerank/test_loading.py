"""Loading of rerankers from configurations."""

from __future__ import annotations

import subprocess
import sys

import pytest

from twindex.core import ConfigError
from twindex.rerank import (
    RERANKERS,
    Candidate,
    Chain,
    ChainConfig,
    CriteriaConfig,
    CrossEncoderConfig,
    FakeRerankerConfig,
    IntraDocumentConfig,
    PairwiseConfig,
    Rerankers,
    load_reranker,
    rerank_one,
)


def test_a_file_may_use_every_kind():
    text = {"rerankers": {"a": {"kind": "fake"}, "b": {"kind": "mmr", "relevance": 0.5}}}
    assert list(Rerankers.parse(text).rerankers) == ["a", "b"]
    with pytest.raises(ConfigError, match="magic"):
        Rerankers.parse({"rerankers": {"a": {"kind": "magic"}}})
    with pytest.raises(ConfigError, match=r"rerankers.*relevance"):
        Rerankers.parse({"rerankers": {"a": {"kind": "mmr", "relevance": 2}}})


def test_a_chain_loads_its_stages():
    config = ChainConfig.parse(
        {
            "stages": [
                {"reranker": {"kind": "fake"}, "candidates": 4},
                {
                    "reranker": {
                        "kind": "fake",
                        "calibration": {"slope": 2, "intercept": 0},
                    },
                    "candidates": 2,
                },
            ]
        }
    )
    chain = load_reranker(config)
    assert isinstance(chain, Chain)
    assert config.candidates == 4
    found = rerank_one(chain, "query", [Candidate(str(i), "query" * (i == 3)) for i in range(5)])
    assert found.order[0].index == 3
    assert found.order[0].reasons["2.fake"]["raw"] == 1.0


def test_on_device_reaches_every_model():
    cross = CrossEncoderConfig(model="m")
    inner = IntraDocumentConfig(slow=cross)
    config = ChainConfig.parse(
        {
            "stages": [
                {"reranker": inner.model_dump(), "candidates": 4},
                {"reranker": PairwiseConfig().model_dump(), "candidates": 4},
                {"reranker": CriteriaConfig().model_dump(), "candidates": 4},
                {"reranker": FakeRerankerConfig().model_dump(), "candidates": 4},
            ]
        }
    )
    moved = config.on("cpu")
    assert isinstance(moved, ChainConfig)
    first, second, third, last = (stage.reranker for stage in moved.stages)
    assert first.slow.device == second.llm.device == third.llm.device == "cpu"
    assert last == FakeRerankerConfig()
    assert config.stages[0].reranker.slow.device == "auto"


def test_import_loads_no_torch():
    code = (
        "import sys, twindex.rerank, twindex.rerank.fake, twindex.rerank.calibrated;"
        "print([m for m in ('torch', 'transformers', 'numba', 'faiss') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_base_options_apply_to_every_kind():
    for config in RERANKERS.classes().values():
        assert "calibration" in config.model_fields
        assert {"candidates", "text"} <= {*config.model_fields} or config is ChainConfig
    with pytest.raises(ConfigError, match="candidates: unknown field"):
        ChainConfig.parse(
            {"stages": [{"reranker": {"kind": "fake"}, "candidates": 1}]} | {"candidates": 2}
        )
