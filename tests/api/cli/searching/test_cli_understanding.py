"""Options of `twindex search` and `twindex eval` that change or judge the query."""

from __future__ import annotations

import json

import pytest

from twindex.api.cli.main import main
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("understanding") / "birds"
    with Collection.create(folder, CollectionConfig(legs={"lexical": LexicalLeg()})) as collection:
        collection.add(
            [
                {"id": "kiwi", "text": "kiwi feathers island", "metadata": {"year": 1813}},
                {"id": "emu", "text": "emu feathers desert", "metadata": {"year": 1790}},
                {"id": "sand", "text": "desert sand", "metadata": {"year": 1790}},
                *({"id": f"z{n}", "text": f"filler{n}"} for n in range(30)),
            ]
        )
    return folder


def test_what_was_searched_is_printed(birds, capsys):
    assert main(["search", str(birds), "emuu feathers year:1790", "--parse-filters"]) == 0
    printed = capsys.readouterr()
    assert "emu" in printed.out
    assert "kiwi" not in printed.out
    assert 'searched \'emuu feathers\' with the filter {"year": {"eq": 1790}}' in printed.err
    options = ["--feedback", "rm3", "--feedback-terms", "5", "--predictors"]
    assert main(["search", str(birds), "feathers", *options]) == 0
    printed = capsys.readouterr()
    assert "sand" in printed.out
    assert "feedback ran in" in printed.err
    assert "query in lexical: feather" in printed.err
    assert "lexical.top_score" in printed.err


def test_spelling_is_checked_unless_switched_off(birds, capsys):
    main(["search", str(birds), "dessert"])
    assert "did you mean: desert" in capsys.readouterr().err
    main(["search", str(birds), "dessert", "--no-suggest"])
    assert "did you mean" not in capsys.readouterr().err


def test_json_has_the_stages(birds, capsys):
    gate = ["--feedback", "lexical=bo1", "--feedback-gate", "idf_max>99"]
    main(["search", str(birds), "feathers", *gate, "--json"])
    reply = json.loads(capsys.readouterr().out)
    (stage,) = reply["stages"]
    assert (stage["name"], stage["status"]) == ("feedback", "skipped")
    assert stage["reason"].startswith("idf_max is")
    assert reply["query"] == "feathers"


def test_a_rewriter_of_a_file_or_a_kind_is_used_and_shown(birds, tmp_path, capsys):
    file = tmp_path / "rewriters.toml"
    file.write_text('[rewriters.more]\nkind = "fake"\ntexts = ["desert sand"]\n')
    options = ["--rewriter", "more", "--rewriters", str(file), "--rewrite-calls", "1"]
    assert main(["search", str(birds), "kiwi", *options]) == 0
    printed = capsys.readouterr()
    assert "sand" in printed.out
    assert "more ran in" in printed.err
    assert "searched: desert sand" in printed.err
    assert main(["search", str(birds), "kiwi", "--rewriter", "hyde:fake", "--json"]) == 0
    (stage,) = json.loads(capsys.readouterr().out)["stages"]
    assert (stage["name"], stage["searches"]) == ("hyde", 0)
    assert stage["usage"]["calls"] == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--feedback", "rm4"], "methods are rm3"),
        (["--feedback", "dense=rm3"], "dense legs have the methods rocchio, average"),
        (["--feedback", "rm3", "--feedback-gate", "gap"], "PREDICTOR<NUMBER"),
        (["--feedback", "dense=average", "--feedback-terms", "3"], "--feedback-terms"),
        (["--feedback-terms", "3"], "requires --feedback"),
        (["--rewrite-calls", "3"], "requires --rewriter"),
        (["--rewriter", "hide"], "unknown kind of rewriter 'hide'"),
        (["--rewriter", "hyde:"], "write one of hyde[:MODEL]"),
    ],
)
def test_wrong_options_are_named(birds, capsys, options, message):
    with pytest.raises(SystemExit) as done:
        raise SystemExit(main(["search", str(birds), "feathers", *options]))
    assert done.value.code != 0
    assert message in capsys.readouterr().err


def test_feedback_can_be_evaluated(birds, tmp_path, capsys):
    queries, qrels = tmp_path / "queries.jsonl", tmp_path / "qrels.tsv"
    queries.write_text('{"_id": "1", "text": "feathers"}\n')
    qrels.write_text("query-id\tcorpus-id\tscore\n1\tsand\t1\n")
    common = ["eval", str(birds), "--queries", str(queries), "--qrels", str(qrels)]
    values = []
    for options in ([], ["--feedback", "rm3"]):
        assert main([*common, "--measures", "R@100", "--json", *options]) == 0
        values.append(json.loads(capsys.readouterr().out)["measures"]["R@100"])
    assert values == [0, 1]
    options = ["--rewriter", "queries:fake", "--rewrite-gate", "terms<5"]
    assert main([*common, "--measures", "R@100", "--json", *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rewrite"]["model"] == "queries"
    assert report["rewrite"]["on_error"] == "fail"
