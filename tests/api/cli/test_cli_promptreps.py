"""`--encoder promptreps`, `--device` and usage of language models on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twindex import encoders
from twindex.api.cli.arguments.configuration import configuration, flags
from twindex.api.cli.main import main, parser
from twindex.api.cli.terminal import figure, model_usage
from twindex.api.http import server
from twindex.api.serving.access.keyring import Keyring
from twindex.api.serving.settings import Settings
from twindex.core import ConfigError, SourceError, Usage
from twindex.encoders import (
    AnalyzerConfig,
    DenseEncoderConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
)
from twindex.index import CollectionConfig, DenseLeg, HnswConfig

DOCUMENTS = [
    {"_id": "1", "title": "Kiwi", "text": "The kiwi cannot fly."},
    {"_id": "2", "title": "Hawk", "text": "A hawk flies high."},
    {"_id": "3", "title": "Eel", "text": "An eel swims. " * 200},
]
QUIET = ["--quiet", "--encoder", "promptreps:fake"]


def configured(*flags: str) -> CollectionConfig:
    return configuration(parser().parse_args(["build", "DIR", "--documents", "x", *flags]))


def encoder(config: CollectionConfig, leg: str) -> Any:
    return config.legs[leg].encoder


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in DOCUMENTS))
    return str(path)


@pytest.fixture
def index(tmp_path: Path, corpus: str, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(tmp_path / "index")
    assert main(["build", path, "--documents", corpus, *QUIET]) == 0
    capsys.readouterr()
    return path


# -- configuration -------------------------------------------------------------------------


def test_both_legs_get_the_same_encoder() -> None:
    config = configured("--encoder", "promptreps")
    assert encoder(config, "dense") == encoder(config, "sparse") == PromptRepsEncoderConfig()
    assert list(config.legs) == ["dense", "sparse", "lexical"]
    named = configured("--encoder", "promptreps:some/model:latest", "--lexical", "none")
    assert encoder(named, "sparse").model == "some/model:latest"
    assert list(named.legs) == ["dense", "sparse"]


def test_flags_are_fields_of_every_encoder_that_has_them() -> None:
    flags = """
        --encoder promptreps --variant first_word --prompt-style literal --template llama3
        --expansion 5 --layer -2 --center --precision int8
        --max-length 64 --top-terms 9 --language de --index hnsw
    """
    config = configured(*flags.split())
    wanted = PromptRepsEncoderConfig(
        variant="first_word", style="literal", template="llama3", expansion=5, layer=-2,
        center=True, precision="int8", max_length=64, top_terms=9, language="de",
    )  # fmt: skip
    assert encoder(config, "dense") == encoder(config, "sparse") == wanted
    assert encoder(config, "lexical") == AnalyzerConfig(language="de")
    assert isinstance(config.legs["dense"], DenseLeg)
    assert config.legs["dense"].index == HnswConfig()
    usual = configured("--precision", "bfloat16", "--top-terms", "9")
    assert encoder(usual, "dense") == DenseEncoderConfig(precision="bfloat16")
    assert encoder(usual, "sparse") == SparseEncoderConfig(precision="bfloat16", top_terms=9)


def test_none_leaves_a_leg_out() -> None:
    config = configured("--encoder", "promptreps", "--sparse", "none")
    assert list(config.legs) == ["dense", "lexical"]
    assert encoder(config, "dense") == PromptRepsEncoderConfig()


@pytest.mark.parametrize(
    ("flags", "field", "words"),
    [
        (["--encoder", "promptreps", "--dense", "x"], "--dense", "conflicts with --encoder"),
        (["--encoder", "promptreps", "--sparse", "x"], "--sparse", "conflicts with --encoder"),
        (["--encoder", "splade"], "--encoder", "must have the form KIND or KIND:NAME"),
        (
            ["--encoder", "promptreps:"],
            "--encoder",
            "must have the form KIND or KIND:NAME; kinds: .*promptreps",
        ),
        (
            ["--encoder", "promptreps", "--dense", "none", "--sparse", "none"],
            "--encoder",
            "requires a dense or sparse leg",
        ),
        (["--variant", "first_word"], "--variant", "kind promptreps"),
        (["--encoder", "promptreps", "--query-prompt", "q"], "--query-prompt", "kind dense"),
        (["--precision", "int8"], "legs.dense.encoder.precision", "float32"),
        (
            ["--encoder", "promptreps", "--variant", "multi_token_multi", "--index", "hnsw"],
            "legs.dense",
            "must be flat, because the encoder returns several vectors",
        ),
    ],
)
def test_conflicting_flags_are_rejected(flags: list[str], field: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        configured(*flags)
    assert caught.value.field == field


def test_flags_of_models_need_a_leg_with_one() -> None:
    for flag in flags():
        if flag.field[0] == "encoder" and "analyzer" not in flag.kinds:
            value = [] if flag.type is bool else [flag.choices[0] if flag.choices else "8"]
            with pytest.raises(ConfigError, match=f"{flag.name}: requires a leg with"):
                configured("--dense", "none", "--sparse", "none", flag.name, *value)


def test_a_toml_file_and_flags(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        '[legs.dense]\nkind = "dense"\nencoder = {kind = "promptreps", variant = "first_word"}\n'
        '[legs.sparse]\nkind = "sparse"\n'
    )
    toml = ["--config", str(file)]
    config = configured(*toml)
    assert encoder(config, "dense") == PromptRepsEncoderConfig(variant="first_word")
    assert encoder(config, "sparse") == SparseEncoderConfig()
    other = configured(*toml, "--encoder", "promptreps:m", "--variant", "multi_token_single")
    assert encoder(other, "dense") == encoder(other, "sparse")
    assert (encoder(other, "dense").model, encoder(other, "dense").variant) == (
        ("m", "multi_token_single")
    )
    assert encoder(configured(*toml, "--dense", "d"), "dense") == DenseEncoderConfig(model="d")
    words = configured(*toml, "--lexical", "bm25", "--language", "fr")
    assert encoder(words, "lexical") == AnalyzerConfig(language="fr")


def test_flags_reach_legs_of_any_name(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        '[legs.dense]\nkind = "dense"\nencoder = {kind = "promptreps"}\n'
        '[legs.words]\nkind = "sparse"\nencoder = {kind = "promptreps"}\n'
    )
    config = configured("--config", str(file), "--variant", "first_word")
    assert encoder(config, "dense") == encoder(config, "words")
    assert encoder(config, "words").variant == "first_word"


@pytest.mark.parametrize("wrong", ['{kind = "promptrep"}', '"promptreps:fake"'])
def test_an_unknown_kind_of_encoder_is_rejected(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(f'[legs.dense]\nkind = "dense"\nencoder = {wrong}\n')
    with pytest.raises(
        SourceError, match='whose kind is "dense", "promptreps", "late", "external" or "pair"'
    ) as caught:
        configured("--config", str(file))
    assert caught.value.field == "legs.dense.encoder"


# -- commands ------------------------------------------------------------------------------


def test_build_prints_token_counts(tmp_path: Path, corpus: str, run: Any) -> None:
    report = run("build", str(tmp_path / "a"), "--documents", corpus, *QUIET, "--json").json
    assert report["usage"]["calls"] == report["passages"] == 4
    assert report["usage"]["prompt_tokens"] > 100
    done = run("build", str(tmp_path / "b"), "--documents", corpus, *QUIET)
    assert "language models: 4 prompts of " in done.out
    run("delete", str(tmp_path / "b"), "--id", "1", "2", "3")
    done = run("add", str(tmp_path / "b"), "--documents", corpus, "--quiet")
    assert "language models: 4 prompts of " in done.out
    run("delete", str(tmp_path / "b"), "--id", "1", "2", "3")
    added = run("add", str(tmp_path / "b"), "--documents", corpus, "--quiet", "--json").json
    assert added["usage"]["calls"] == 4


def test_a_search_shows_words_and_usage(index: str, run: Any) -> None:
    done = run("search", index, "a kiwi", "--explain")
    assert done.out.startswith("query in sparse: #")
    assert "sparse has: #" in done.out
    assert "language models: 1 prompt of " in done.err
    found = run("search", index, "a kiwi", "--explain", "--json").json
    assert found["usage"]["calls"] == 1
    assert found["query_terms"]["sparse"]["total"] == 1
    assert found["hits"][0]["terms"]["sparse"]["total"] >= 2
    plain = run("search", index, "a kiwi", "--legs", "lexical")
    assert "language models" not in plain.err
    assert "query in" not in plain.out


def test_info_prints_model_variant_and_prompts(index: str, run: Any) -> None:
    text = run("info", index).out
    assert "leg dense: dense, model fake, variant single" in text
    assert '{text}\\". Use one word to represent the query' in text
    assert text.count("prompt: ") == 4


def test_a_table_of_all_legs(tmp_path: Path, index: str, run: Any) -> None:
    (tmp_path / "q.tsv").write_text("a\tkiwi\nb\thawk\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t1\n")
    files = ["--queries", str(tmp_path / "q.tsv"), "--qrels", str(tmp_path / "qrels.tsv")]
    report = run("eval", index, *files, "--table", "--quiet", "--json").json
    table = report["table"]
    assert report["usage"]["calls"] == 3  # Two queries and the warm-up.
    assert [row["name"] for row in table][:4] == ["dense", "sparse", "lexical", "minmax"]
    assert all(row["measures"]["nDCG@10"] == 1.0 for row in table)


# -- device --------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [[], ["--device", "cpu"]])
def test_the_device_is_not_stored(
    index: str, corpus: str, tmp_path: Path, run: Any, monkeypatch: Any, device: list[str]
) -> None:
    devices = []
    load = encoders.load_encoder

    def spy(config: Any, *, device: str | None) -> Any:
        devices.append(device)
        return load(config, device=device)

    monkeypatch.setattr(encoders, "load_encoder", spy)
    (tmp_path / "q.tsv").write_text("a\tkiwi\n")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\n")
    files = ["--queries", str(tmp_path / "q.tsv"), "--qrels", str(tmp_path / "qrels.tsv")]
    for argv in (
        ["build", str(tmp_path / "new"), "--documents", corpus, *QUIET],
        ["add", index, "--documents", corpus, "--quiet"],
        ["search", index, "kiwi"],
        ["eval", index, *files, "--quiet"],
    ):
        if argv[0] == "add":  # Unchanged documents need no model.
            run("delete", index, "--id", "1")
        devices.clear()
        assert run(*argv, *device).status == 0
        assert set(devices) == {device[1] if device else None}
    info = run("info", str(tmp_path / "new"), "--json").json
    assert info["config"]["legs"]["dense"]["encoder"]["device"] == "auto"


def test_serve_overrides_the_setting(tmp_path: Path, monkeypatch: Any) -> None:
    class NoServer:
        def __init__(self, *_: Any) -> None: ...

        def run(self, sockets: Any) -> None: ...

    taken: list[Settings] = []

    def create_app(root: Path, settings: Settings, **_: Any) -> Any:
        taken.append(settings)
        return SimpleNamespace(
            state=SimpleNamespace(
                service=SimpleNamespace(reloading=None),
                gate=None,
                keyring=Keyring(tmp_path / "keys"),
            )
        )

    monkeypatch.setattr(server, "create_app", create_app)
    monkeypatch.setattr(server, "Server", NoServer)
    monkeypatch.setattr(server.logging, "basicConfig", lambda **_: None)
    monkeypatch.setenv("TWINDEX_DEVICE", "cuda")
    for argv, device in ((["--device", "cpu"], "cpu"), ([], "cuda")):
        assert main(["serve", str(tmp_path), "--port", "0", *argv]) == 0
        assert taken.pop().device == device


def test_format_of_model_usage() -> None:
    usage = Usage(calls=2, prompt_tokens=2_000, cached_tokens=1_500, seconds=0.5)
    assert model_usage(usage) == (
        "language models: 2 prompts of 2,000 tokens (1,500 reused), 0 generated; 0.5 s, "
        "4,000 tokens a second"
    )
    assert model_usage(Usage(cache_hits=1)) == "language models: 1 text from the cache"
    assert [figure(value) for value in (3.0, 0.25, 1234.5, 0)] == ["3", "0.250", "1,234", "0"]
