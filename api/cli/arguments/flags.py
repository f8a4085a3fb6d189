"""The flags that configure a collection. Each flag sets one field of the configuration.

Most flags are derived from the fields of encoders, indexes and codecs: the docstring of a field is
the help of its flag, and the annotation is the type of its flag. A new kind of encoder, index or
codec therefore gets its flags without further code.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ....core import Config, ConfigError, Kinds
from ....core.errors import any_of
from ....encoders import ENCODERS, PassageConfig
from ....index import (
    CODECS,
    DEFAULT_RECALL,
    PROJECTIONS,
    STRUCTURES,
    DenseLeg,
    LexicalLeg,
)
from ....index.dense.config import scalar_codecs
from ...descriptions import fields
from ...serving.settings import option

ENCODER = "encoder"
CHOSEN_OTHERWISE = frozenset({"kind", "model", "revision", "device", "recall"})
"""Fields for which no flag is derived. Other flags set them; only --config sets a revision."""
_METAVARS: Mapping[Any, str] = {int: "N", float: "X"}


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag of the command line, and the field of a configuration that it sets.

    field: path of the field in a leg, or in the whole configuration if `legs` is None.
    help:  (text, default) of the field. If the kinds that share the flag describe the field
           differently, there are several pairs.
    legs:  names of the legs that have the field; (): every leg that `kinds` allows.
    kinds: kinds of the object field[0], such as the index. Only these kinds have the field;
           (): all kinds have it.
    null:  value on the command line that sets the object field[0] to None.
    """

    name: str
    field: tuple[str, ...]
    help: Sequence[tuple[str, str]]
    legs: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ()
    type: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] | None = None
    null: str | None = None

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("--").replace("-", "_")

    def fits(self, name: str, leg: Mapping[str, Any]) -> bool:
        """Return True if `leg`, the configuration of the leg `name`, has the field."""
        if self.legs is None or (self.legs and name not in self.legs):
            return False
        return not self.kinds or (leg.get(self.field[0]) or {}).get("kind") in self.kinds

    @property
    def required_leg(self) -> str:
        """The leg that the flag applies to, in words: `late leg`, `leg with a codec of ...`."""
        if not self.kinds:
            return f"{' or '.join(self.legs or ())} leg"
        article = "an" if self.field[0][0] in "aeiou" else "a"
        return f"leg with {article} {self.field[0]} of the kind {' or '.join(self.kinds)}"

    def set(self, target: dict[str, Any], given: Any) -> None:
        """Set the field to `given`. target: the leg or configuration that `field` starts from."""
        *path, last = self.field
        if given == self.null:
            target[self.field[0]] = None
            return
        for name in path:
            if target.get(name) is None:
                target[name] = {}
            target = target[name]
        if last == "kind" and target.get("kind") != given:
            target.clear()  # Another kind has different fields.
        target[last] = given


class EffortFlag(Flag):
    """A flag for the effort of an index search: a recall target or a parameter such as nprobe."""

    def set(self, target: dict[str, Any], given: Any) -> None:
        """See Flag. Raises ConfigError if the index has no such field."""
        index = target["index"]
        config = STRUCTURES[index["kind"]]
        if self.field[-1] not in config.model_fields:
            way = "compares every vector" if index["kind"] == "flat" else "has no recall target"
            message = f"the index {index['kind']} {way}; choose another index with --index"
            raise ConfigError(message, field=self.name)
        index.update({name: None for name in config.search_fields if name in index})
        super().set(target, given)


def parse_projection(text: str) -> dict[str, Any] | str:
    """Parse `pca:0.5` (share of the dimensions), `matryoshka:256` (dimensions kept) or `none`."""
    kind, _, amount = text.partition(":")
    kinds = tuple(PROJECTIONS)
    if text == "none":
        return text
    if kind not in kinds or not re.fullmatch(r"\d+|\d*\.\d+|1\.", amount):
        raise argparse.ArgumentTypeError(
            "must be none or have the form KIND:SHARE (such as pca:0.5) or KIND:DIMENSIONS (such "
            f"as pca:192), got {text!r}; the kinds are {', '.join(kinds)}"
        )
    return {
        "kind": kind,
        **({"share": float(amount)} if "." in amount else {"dimensions": int(amount)}),
    }


