"""Models in folders: usable from any folder, found by their weights, and repointed."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twindex.core import (
    ConfigError,
    ConflictError,
    EncoderMismatchError,
    InvalidInputError,
    ModelError,
)
from twindex.encoders import (
    DenseEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
    load_encoder,
)
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    HnswConfig,
    LexicalLeg,
    SparseLeg,
    VectorStorage,
)
from twindex.index.store.database.meta import get_meta, set_meta
from twindex.llm import WHEELS, find_weights, weights_digest
from twindex.llm.weights import places as weights
from twindex.search import Collection, build, repoint

BIRDS = [
    {"id": "kiwi", "text": "The kiwi cannot fly. It lives in New Zealand."},
    {"id": "gull", "text": "The gull flies over the sea."},
]


def legs(model: str) -> CollectionConfig:
    encoder = SparseEncoderConfig(model=model, device="cpu")
    return CollectionConfig(legs={"sparse": SparseLeg(encoder=encoder), "lexical": LexicalLeg()})


def copied(folder: Path, note: str | None = "of our own") -> Path:
    """Copy splade-tiny into a folder; a note changes its digest."""
    shutil.copytree(find_weights("splade-tiny"), folder)
    if note is not None:
        (folder / "note.txt").write_text(note)
    return folder


def place(path: Path | str, leg: str = "sparse") -> str:
    """The stored name of a leg's model."""
    with Collection.open(path, read_only=True) as collection:
        return str(collection.config.legs[leg].encoder.model)  # type: ignore[union-attr]


def first(path: Path | str, **options: Any) -> list[tuple[str, float]]:
    with Collection.open(path, **options) as collection:
        return [(hit.id, hit.score) for hit in collection.search("flightless bird").hits]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, which is the current folder, with a model in ./models/mini."""
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")
    monkeypatch.delenv("TWINDEX_MODELS", raising=False)
    project = tmp_path / "project"
    copied(project / "models" / "mini")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def index(work: Path) -> Path:
    with Collection.create("index", legs("models/mini")) as collection:
        collection.add(BIRDS)
        collection.merge()
    return work / "index"


def test_a_path_with_dots_after_a_link_is_resolved_correctly(work: Path) -> None:
    """`link/..` is not the parent folder of the link; another model may be there."""
    copied(work / "sub" / "models" / "mini", "another")
    (work / "sub" / "inner").mkdir()
    (work / "link").symlink_to(work / "sub" / "inner")
    config = legs("link/../models/mini")
    with Collection.create(work / "index", config) as collection:
        collection.add(BIRDS)
        stored = collection.store.fingerprints()["sparse"]["weights"]
    assert stored == weights_digest(work / "sub" / "models" / "mini")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("models/mini", "create"),
        ("./models/mini", "build"),
        ("../project/models/mini", "open_or_create"),
        ("~/mini", "create"),
    ],
)
def test_a_relative_path_works_from_everywhere(
    name: str, how: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(work / "models"))
    if how == "build":
        build("index", BIRDS, legs(name))
    else:
        with getattr(Collection, how)("index", legs(name)) as collection:
            collection.add(BIRDS)
    here = first(work / "index")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert first(work / "index") == here
    assert place(work / "index") == str(work / "models" / "mini")


def test_links_are_not_resolved(work: Path) -> None:
    (work / "current").symlink_to(work / "models" / "mini")
    Collection.create("index", legs("current")).close()
    assert place("index") == str(work / "current")


def test_model_names_are_not_made_absolute(work: Path) -> None:
    copied(work / "fake")
    copied(work / "mine")
    config = legs("splade-tiny")
    Collection.create("a", config).close()
    assert place("a") == "splade-tiny"
    dense = DenseLeg(encoder=DenseEncoderConfig(model="fake"))
    Collection.create("b", CollectionConfig(legs={"dense": dense})).close()
    assert place("b", "dense") == "fake"
    # Other loaders may interpret a name differently.
    loaded = load_encoder(SparseEncoderConfig(device="cpu"))
    lexical = load_encoder(LexicalLeg().encoder)
    own = {"sparse": loaded, "analyzer": lexical}
    Collection.create("c", legs("mine"), encoders=lambda config: own[config.kind]).close()
    assert place("c") == "mine"


def cached(folder: Path, monkeypatch: pytest.MonkeyPatch, where: Path) -> None:
    """Put a model into a cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(where))
    (where / "models--org--empty" / "snapshots" / "0").mkdir(parents=True)
    (where / "models--org--damaged" / "snapshots" / "0" / "config.json").mkdir(parents=True)
    target = where / "models--org--mini" / "snapshots" / "abcdef"
    target.parent.mkdir(parents=True)
    folder.rename(target)


