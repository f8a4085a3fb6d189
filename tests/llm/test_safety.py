"""Every loader refuses folders that would run code."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from twindex.core import ModelError
from twindex.encoders import (
    DenseEncoderConfig,
    LateEncoderConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
    load_encoder,
)
from twindex.llm import find_weights
from twindex.llm.loading import load_model
from twindex.rerank import CrossEncoderConfig, load_reranker
from twindex.train.cross_encoder import CrossEncoderTraining, initial_model

LOADERS: dict[str, Callable[[str], Any]] = {
    "dense": lambda name: load_encoder(DenseEncoderConfig(model=name)),
    "sparse": lambda name: load_encoder(SparseEncoderConfig(model=name)),
    "late": lambda name: load_encoder(LateEncoderConfig(model=name)),
    "tilde": lambda name: load_encoder(TildeEncoderConfig(model=name)),
    "promptreps": lambda name: load_encoder(PromptRepsEncoderConfig(model=name)),
    "language model": load_model,
    "cross-encoder": lambda name: load_reranker(CrossEncoderConfig(model=name)),
    "training": lambda name: initial_model(CrossEncoderTraining(init=name)),
}


class Trap:
    """An object whose unpickling creates a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked language model of random weights, with a tokenizer."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "text", "to", "try", "model"]
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    folder = tmp_path_factory.mktemp("tiny-bert")
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(words), intermediate_size=16, **sizes)
    BertForMaskedLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
    return folder


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def module_in_modules_json(folder: Path, _: Path) -> None:
    modules = [{"idx": 0, "name": "0", "path": "", "type": "planted.Transformer"}]
    (folder / "modules.json").write_text(json.dumps(modules))


def function_in_modules_json(folder: Path, _: Path) -> None:
    """A module that sentence-transformers imports can be named through its own modules."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.model.torch"}
    ]
    (folder / "modules.json").write_text(json.dumps(modules))


def module_in_router(folder: Path, _: Path) -> None:
    modules = [
        {"path": "r", "type": "sentence_transformers.base.modules.router.Router"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "r").mkdir()
    router = {"types": {"0": "planted.Transformer"}, "structure": {"query": ["0"]}}
    (folder / "r" / "router_config.json").write_text(json.dumps(router))


def code_in_config(folder: Path, _: Path) -> None:
    references = {"AutoConfig": "planted.Config", "AutoModel": "planted.Model"}
    references |= {"AutoModelForMaskedLM": "planted.Model", "AutoModelForCausalLM": "planted.Model"}
    edit(folder / "config.json", auto_map=references, model_type="of-its-own")


def code_in_tokenizer(folder: Path, _: Path) -> None:
    references = {"AutoTokenizer": ["planted.Tokenizer", None]}
    edit(folder / "tokenizer_config.json", auto_map=references, tokenizer_class="OfItsOwn")


def activation(folder: Path, _: Path) -> None:
    edit(folder / "config.json", sentence_transformers={"activation_fn": "torch.hub.list"})


def kernels(folder: Path, _: Path) -> None:
    edit(folder / "config.json", _attn_implementation="somebody/kernels")


def pickled(folder: Path, mark: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))


def pickled_layer(folder: Path, mark: Path) -> None:
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))


def weights_by_option(folder: Path, mark: Path) -> None:
    """The folder sets an option to read its pickle instead of its safetensors."""
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    options = {"model_args": {"use_safetensors": False}}
    (folder / "sentence_bert_config.json").write_text(json.dumps(options))


def adapter(folder: Path, _: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/where"}')


PLANTS: dict[Callable[[Path, Path], None], tuple[str, str]] = {
    module_in_modules_json: ("modules.json", "never run"),
    function_in_modules_json: ("modules.json", "never run"),
    module_in_router: ("r/router_config.json", "never run"),
    code_in_config: ("config.json", "never run"),
    code_in_tokenizer: ("tokenizer_config.json", "never run"),
    activation: ("config.json", "never run"),
    kernels: ("config.json", "never run"),
    pickled: ("pytorch_model.bin", "convert it"),
    pickled_layer: ("2_Dense/pytorch_model.bin", "convert it"),
    weights_by_option: ("sentence_bert_config.json", "never run"),
    adapter: ("adapter_config.json", "merge it"),
}
"""Planted code -> the file that the error names, and its remedy."""


@pytest.mark.parametrize("plant", list(PLANTS), ids=lambda plant: plant.__name__)
@pytest.mark.parametrize("loader", list(LOADERS))
def test_planted_code_never_runs(
    loader: str,
    plant: Callable[[Path, Path], None],
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, mark = tmp_path / "model", tmp_path / "it-ran"
    shutil.copytree(tiny, folder)
    (folder / "planted.py").write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.syspath_prepend(str(folder))  # The worst case: the module can be imported by name.
    plant(folder, mark)
    file, remedy = PLANTS[plant]
    with pytest.raises(ModelError) as error:
        LOADERS[loader](str(folder))
    assert not mark.exists()
    assert f"'{folder}': {file}" in str(error.value)
    assert remedy in str(error.value)


def test_planted_code_runs_without_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check the planted code would run, so the tests above can fail."""
    mark = tmp_path / "it-ran"
    pickle.loads(pickle.dumps(Trap(mark)))  # noqa: S301 - it is what is tested
    assert mark.exists()
    mark.unlink()
    (tmp_path / "planted.py").write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("planted")
    assert mark.exists()


