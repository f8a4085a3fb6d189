"""Registries of kinds: registration, look-up, JSON schema and errors."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import Annotated, Any, ClassVar, Literal

import pytest

from twindex.core import Config, ConfigError, Kinds, OneOf, register
from twindex.core.bounds import Count
from twindex.core.kinds import families, named
from twindex.core.kinds import registry as kinds
from twindex.encoders import ENCODERS, EncoderConfig
from twindex.index import CODECS, LEGS, PROJECTIONS, STRUCTURES, CollectionConfig, IndexConfig

from ..house import forget


class Shape(Config):
    """Base class of all shapes."""

    sides: ClassVar[int] = 0
    kind: str


SHAPES: Kinds[Shape] = Kinds(Shape, "shape", "twindex.tests.shapes")
kinds._families.remove(SHAPES)  # It exists only in this test.


@SHAPES.register
class Square(Shape):
    """Four sides."""

    sides = 4
    kind: Literal["square"] = "square"
    width: Count = 1


@SHAPES.register
class Round(Shape):
    kind: Literal["circle", "ellipse"] = "circle"


@SHAPES.register
class Group(Shape):
    kind: Literal["group"] = "group"
    members: tuple[Annotated[Shape, OneOf(SHAPES)], ...] = ()


class Picture(Config):
    shape: Annotated[Shape, OneOf(SHAPES, default="square")] = Square()
    cornered: Annotated[Shape, OneOf(SHAPES, among=lambda one: one.sides > 0)] | None = None


def test_names_map_to_classes_and_a_class_may_have_several_names() -> None:
    assert list(SHAPES) == ["square", "circle", "ellipse", "group"]
    assert SHAPES["ellipse"] is SHAPES["circle"] is Round
    assert SHAPES.find("line") is None
    known = "'line' is not a kind of shape; known kinds: square, circle, ellipse"
    with pytest.raises(ConfigError, match=known):
        SHAPES["line"]
    assert SHAPES.parse({"kind": "ellipse"}) == Round(kind="ellipse")
    with pytest.raises(ConfigError, match="requires the field `kind`"):
        SHAPES.parse({})


@pytest.mark.parametrize(
    ("value", "field", "words"),
    [
        ({"shape": {"width": 0}}, "shape.width", "between 1 and"),
        ({"shape": {"kind": "line"}}, "shape", 'kind is "square", "circle", "ellipse" or "group"'),
        ({"shape": {"kind": "os:system"}}, "shape", "got 'os:system'"),
        ({"shape": {"kind": 3}}, "shape", "got 3"),
        ({"shape": "square"}, "shape", "must be an object whose kind is"),
        ({"cornered": {"kind": "circle"}}, "cornered", 'whose kind is "square", got'),
        ({"cornered": {}}, "cornered", "requires the field `kind`"),
        ({"shape": {"kind": "group", "members": [{"kind": "square", "w": 1}]}},
         "shape.members[0].w", "fields: kind, width"),
        ({"shape": {"width": 2, "kind": "circle"}}, "shape.width", "unknown field"),
    ],
)  # fmt: skip
def test_error_names_the_field(value: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Picture.parse(value)
    assert caught.value.field == field
    assert words in caught.value.message


def test_configuration_round_trips_through_json() -> None:
    members = (Square(width=3), Round(kind="ellipse"), Group(members=(Square(),)))
    picture = Picture(shape=Group(members=members), cornered=Square(width=2))
    for written in (picture.model_dump_json(), picture.model_dump(mode="json")):
        again = Picture.stored(written)
        assert again == picture
        assert isinstance(again.shape, Group)
        assert type(again.shape.members[1]) is Round
    assert Picture.parse({"shape": {}}).shape == Square()
    assert Picture.parse({"shape": {"kind": None, "width": 1}}).shape == Square()  # As absent.
    beyond = Picture.stored({"shape": {"width": 10**9}})  # Stored numbers may be out of bounds.
    assert beyond.shape.model_dump()["width"] == 10**9


def test_schema_contains_kinds_that_are_registered_late() -> None:
    class Late(Shape):
        kind: Literal["late"] = "late"

    before = Picture.model_json_schema()
    SHAPES.register(Late)
    try:
        schema = Picture.model_json_schema()
    finally:
        forget(SHAPES, Late)
    assert "Late" not in before["$defs"]
    assert "Late" in schema["$defs"]
    shape, (cornered, _) = schema["properties"]["shape"], schema["properties"]["cornered"]["anyOf"]
    assert [one["$ref"] for one in shape["oneOf"]] == [
        f"#/$defs/{name}" for name in ("Square", "Round", "Group", "Late")
    ]
    assert "discriminator" not in shape  # Without a kind it is a square.
    assert cornered["discriminator"]["mapping"] == {"square": "#/$defs/Square"}
    members = schema["$defs"]["Group"]["properties"]["members"]["items"]["oneOf"]
    assert {"$ref": "#/$defs/Group"} in members
    assert Picture.model_json_schema() == before


def test_invalid_kinds_cannot_be_registered() -> None:
    class Nameless(Shape):
        pass

    class Double(Shape):
        kind: Literal["square"] = "square"

    with pytest.raises(ConfigError, match="Nameless has no name"):
        SHAPES.register(Nameless)
    exists = r"named 'square' already exists \(.*Square\); choose another"
    with pytest.raises(ConfigError, match=exists):
        SHAPES.register(Double)
    for wrong in (Picture, 3):
        with pytest.raises(ConfigError, match="is not a subclass of Shape"):
            SHAPES.register(wrong)  # type: ignore[arg-type]

    class Listed(Shape):
        kind: Literal["listed"] = "listed"
        corners: list[int] = []  # noqa: RUF012

    class Bare(EncoderConfig):
        made_by = "nowhere:Nothing"
        kind: Literal["bare"] = "bare"

    with pytest.raises(ConfigError, match="corners has a mutable type"):
        SHAPES.register(Listed)
    with pytest.raises(ConfigError, match="Bare must define the attribute gives"):
        ENCODERS.register(Bare)
    with pytest.raises(ConfigError, match="Picture is not a subclass of Shape"):
        SHAPES.register(Picture)
    with pytest.raises(ConfigError, match="Picture belongs to no family; make it a subclass of"):
        register(Picture)
    with pytest.raises(
        ConfigError, match=r"Double is not registered; call twindex\.core\.register\(Double\)"
    ):
        Picture(shape=Double())  # An object of a class that is not registered.
    assert SHAPES.register(Square) is Square  # Registering a class again has no effect.


def test_register_finds_the_family_by_the_base_class() -> None:
    class Mine(EncoderConfig):
        made_by = "nowhere:Nothing"
        gives = frozenset({"dense"})
        kind: Literal["mine_alone"] = "mine_alone"

    register(Mine)
    try:
        encoder = {"kind": "mine_alone"}
        config = CollectionConfig.parse({"legs": {"d": {"kind": "dense", "encoder": encoder}}})
        assert isinstance(config.legs["d"].encoder, Mine)
        with pytest.raises(ConfigError, match="whose kind is"):  # It gives no sparse vectors.
            CollectionConfig.parse({"legs": {"s": {"kind": "sparse", "encoder": encoder}}})
    finally:
        forget(ENCODERS, Mine)


def test_kinds_of_installed_packages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    group = "twindex.tests.shapes"
    points = [
        EntryPoint("star", f"{__name__}:Star", group),
        EntryPoint("gone", "no_such_module:Gone", group),
        EntryPoint("wrong", f"{__name__}:Square", group),
    ]
    monkeypatch.setattr(kinds, "entry_points", lambda group: points)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())
    family: Kinds[Shape] = Kinds(Shape, "shape", group)
    kinds._families.remove(family)
    assert family["star"] is Star
    for _ in range(2):
        for name in ("gone", "wrong"):
            with pytest.raises(ConfigError, match=f"'{name}' of the package .*; see the log"):
                family.find(name)
    assert "star" in list(family)
    assert caplog.text.count("No module named 'no_such_module'") == 1  # It is logged once.
    assert caplog.text.count("Square does not define the kind 'wrong'") == 1

    class Drawing(Config):
        shape: Annotated[Shape, OneOf(family)]

    assert Drawing(shape=Star()).shape == Star()
    for given in (Gone(), {"kind": "gone"}):
        with pytest.raises(ConfigError, match=r"'gone' of the package .*; see the log") as caught:
            Drawing.parse({"shape": given})
        assert caught.value.field == "shape"


class Star(Shape):
    kind: Literal["star"] = "star"


class Gone(Shape):
    kind: Literal["gone"] = "gone"


def _this() -> Any:
    from types import ModuleType

    module = ModuleType(__name__)
    vars(module).update(globals())
    return module


@pytest.mark.parametrize("family", families(), ids=lambda family: family.noun)
def test_every_kind_has_a_docstring_and_a_default_name(family: Kinds[Any]) -> None:
    for name, config in family.classes().items():
        assert (config.__doc__ or "").strip(), f"{name}: add a docstring"
        assert config.model_fields["kind"].default, name
        assert issubclass(config, family.base)


def test_made_by_refers_to_existing_objects() -> None:
    for encoder in ENCODERS.classes().values():
        for reference in filter(None, (encoder.made_by, encoder.faked_by)):
            assert callable(named(reference, encoder)), reference
    for structure in STRUCTURES.classes().values():
        assert callable(named(structure.made_by, structure).build)
        assert issubclass(structure, IndexConfig)
    for leg in LEGS.classes().values():
        for reference in filter(None, (*leg.segments, *leg.deltas)):
            assert callable(named(reference, leg)), reference
    assert {*CODECS} > {"int8", "pq"}
    assert list(PROJECTIONS) == ["pca", "random", "matryoshka"]