def kind_flags(part: str, family: Kinds[Any], legs: tuple[str, ...]) -> Iterator[Flag]:
    """Yield the flags of one part of a leg, such as the index: one for each field of its kinds.

    Kinds that have a field of the same name share its flag. The flag is `--FIELD` for an encoder,
    and `--PART-FIELD` for any other part.
    """
    shared: dict[tuple[str, str], dict[str, type[Config]]] = {}
    for kind, config in family.classes().items():
        for field in config.model_fields:
            if field not in CHOSEN_OTHERWISE and nested(config, field) is None:
                name = option(f"{part}_{field}")
                if part == ENCODER:
                    name = config.flags.get(field) or option(field)
                    name = option(kind) + name[1:] if _is_foreign(config) else name
                shared.setdefault((name, field), {})[kind] = config
    for (name, field), configs in shared.items():
        looks = any(field in getattr(config, "search_fields", ()) for config in configs.values())
        flag = EffortFlag if looks else Flag
        yield derived(name, (part, field), configs, legs, tuple(configs), flag)


def nested(config: type[Config], field: str) -> type[Config] | None:
    """Return the class of the configuration that a field contains; None for any other field.

    Such a configuration is an encoder inside a pair, for example.
    """
    annotation = config.model_fields[field].annotation
    choices = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    for one in choices:
        if isinstance(one, type) and issubclass(one, Config):
            return one
    return None


def _is_foreign(config: type[Config]) -> bool:
    """Return True if another package defines the kind. Its flags then begin with the kind."""
    return config.__module__.partition(".")[0] != __name__.partition(".")[0]


def storage_flags() -> list[Flag]:
    """Return the flags that set how a dense leg stores its vectors."""
    dense = ("dense",)
    indexes = ", ".join(f"{kind} ({_summary(one)})" for kind, one in STRUCTURES.classes().items())
    originals = get_args(DenseLeg.model_fields["originals"].annotation)
    return [
        Flag("--index", ("index", "kind"), [(f"kind of vector index: {indexes}", "flat")],
             dense, choices=tuple(STRUCTURES)),
        *kind_flags("index", STRUCTURES, dense),
        Flag("--codec", ("codec", "kind"), [("how the index stores vectors; auto is the index's "
             "own default", "auto")], dense, choices=("auto", *CODECS), null="auto"),
        *kind_flags("codec", CODECS, dense),
        _projection("--projection", dense, "reduce the dimensions of indexed vectors, with a kind "
                    f"({any_of(tuple(PROJECTIONS))}) and the share to keep (pca:0.5) or the "
                    "number of dimensions (pca:192); none keeps all"),
        Flag("--originals", ("originals",), [("number format of the full vectors for rescoring; "
             "none does not store them, and cannot be undone", "auto")], dense, choices=originals),
        EffortFlag("--recall", ("index", "recall"), [("recall target: share of the true nearest "
                   "vectors that a search should find", str(DEFAULT_RECALL))], dense, type=float),
    ]  # fmt: skip


def _projection(name: str, legs: tuple[str, ...], text: str) -> Flag:
    return Flag(name, ("projection",), [(text, "none")], legs, (), parse_projection, "KIND:N",
                null="none")  # fmt: skip


def flags() -> list[Flag]:
    """Return the flags for all fields of CollectionConfig, with unique names.

    If two fields have flags with the same name, the function returns the flag that it makes last.
    """
    lexical = {"": LexicalLeg}
    passages = {"": PassageConfig}
    known = [
        *kind_flags(ENCODER, ENCODERS, ()),
        *(derived(f"--{field}", (field,), lexical, ("lexical",)) for field in ("k1", "b")),
        *storage_flags(),
        Flag("--late-codec", ("codec", "kind"), [("how token vectors are stored", "int4")],
             ("late",), choices=scalar_codecs()),
        _projection("--late-projection", ("late",), "reduce the dimensions of token vectors, as "
                    "with --projection"),
        *(
            derived("--passages" if field == "unit" else f"--passage-{field}",
                     ("passages", field), passages, None)
            for field in PassageConfig.model_fields
        ),
    ]  # fmt: skip
    return list({flag.name: flag for flag in known}.values())