def test_native_class_is_used_instead_of_code(tiny: Path, tmp_path: Path) -> None:
    folder, mark = tmp_path / "model", tmp_path / "it-ran"
    shutil.copytree(tiny, folder)
    (folder / "planted.py").write_text(f"open({str(mark)!r}, 'w').close()")
    edit(folder / "config.json", auto_map={"AutoModelForMaskedLM": "planted.Model"})
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    for loader in ("dense", "sparse", "late", "tilde", "language model"):
        LOADERS[loader](str(folder))
    assert not mark.exists()


def test_files_beside_a_gguf_file_are_ignored(tmp_path: Path) -> None:
    from twindex.llm.local.pretrained import load_pretrained

    pytest.importorskip("gguf")
    (tmp_path / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["p.T", 0]}}')
    (tmp_path / "config.json").write_text('{"auto_map": {"AutoConfig": "p.C"}}')
    (tmp_path / "p.py").write_text(f"open({str(tmp_path / 'it-ran')!r}, 'w').close()")
    (tmp_path / "model.gguf").write_bytes(b"GGUF of nothing")
    from transformers import AutoModelForCausalLM

    with pytest.raises(ModelError, match="cannot"):
        load_pretrained(AutoModelForCausalLM, str(tmp_path / "model.gguf"), device="cpu")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "~nobody-of-that-name/x",
            r"cannot be looked up as a path \(Could not determine home directory",
        ),
        ("x/" * 5_000, r"^.{0,300}$"),
        ("y" * 5_000, r"^.{0,300}$"),
        ("a\0b", "no such folder"),
        ("/etc/passwd", "is a file"),
    ],
)
def test_invalid_names_are_refused(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        find_weights(name)


def test_folder_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("twindex.llm.weights.safety.MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(ModelError, match="more than 3 files"):
        find_weights(str(tmp_path))


@pytest.mark.parametrize("damage", [b"nothing", None])
@pytest.mark.parametrize("loader", list(LOADERS))
def test_damaged_weights_are_named(
    loader: str, damage: bytes | None, tiny: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    if damage is not None:
        (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises(ModelError, match=str(folder)):  # noqa: PT012
        encoder = LOADERS[loader](str(folder))
        encoder.encode(["a text"], role="document")  # TILDE loads when it reads.


@pytest.mark.parametrize("loader", ["dense", "sparse", "late", "cross-encoder"])
def test_weights_that_do_not_fit_the_tokenizer_are_named(
    loader: str, tiny: Path, tmp_path: Path
) -> None:
    """Loading works, but reading a text fails, because there are fewer vectors than tokens."""
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=2, intermediate_size=16, pad_token_id=0, **sizes)
    BertForMaskedLM(config).save_pretrained(folder)
    with pytest.raises(ModelError, match="cannot be loaded"):
        LOADERS[loader](str(folder))
