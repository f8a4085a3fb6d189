"""Arguments of the command line, without a collection."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from twindex.api.cli.arguments.common import (
    parse_bytes,
    parse_filter,
    parse_legs,
    parse_search,
    selection_fields,
)
from twindex.api.cli.arguments.configuration import configuration, flags
from twindex.api.cli.arguments.flags import parse_projection
from twindex.api.cli.commands import COMMANDS, load
from twindex.api.cli.commands.eval import parse_measures
from twindex.api.cli.main import main, parser
from twindex.core import ConfigError, InvalidInputError, TwindexError
from twindex.encoders import LateEncoderConfig, PassageConfig
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    HnswConfig,
    Int8Codec,
    IvfConfig,
    LexicalLeg,
    PqCodec,
    ProjectionConfig,
    ScalarCodec,
    SparseLeg,
)


def configured(*flags: str) -> CollectionConfig:
    return configuration(parser().parse_args(["build", "DIR", "--documents", "x", *flags]))


def selected(*flags: str) -> dict[str, object]:
    return selection_fields(parser().parse_args(["search", "DIR", "query", *flags]))


def test_every_command_has_a_summary_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    overview = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        first = (load(name).__doc__ or "").partition("\n")[0].rstrip(".")
        assert first[:1].lower() + first[1:] == summary
        assert re.search(rf"^    {name}\s+[a-z]", overview, re.MULTILINE)
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"example:\n  twindex {name} " in capsys.readouterr().out


def test_help_does_not_import_slow_modules() -> None:
    code = (
        "import sys\nfrom twindex.api.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "slow = {'torch', 'numba', 'faiss', 'fastapi', 'ir_measures', 'sentence_transformers', "
        "'numpy', 'pydantic'}\n"
        "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_defaults_equal_those_of_the_library() -> None:
    assert configured() == CollectionConfig()


def test_each_flag_sets_its_field() -> None:
    flags = """
        --dense d --query-prompt q: --document-prompt p: --index hnsw --max-length 64
        --sparse s --top-terms 9 --language de --k1 1.2 --b 0
        --passages sentences --passage-size 50 --passage-overlap 5 --passage-threshold 99
    """
    config = configured(*flags.split())
    dense, sparse, lexical = (config.legs[name] for name in ("dense", "sparse", "lexical"))
    assert isinstance(dense, DenseLeg)
    assert isinstance(sparse, SparseLeg)
    assert isinstance(lexical, LexicalLeg)
    assert (dense.encoder.model, dense.encoder.max_length) == ("d", 64)
    assert (dense.encoder.query_prompt, dense.encoder.document_prompt) == ("q:", "p:")
    assert dense.index == HnswConfig()
    assert (sparse.encoder.model, sparse.encoder.max_length) == ("s", 64)
    assert sparse.encoder.top_terms == 9
    assert (lexical.encoder.language, lexical.k1, lexical.b) == ("de", 1.2, 0)
    assert config.passages == PassageConfig(unit="sentences", size=50, overlap=5, threshold=99)


def test_measures_are_split_outside_brackets() -> None:
    text = "nDCG@10, AP(rel=2,judged_only=True) ,R(rel=2)@100"
    assert parse_measures(text) == ["nDCG@10", "AP(rel=2,judged_only=True)", "R(rel=2)@100"]


def test_legs_can_be_left_out() -> None:
    assert list(configured("--dense", "none", "--sparse", "none").legs) == ["lexical"]
    assert list(configured("--lexical", "none").legs) == ["dense", "sparse"]
    with pytest.raises(ConfigError, match="are all none; keep at least one"):
        configured("--dense", "none", "--sparse", "none", "--lexical", "none")


def test_a_flag_without_its_leg_is_refused() -> None:
    for flag in flags():
        if flag.legs and not flag.kinds:
            without = [word for leg in flag.legs for word in (f"--{leg}", "none")]
            value = flag.choices[0] if flag.choices else "8"
            value = "pca:8" if flag.name.endswith("-projection") else value
            with pytest.raises(ConfigError, match=f"{flag.name}: requires a ") as caught:
                configured(*without, flag.name, value)
            assert caught.value.field == flag.name
    with pytest.raises(
        ConfigError, match="--passage-size: cannot be combined with --passages none"
    ):
        configured("--passages", "none", "--passage-size", "9")


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (["--b", "2"], "legs.lexical.b"),
        (["--passage-size", "10"], "passages"),
        (["--max-length", "1"], "legs.dense.encoder.max_length"),
    ],
)
def test_wrong_values_name_the_field(flags: list[str], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(*flags)
    assert caught.value.field == field


def test_a_toml_file_gives_fields_and_flags_override(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(
        '[legs.dense]\nkind = "dense"\nindex = {kind = "hnsw", neighbors = 8}\n'
        '[legs.words]\nkind = "lexical"\nk1 = 2.0\n[passages]\nunit = "none"\n'
    )
    config = configured("--config", str(file), "--dense", "other", "--index", "hnsw")
    dense = config.legs["dense"]
    assert list(config.legs) == ["dense", "words"]
    assert isinstance(dense, DenseLeg)
    assert dense.encoder.model == "other"
    assert dense.index == HnswConfig(neighbors=8)
    flat = configured("--config", str(file), "--index", "flat").legs["dense"]
    assert isinstance(flat, DenseLeg)
    assert flat.index.kind == "flat"
    with pytest.raises(ConfigError, match="--k1: requires a lexical leg"):
        configured("--config", str(file), "--k1", "1")
    assert list(configured("--config", str(file), "--lexical", "bm25").legs)[-1] == "lexical"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("legs = ", r"c\.toml: is not valid TOML"),
        ("[passages]\nsise = 3", r"c\.toml: passages\.sise: unknown field; did you mean `size`"),
        ("legs = {}", r"c\.toml: legs"),
        (None, r"c\.toml: cannot be read"),
    ],
)
def test_a_wrong_toml_file_is_named(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "c.toml").write_text(content)
    with pytest.raises(TwindexError, match=words):
        configured("--config", str(tmp_path / "c.toml"))


def test_flags_say_how_vectors_are_stored(tmp_path: Path) -> None:
    def dense(*flags: str) -> DenseLeg:
        leg = configured(*flags).legs["dense"]
        assert isinstance(leg, DenseLeg)
        return leg

    flags = ["--index", "ivf", "--codec", "int8", "--projection", "pca:0.5", "--recall", "0.9"]
    leg = dense(*flags)
    assert leg.index == IvfConfig(recall=0.9)
    assert leg.codec == Int8Codec()
    assert leg.projection == ProjectionConfig(kind="pca", share=0.5)
    assert dense("--projection", "matryoshka:64").projection == ProjectionConfig(
        kind="matryoshka", dimensions=64
    )
    assert dense("--originals", "none", "--codec", "binary").storage.kept == "none"
    file = tmp_path / "c.toml"
    file.write_text(
        '[legs.dense]\nkind = "dense"\nindex = {kind = "ivf", lists = 9, nprobe = 3}\n'
        'codec = {kind = "pq", bits = 8}\nprojection = {kind = "random", share = 0.25}\n'
    )
    leg = dense("--config", str(file), "--codec", "pq", "--recall", "0.9")
    assert leg.index == IvfConfig(lists=9, recall=0.9)
    assert leg.codec == PqCodec(bits=8)
    leg = dense("--config", str(file), "--codec", "auto", "--index", "hnsw", "--projection", "none")
    assert (leg.index, leg.codec, leg.projection) == (HnswConfig(), None, None)
    with pytest.raises(ConfigError, match=r"legs\.dense: the index hnsw does not support codec pq"):
        dense("--config", str(file), "--index", "hnsw")
    with pytest.raises(ConfigError, match="--recall: the index flat compares every vector"):
        dense("--recall", "0.9")
    with pytest.raises(ConfigError, match=r"legs\.dense\.index\.recall"):
        dense("--index", "hnsw", "--recall", "2")
    for wrong in ("", "pca", "pca:", "pca:x", "pca:-3", "pcb:0.5", "pca:0.5:1", "none:1"):
        with pytest.raises(
            argparse.ArgumentTypeError, match="must be none or have the form KIND:SHARE"
        ):
            parse_projection(wrong)
    for beyond in ("pca:0.0", "pca:1.5", "random:0"):
        with pytest.raises(ConfigError, match=r"legs\.dense\.projection\.(share|dimensions)"):
            dense("--projection", beyond)


def test_parse_bytes() -> None:
    assert parse_bytes("1500") == 1500
    assert parse_bytes("2GB") == parse_bytes("2 g") == 2 * 10**9
    assert parse_bytes("1.5GiB") == 3 * 2**29
    for wrong in ("", "GB", "2 PB", "-1", "2GBx", "1e9"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a size"):
            parse_bytes(wrong)


def test_selection_options_become_request_fields() -> None:
    assert selected() == {}
    flags = "--legs dense,sparse=0.5 --fusion rrf --rrf-k 10 --depth 50 --filter"
    assert selected(*flags.split(), '{"a": 1}') == {
        "legs": [{"name": "dense"}, {"name": "sparse", "weight": 0.5}],
        "fusion": {"method": "rrf", "k": 10},
        "depth": 50,
        "filter": {"a": 1},
    }
    assert selected("--recall", "0.9") == {"search": {"recall": 0.9}}
    assert selected("--exact") == {"search": {"recall": 1.0}}
    assert selected("--search", "nprobe=17, oversample=0") == {
        "search": {"nprobe": 17, "oversample": 0}
    }
    for wrong in ("", "nprobe", "nprobe=", "nprobe=x", "recall=1", "ef=1,ef=2", "ef=-1", "lists=3"):
        with pytest.raises(argparse.ArgumentTypeError, match="must have the form NAME=N"):
            parse_search(wrong)
    with pytest.raises(InvalidInputError, match="--rrf-k: requires --fusion rrf"):
        selected("--rrf-k", "10")
    with pytest.raises(InvalidInputError, match="--fusion: requires several legs"):
        selected("--legs", "dense", "--fusion", "rrf")
    for wrong in ("", "a,,b", "=1", "a=x"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_legs(wrong)
    for wrong in ("{", "[]", "1"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_filter(wrong)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["build", "DIR"],
        ["search"],
        ["search", "DIR", "q", "--lim", "3"],
        ["search", "DIR", "q", "--fusion", "sum"],
        ["search", "DIR", "q", "--exact", "--recall", "0.9"],
        ["search", "DIR", "q", "--search", "probes=3"],
        ["build", "DIR", "--documents", "x", "--index", "tree"],
        ["reconfigure", "DIR", "--codec", "float9"],
        ["build", "DIR", "--documents", "x", "--memory-budget", "much"],
        ["delete", "DIR"],
        ["delete", "DIR", "--id", "1", "--filter", "{}"],
    ],
)
def test_wrong_arguments_end_with_status_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(argv)
    assert done.value.code == 2
    assert capsys.readouterr().err.startswith("twindex: error: ")


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ([], "twindex"),
        (["--nonsense", "search", "DIR", "q"], "twindex"),
        (["search", "DIR", "q", "--nonsense"], "twindex search"),
        (["search", "DIR", "q", "--fusion", "sum"], "twindex search"),
        (["train", "cross-encoder", "--nonsense"], "twindex train cross-encoder"),
    ],
)
def test_an_error_names_the_help_of_its_command(
    argv: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(argv)
    assert capsys.readouterr().err.endswith(f"\nSee: {command} --help\n")


def test_legs_for_reranking_are_added_by_their_flags() -> None:
    assert set(configured().legs) == {"dense", "sparse", "lexical"}
    legs = configured("--late", "a", "--tilde", "b", "--dense", "none").legs
    assert set(legs) == {"sparse", "lexical", "late", "tilde"}
    late, tilde = legs["late"], legs["tilde"]
    assert isinstance(late, DenseLeg)
    assert isinstance(tilde, SparseLeg)
    assert (late.role, late.encoder.kind, late.encoder.model) == ("rerank", "late", "a")
    assert (tilde.role, tilde.encoder.kind, tilde.encoder.model) == ("rerank", "tilde", "b")
    assert late.storage.used_codec == ScalarCodec(kind="int4")

    flags = "--late-codec binary --late-projection pca:0.5 --pooling 2 --document-length 100"
    late = configured("--late", "a", *flags.split()).legs["late"]
    assert isinstance(late, DenseLeg)
    assert isinstance(late.encoder, LateEncoderConfig)
    assert (late.storage.held_codec.kind, late.storage.kept) == ("binary", "none")
    assert late.projection == ProjectionConfig(share=0.5)
    assert (late.encoder.pooling, late.encoder.document_length) == (2, 100)
    with pytest.raises(ConfigError, match="--late-codec: requires a late leg"):
        configured("--late-codec", "int8")
    nothing = ["--dense", "none", "--sparse", "none", "--lexical", "none"]
    with pytest.raises(ConfigError, match="are all none; keep at least one"):
        configured(*nothing, "--late", "a")


def test_an_empty_model_name_is_not_the_default_model() -> None:
    for flag in ("dense", "sparse", "late", "tilde"):
        leg = configured(f"--{flag}", "").legs[flag]
        assert not isinstance(leg, LexicalLeg)
        assert leg.encoder.model == ""  # Loading it fails later.


def test_flags_of_the_dense_leg_leave_the_late_one_alone() -> None:
    legs = configured("--late", "a", "--codec", "float16").legs
    assert isinstance(legs["late"], DenseLeg)
    assert legs["late"].storage.held_codec.kind == "int4"
