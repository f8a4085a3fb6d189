"""The registry of rerankers: a registered kind is available everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from twindex.core import ConfigError
from twindex.core.config import Device
from twindex.core.kinds import named, register
from twindex.index import CollectionConfig
from twindex.index.structures.protocol import IndexConfig
from twindex.rerank import (
    RERANKERS,
    Budget,
    Candidate,
    ChainConfig,
    FakeRerankerConfig,
    IntraDocumentConfig,
    LateInteractionConfig,
    Needs,
    Placed,
    Reranked,
    RerankerConfig,
    Rerankers,
    Task,
    load_reranker,
    parse_spec,
    rerank_one,
)
from twindex.rerank.config import Shorthand
from twindex.rerank.spec import usages
from twindex.search import Collection, RerankerRegistry

from ..house import forget

HITS = [Candidate(str(i), text) for i, text in enumerate(["a bee", "an antelope", "a crow"])]
REGISTRATION = Path(__file__).parents[2] / "rerank" / "kinds.py"


class LongestReranker:
    """Ranks long texts first, or short ones."""

    kind = "longest_text"
    needs = Needs()

    def __init__(self, config: LongestConfig) -> None:
        self.config = config

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        sign = -1 if self.config.model == "short" else 1
        found = []
        for task in tasks:
            sizes = [float(sign * len(one.text)) for one in task.candidates]
            order = sorted(range(len(sizes)), key=lambda i: -sizes[i])
            found.append(Reranked([Placed(i, sizes[i]) for i in order]))
        return found


class LongestConfig(RerankerConfig):
    made_by: ClassVar[str] = ".test_kinds:LongestReranker"
    scores_texts: ClassVar[bool] = True

    kind: Literal["longest_text"] = "longest_text"
    model: str = "long"
    device: Device = "auto"


@pytest.fixture
def registered() -> Iterator[type[RerankerConfig]]:
    register(LongestConfig)
    yield LongestConfig
    forget(RERANKERS, LongestConfig)


def ids(found: Reranked) -> list[str]:
    return [HITS[placed.index].id for placed in found.order]


@pytest.mark.parametrize("kind", list(RERANKERS))
def test_every_kind_names_its_class(kind):
    config = RERANKERS[kind]
    made = named(config.made_by, config)
    assert callable(made)
    assert getattr(made, "__self__", made).kind == kind


def test_a_kind_needs_its_own_files_and_one_line():
    """Only the public names of the package may also name a configuration."""
    lines, room = REGISTRATION.read_text().splitlines(), REGISTRATION.parent
    for config in RERANKERS.classes().values():
        folder, _, module = config.__module__.removeprefix("twindex.rerank").rpartition(".")
        line = f"from {folder or '.'} import {module}"
        assert [one.partition(" as ")[0] for one in lines].count(line) == 1
        own = room.parent / Path(*config.__module__.split(".")[1:]).with_suffix(".py")
        home = {own} if own.parent == room else {*own.parent.glob("*.py")}
        naming = {path for path in room.rglob("*.py") if config.__name__ in path.read_text()}
        assert own in naming
        assert naming <= {*home, room / "__init__.py"}


def test_a_registered_kind_is_found_by_its_word(registered):
    assert "longest-text[:MODEL]" in usages()
    assert parse_spec("longest-text@7") == LongestConfig(candidates=7)
    config = parse_spec("longest-text:short")
    assert config == LongestConfig(model="short")
    assert ids(rerank_one(load_reranker(config), "q", HITS)) == ["0", "2", "1"]
    chain = parse_spec("fake@3+longest-text@3")
    assert ids(rerank_one(load_reranker(chain), "q", HITS)) == ["1", "2", "0"]
    with pytest.raises(ConfigError, match=r"write it as longest-text\[:MODEL\]"):
        parse_spec("longest-text:")


def test_a_spec_word_in_use_causes_a_warning(registered, monkeypatch, caplog):
    monkeypatch.setattr(LongestConfig, "shorthand", Shorthand(words={"late": {}}))
    before = parse_spec("late")
    assert [one.message for one in caplog.records] == [
        "a spec cannot name the reranker 'longest_text' as 'late': the reranker 'late' already "
        "uses this word"
    ]
    assert parse_spec("late") == before == LateInteractionConfig()
    assert len(caplog.records) == 1


def test_a_registered_kind_is_found_in_files_and_other_kinds(registered, tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text(
        '[rerankers.long]\nkind = "longest_text"\n'
        '[rerankers.all]\nkind = "chain"\n'
        'stages = [{reranker = {kind = "longest_text", model = "short"}, candidates = 3}]\n'
        '[rerankers.in]\nkind = "intra_document"\nslow = {kind = "longest_text"}\n'
    )
    registry = RerankerRegistry.read(file)
    assert registry.config("long") == LongestConfig()
    assert ids(rerank_one(registry.get("all"), "q", HITS)) == ["0", "2", "1"]
    assert registry.get("in").kind == "intra_document"
    moved = registry.config("in").on("cpu")
    assert isinstance(moved, IntraDocumentConfig)
    assert moved.slow == LongestConfig(device="cpu")
    with pytest.raises(ConfigError, match=r"rerankers\.x\.size: unknown field"):
        Rerankers.parse({"rerankers": {"x": {"kind": "longest_text", "size": 2}}})


def test_schema_and_errors_list_exactly_the_registered_kinds(registered):
    schema = Rerankers.model_json_schema()
    assert "LongestConfig" in schema["$defs"]
    references = re.findall(r"#/\$defs/(\w+)", json.dumps(schema))
    assert set(references) == set(schema["$defs"])
    with pytest.raises(ConfigError, match="or \"longest_text\", got 'magic'") as wrong:
        Rerankers.parse({"rerankers": {"x": {"kind": "magic"}}})
    assert wrong.value.field == "rerankers.x"
    with pytest.raises(ConfigError, match=r"kind of reranker 'magic'; .* longest-text\[:MODEL\]"):
        parse_spec("magic")
    forget(RERANKERS, LongestConfig)
    assert "LongestConfig" not in str(Rerankers.model_json_schema())
    assert "longest-text[:MODEL]" not in usages()
    with pytest.raises(ConfigError, match=r'kind is "cross_encoder", .* or "fake", got'):
        ChainConfig.parse({"stages": [{"reranker": {"kind": "longest_text"}, "candidates": 1}]})


def test_only_kinds_that_score_texts_read_windows():
    with pytest.raises(ConfigError) as wrong:
        IntraDocumentConfig.parse({"slow": {"kind": "mmr"}})
    assert str(wrong.value) == (
        'slow: must be an object whose kind is "cross_encoder", "late", "tilde", "pointwise" or '
        "\"fake\", got 'mmr'"
    )


def test_a_registered_name_cannot_be_reused():
    class Again(RerankerConfig):
        kind: Literal["fake"] = "fake"

    with pytest.raises(ConfigError, match=r"named 'fake' already exists \(.*FakeRerankerConfig"):
        register(Again)
    assert RERANKERS["fake"] is FakeRerankerConfig


def test_a_value_declared_as_a_method_is_refused():
    class Mine(IndexConfig):
        made_by = ".own:Own"
        usual_codec = classmethod(lambda cls: None)
        kind: Literal["mine"] = "mine"

    with pytest.raises(ConfigError, match=r"Mine\.usual_codec must be a value, not a method"):
        register(Mine)


def test_a_program_can_pass_its_own_reranker(tmp_path):
    longest = LongestReranker(LongestConfig())
    registry = RerankerRegistry({"fake": FakeRerankerConfig(), "own": longest})
    assert registry.get("own") is longest
    assert (registry.config("own").kind, registry.config("own").candidates) == ("longest_text", 100)
    with pytest.raises(ConfigError):
        RerankerRegistry({"no name": longest})
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with Collection.create(tmp_path / "c", config, rerankers=registry) as collection:
        collection.add([{"id": "1", "text": "kiwi"}, {"id": "2", "text": "kiwi of the woods"}])
        result = collection.search("kiwi", rerank={"model": "own"})
        assert [hit.id for hit in result.hits] == ["2", "1"]
        assert result.rerank.model == "own"


def test_an_installed_package_adds_a_kind(tmp_path):
    (tmp_path / "shouting.py").write_text(
        "from typing import Literal\n"
        "from twindex.rerank import FakeRerankerConfig, RerankerConfig, load_reranker\n"
        "class ShoutConfig(RerankerConfig):\n"
        "    kind: Literal['shout'] = 'shout'\n"
        "    def make(self):\n"
        "        return load_reranker(FakeRerankerConfig())\n"
    )
    installed = tmp_path / "shouting-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[twindex.rerankers]\nshout = shouting:ShoutConfig\nbroken = shouting:Nothing\n"
    )
    code = (
        "from twindex.core import ConfigError\n"
        "from twindex.rerank import Rerankers, load_reranker, parse_spec\n"
        "print(load_reranker(parse_spec('shout@3')).kind)\n"
        "try:\n"
        "    Rerankers.parse({'rerankers': {'a': {'kind': 'broken'}}})\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, refused = done.stdout.splitlines()
    assert loaded == "fake"
    assert "'broken' of the package shouting; see the log" in refused