@pytest.mark.parametrize(
    ("where", "read_only"),
    [("variable", False), ("argument", True), ("wheel", False), ("cache", True)],
)
def test_a_moved_model_is_found_by_its_weights(
    where: str, read_only: bool, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "wheel":
        (work / "models" / "mini" / "note.txt").unlink()
    with Collection.create("index", legs("models/mini")) as collection:
        collection.add(BIRDS)
    before = first("index")
    moved = (work / "models" / "mini").rename(tmp_path / "elsewhere" / "another-name")
    options: dict[str, Any] = {"read_only": read_only}
    others = ["no-such-model", "/no/such/folder", "~nobody-of-that-name", str(tmp_path)]
    if where == "variable":
        monkeypatch.setenv("TWINDEX_MODELS", ",".join([*others, str(moved)]))
    elif where == "argument":
        options["models"] = [*others, str(moved)]
    elif where == "cache":
        cached(moved, monkeypatch, tmp_path / "hub")
    else:
        shutil.rmtree(moved)
    assert first("index", **options) == before
    with Collection.open("index", **options) as collection:
        if not read_only:
            assert collection.add([{"id": "emu", "text": "The emu runs."}]).documents == 1
    assert place("index") == str(work / "models" / "mini")  # It may come back.


def test_a_model_that_is_not_found_is_named_with_the_remedy(index: Path, work: Path) -> None:
    before, digest = first(index), weights_digest(work / "models" / "mini")
    moved = (work / "models" / "mini").rename(work / "moved")
    copied(work / "other", "of others")
    with pytest.raises(ModelError) as error:
        first(index, models=[str(work / "other")])
    for part in (str(work / "models" / "mini"), digest, "twindex repoint COLLECTION PATH"):
        assert part in str(error.value)
    assert repoint(index, "moved") == ["sparse"]
    assert first(index) == before
    assert place(index) == str(moved)
    assert repoint(str(index), moved) == []


def test_a_folder_without_the_weights_counts_as_missing(index: Path, work: Path) -> None:
    """An unmounted volume leaves an empty folder; a copy may be incomplete."""
    before, mini = first(index), work / "models" / "mini"
    moved = mini.rename(work / "moved")
    mini.mkdir()
    with pytest.raises(ModelError, match=r"cannot be loaded.* twindex repoint"):
        first(index)
    assert first(index, models=[str(moved)]) == before
    shutil.copy(moved / "config.json", mini)
    assert first(index, models=[str(moved)]) == before


def test_a_package_that_is_not_installed_is_named_with_its_remedy(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection.create("index", legs("splade-tiny")) as collection:
        collection.add(BIRDS)
    before = first("index")
    monkeypatch.setitem(
        weights.WHEELS, "splade-tiny", replace(WHEELS["splade-tiny"], package="not-installed")
    )
    with pytest.raises(ModelError, match=r"Install it: pip install.* twindex repoint"):
        first("index")
    (work / "models" / "mini" / "note.txt").unlink()
    assert first("index", models=["models/mini"]) == before


def test_other_weights_are_refused_by_name(index: Path, work: Path) -> None:
    other = copied(work / "other", "of others")
    digests = [weights_digest(folder) for folder in (other, work / "models" / "mini")]
    before = first(index)
    for chosen in (None, ["sparse"]):
        with pytest.raises(EncoderMismatchError) as error:
            repoint(index, "other", legs=chosen)
        for part in (str(other), str(work / "models" / "mini"), "'sparse'", *digests):
            assert part in str(error.value)
    with pytest.raises(ModelError, match="no such folder"):
        repoint(index, "./nowhere")
    for leg in ("lexical", "nope"):
        with pytest.raises(InvalidInputError, match=f"leg '{leg}' has no model; .*: sparse"):
            repoint(index, "other", legs=[leg])
    with pytest.raises(InvalidInputError, match="legs: must be a list of names"):
        repoint(index, "other", legs="sparse")
    assert first(index) == before
    # Weights changed in place differ from those that computed the vectors, too.
    (work / "models" / "mini" / "note.txt").write_text("changed")
    with pytest.raises(EncoderMismatchError, match="twindex repoint"):
        first(index)


def test_a_named_leg_without_vectors_accepts_any_weights(work: Path) -> None:
    Collection.create("index", legs("models/mini")).close()
    other = copied(work / "other", "of others")
    shutil.rmtree(work / "models")
    with pytest.raises(ModelError, match="no such folder"):
        first("index")
    with pytest.raises(EncoderMismatchError, match="no vectors yet and accepts any model if you"):
        repoint("index", other)
    assert repoint("index", other, legs=["sparse"]) == ["sparse"]
    with Collection.open("index") as collection:
        collection.add(BIRDS)
    assert first("index")


def test_a_stored_relative_path_is_resolved(
    index: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = first(index)
    with Collection.open(index) as collection, collection.store.database.write() as connection:
        typed = json.loads(get_meta(connection, "config") or "")
        typed["legs"]["sparse"]["encoder"]["model"] = "./models/mini"
        set_meta(connection, "config", json.dumps(typed))
    assert place(index) == "./models/mini"
    assert first(index) == before
    Collection.open_or_create(index, legs("models/mini")).close()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"'./models/mini': no such folder.* twindex repoint"):
        first(index)
    assert repoint(index, work / "models" / "mini") == ["sparse"]
    assert first(index) == before


def test_a_project_folder_can_be_moved(
    index: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = first(index)
    other = copied(work / "other", "of others")
    work.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    with Collection.open_or_create("index", legs("./models/mini")) as collection:
        assert [(h.id, h.score) for h in collection.search("flightless bird").hits] == before
    with pytest.raises(ConfigError, match=r"legs\.sparse\.encoder\.model"):
        Collection.open_or_create("index", legs(other.name))
    longer = SparseLeg(encoder=SparseEncoderConfig(model="models/mini", max_length=9))
    with pytest.raises(ConfigError, match=r"legs\.sparse\.encoder\.max_length"):
        Collection.open_or_create("index", legs("models/mini").model_copy(
            update={"legs": {"sparse": longer, "lexical": LexicalLeg()}}
        ))  # fmt: skip


def test_an_interrupted_build_is_continued_from_another_folder(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> Any:
        yield BIRDS[0]
        raise KeyboardInterrupt

    monkeypatch.setattr("twindex.search.writing.pace.Pace.documents", lambda _: 1)
    with pytest.raises(KeyboardInterrupt):
        build("index", interrupted(), legs("./models/mini"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    other = copied(work / "other", "of others")
    with pytest.raises(ConflictError, match="another configuration"):
        build(work / "index", BIRDS, legs(str(other)))
    (work / "models" / "mini").rename(tmp_path / "moved")
    assert build(work / "index", BIRDS, legs("../moved")).resumed_at == 1
    assert first(work / "index", models=["../moved"])


def test_both_models_of_a_leg_are_found_again(work: Path, tmp_path: Path) -> None:
    copied(work / "expander", "expands")
    encoder = TildeEncoderConfig(
        model="models/mini", expansion_model="expander", expansion=5, device="cpu"
    )
    tilde = CollectionConfig(
        legs={"tilde": SparseLeg(encoder=encoder), "again": SparseLeg(encoder=encoder)}
    )
    with Collection.create("index", tilde) as collection:
        collection.add(BIRDS)
    before = first("index")
    moved = [(work / name).rename(tmp_path / name.replace("/", "-"))
             for name in ("models/mini", "expander")]  # fmt: skip
    with pytest.raises(ModelError, match=r"weights of model '.*models/mini'"):
        first("index")
    assert repoint("index", moved[0], legs=["again"]) == ["again"]
    assert repoint("index", moved[0]) == ["tilde"]
    with pytest.raises(ModelError, match=r"weights of model '.*expander'"):
        first("index")
    assert first("index", models=[str(moved[1])]) == before
    assert repoint("index", moved[1]) == ["tilde", "again"]
    assert first("index") == before
    assert place("index", "tilde") == str(moved[0])


def test_repoint_waits_for_a_reconfiguration_and_keeps_it(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = legs("models/mini")
    dense = DenseLeg(encoder=DenseEncoderConfig(model="fake"))
    both = config.model_copy(update={"legs": {**config.legs, "dense": dense}})
    moved = copied(work / "moved")
    with Collection.create("index", both) as collection:
        collection.add(BIRDS)
        collection.seal()
        module = sys.modules["twindex.index.store.reconfigure"]
        merge = module.merge_segments
        other = threading.Thread(target=repoint, args=("index", moved))

        def slow(*arguments: Any) -> Any:
            other.start()
            other.join(0.3)
            assert other.is_alive()
            return merge(*arguments)

        monkeypatch.setattr(module, "merge_segments", slow)
        collection.reconfigure({"dense": VectorStorage(index=HnswConfig())})
        other.join()
        with collection.store.view() as view:
            stored = view.config
    assert stored.legs["sparse"].encoder.model == str(moved)  # type: ignore[union-attr]
    assert stored.legs["dense"].index == HnswConfig()  # type: ignore[union-attr]