def add_flags(group: argparse._ActionsContainer, given: list[Flag], *, defaults: bool) -> None:
    """Add the flags to a parser. defaults: show the default of each flag in the help."""
    for flag in given:
        texts = (f"{text} (default: {usual})" if defaults else text for text, usual in flag.help)
        text = "; ".join(texts).replace("%", "%%")
        if flag.type is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(flag.name, action=action, default=None, help=text)
        else:
            metavar = flag.metavar or _METAVARS.get(flag.type, "TEXT")
            kind: Any = {"type": flag.type, "choices": flag.choices}
            group.add_argument(
                flag.name, help=text, metavar=None if flag.choices else metavar, **kind
            )


def given_flags(known: list[Flag], arguments: argparse.Namespace) -> list[tuple[Flag, Any]]:
    """Return (flag, value) for each flag of `known` that the command line contains.

    Raises ConfigError if two of these flags are EffortFlags.
    """
    given = [(flag, getattr(arguments, flag.attribute)) for flag in known]
    given = [(flag, value) for flag, value in given if value is not None]
    efforts = [flag.name for flag, _ in given if isinstance(flag, EffortFlag)]
    if len(efforts) > 1:
        message = f"{' and '.join(efforts)} both set the search effort; give one"
        raise ConfigError(message, field=efforts[-1])
    return given


def field_of(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def derived(
    name: str,
    path: tuple[str, ...],
    configs: Mapping[str, type[Config]],
    legs: tuple[str, ...] | None,
    kinds: tuple[str, ...] = (),
    flag: type[Flag] = Flag,
) -> Flag:
    """Return the flag for the field at `path`, from its docstrings, defaults and annotations.

    configs: kind -> its configuration class, which has the field.
    kinds:   as in Flag; the help names these kinds.
    """
    field = path[-1]
    texts: dict[tuple[str, str], list[str]] = {}
    for kind, config in configs.items():
        texts.setdefault(_description(config, field), []).append(kind)
    helps = [
        (f"{', '.join(own)}: {text}" if kinds else text, usual)
        for (text, usual), own in texts.items()
    ]
    types = [_type(config.model_fields[field].annotation) for config in configs.values()]
    choices = dict.fromkeys(one for _, taken in types for one in taken or ())
    type_ = types[0][0] if len({one for one, _ in types}) == 1 else str
    every = tuple(choices) if all(taken for _, taken in types) else None
    return flag(name, path, helps, legs, kinds, type_, choices=every)


def _type(annotation: Any) -> tuple[Callable[[str], Any], tuple[str, ...] | None]:
    """Return the function that parses a flag's value, and the allowed values; None: any value.

    annotation: type annotation of the configuration field that the flag sets.
    """
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _type(next(one for one in get_args(annotation) if one is not NoneType))
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return (str, values) if all(isinstance(one, str) for one in values) else (int, None)
    return (annotation if annotation in (bool, int, float) else str), None


def _description(config: type[Config], field: str) -> tuple[str, str]:
    """Return the help text of a configuration field, from its docstring, and its default.

    A docstring may contain `None: meaning` or `None = meaning`. If the default is None, the meaning
    is returned as the default.
    """
    info = config.model_fields[field]
    meanings = {**fields(config.__doc__ or ""), **config.meanings()}
    text = " ".join(meanings.get(field, field.replace("_", " ")).split()).rstrip(".")
    before, *after = re.split(r"\bNone(?: =|:) ", text, maxsplit=1)
    rest = after[0] if after else ""
    absent = re.split(r"[;.](?!\d)", rest, maxsplit=1)[0]
    text = before.rstrip(" ;,.") + rest.removeprefix(absent) if after else text
    text = text if text[1:2].isupper() else text[0].lower() + text[1:]
    if info.is_required():
        return text, "required"
    default = info.get_default(call_default_factory=True)
    return text, (absent or "none") if default is None else str(default)


def _summary(config: type[Config]) -> str:
    """Return a short description of a kind, from the docstring of its configuration."""
    text = re.sub(r" \([^)]*\)", "", " ".join((config.__doc__ or "").split()))
    head, _, rest = re.split(r"[.;]", text)[0].partition(": ")
    words = rest if rest and not rest.startswith("exact") else head
    return words[:1].lower() + words[1:] or "no description"
