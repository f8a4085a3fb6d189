"""Rewriting with a small language model and real encoders."""

from __future__ import annotations

import pytest

from twindex.core import ModelError
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig
from twindex.generate.rewriting import REWRITERS
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.llm import find_weights
from twindex.search import Collection, RewriterRegistry

MODEL = "SmolLM2-135M-Instruct"
KINDS = ("hyde", "query2doc", "queries", "decompose", "step_back", "standalone")
BIRDS = {
    "kiwi": "The kiwi is a flightless bird of New Zealand. It eats worms and insects.",
    "emu": "The emu runs fast and cannot fly. It lives in Australia.",
    "swift": "Swifts sleep while they fly.",
    "penguin": "Penguins swim with their wings and cannot fly.",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    for name in (MODEL, "all-MiniLM-L6-v2"):
        try:
            find_weights(name, allow_download=False)
        except ModelError:
            pytest.skip(f"{name} is not installed")
    tables = {
        kind: {
            "kind": kind,
            "llm": {"model": MODEL},
            "max_tokens": 32,
            **({"texts": 2} if kind == "hyde" else {}),
        }
        for kind in KINDS
    }
    rewriters = RewriterRegistry({kind: REWRITERS.parse(table) for kind, table in tables.items()})
    config = CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig()),
            "lexical": LexicalLeg(encoder=AnalyzerConfig()),
        }
    )
    path = tmp_path_factory.mktemp("models") / "birds"
    with Collection.create(path, config, rewriters=rewriters) as collection:
        collection.add([{"id": name, "text": text} for name, text in BIRDS.items()])
        yield collection


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_rewritten_search_still_finds_the_document(birds, kind):
    first = birds.search("Which bird of New Zealand is flightless?", rewrite=kind)
    (stage,) = first.stages
    assert stage.status in ("ran", "skipped"), stage.reason
    assert stage.usage.calls == (2 if kind == "hyde" else 1)
    assert first[0].id == "kiwi"
    again = birds.search("Which bird of New Zealand is flightless?", rewrite=kind)
    assert [(hit.id, hit.score) for hit in again] == [(hit.id, hit.score) for hit in first]
    assert (again.stages[0].usage.calls, again.stages[0].queries) == (0, stage.queries)


def test_a_follow_up_question_names_what_it_is_about(birds):
    turns = [
        {"role": "user", "content": "Where do kiwis live?"},
        {"role": "assistant", "content": "Kiwis live in New Zealand."},
    ]
    found = birds.answer("And what do they eat?", turns=turns)
    assert "kiwi" in found.query.lower()
    assert found.stages[0].status == "ran"
    assert found.sources[0].id == "kiwi"


def test_a_short_time_limit_falls_back_to_the_query(birds):
    plain = birds.search("birds that swim")
    found = birds.search("birds that swim", rewrite={"model": "hyde", "timeout_ms": 5})
    assert [(hit.id, hit.score) for hit in found] == [(hit.id, hit.score) for hit in plain]
    assert found.stages[0].status == "failed"
    assert found.milliseconds < 3_000
