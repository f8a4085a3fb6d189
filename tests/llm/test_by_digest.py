"""Weights are found by their digest in all locations; unsafe weights are skipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from twindex.llm import weights_digest
from twindex.llm.weights.by_digest import digest_of, find_by_digest


@pytest.fixture(autouse=True)
def no_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINDEX_MODELS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_locations_are_searched_in_order(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = weights_digest(tiny_llama)
    assert digest_of(str(tiny_llama)) == digest
    assert find_by_digest(digest) is None
    snapshot = tmp_path / "hub" / "models--org--tiny" / "snapshots" / "0123"
    shutil.copytree(tiny_llama, snapshot)
    assert find_by_digest(digest) == snapshot
    listed = Path(shutil.copytree(tiny_llama, tmp_path / "listed"))
    monkeypatch.setenv("TWINDEX_MODELS", f"no-such-model, {listed}")
    assert find_by_digest(digest) == listed
    assert find_by_digest(digest, ["/no/such/folder", str(tiny_llama)]) == tiny_llama
    assert find_by_digest("0" * 32, [str(tiny_llama)]) is None


def test_weights_that_name_code_are_skipped(tiny_llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "unsafe"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"auto_map": {"AutoModel": "code.Model"}, "model_type": "of-our-own"}
    (folder / "config.json").write_text(json.dumps(config))
    assert find_by_digest(weights_digest(folder), [str(folder)]) is None
    assert digest_of(str(folder)) is None


def test_root_folder_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(
        "twindex.llm.weights.by_digest.weights_digest", lambda path: read.append(path)
    )
    assert digest_of("/") is None
    assert find_by_digest("0" * 32, ["/"]) is None
    assert Path("/") not in read
