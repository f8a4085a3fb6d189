"""The flags that make a configuration: each is one field of it.

Flags of kinds are derived: a field of an encoder, an index or a codec is a flag, which tells what
the field's docstring tells and takes what its annotation takes. So a new kind has its flags.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ....core import Config, ConfigError, Kinds
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

ENCODER = "encoder"
CHOSEN_OTHERWISE = frozenset({"kind", "model", "revision", "device", "recall"})
"""Fields of kinds without a flag of this sort: others set them, and --config sets a revision."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag, and the field that it sets.

    field: its path in a leg, or in the whole configuration where `legs` is None.
    legs:  names of legs that have it; () = every leg that has it.
    kinds: of the object at field[0] that have the field; () = any.
    null:  the word that stands for nothing there.
    """

    name: str
    field: tuple[str, ...]
    help: str
    legs: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ()
    type: Callable[[str], Any] = str
    metavar: str | None = "N"
    choices: tuple[str, ...] | None = None
    null: str | None = None

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("--").replace("-", "_")

    def fits(self, name: str, leg: Mapping[str, Any]) -> bool:
        """Whether a leg of a configuration has the field."""
        if self.legs is None or (self.legs and name not in self.legs):
            return False
        return not self.kinds or (leg.get(self.field[0]) or {}).get("kind") in self.kinds

    @property
    def lacking(self) -> str:
        """What a configuration lacks in which the flag sets nothing."""
        if not self.kinds:
            return f"{' or '.join(self.legs or ())} leg"
        article = "an" if self.field[0][0] in "aeiou" else "a"
        return f"leg with {article} {self.field[0]} of the kind {' or '.join(self.kinds)}"

    def set(self, target: dict[str, Any], given: Any) -> None:
        """Put what was given into a part of a configuration that has the field."""
        *path, last = self.field
        if given == self.null:
            target[self.field[0]] = None
            return
        for name in path:
            if target.get(name) is None:
                target[name] = {}
            target = target[name]
        if last == "kind" and target.get("kind") != given:
            target.clear()  # another kind has other fields
        target[last] = given


class RecallFlag(Flag):
    """The recall of an index, instead of the parameter of its search."""

    def set(self, target: dict[str, Any], given: Any) -> None:
        """See Flag. Raises ConfigError where there is no recall to reach."""
        index = target["index"]
        if "recall" not in STRUCTURES[index["kind"]].model_fields:
            way = "compares every vector" if index["kind"] == "flat" else "takes no recall"
            message = f"the index {index['kind']} {way}; choose another with --index"
            raise ConfigError(message, field=self.name)
        index.update({name: None for name in STRUCTURES[index["kind"]].looking if name in index})
        super().set(target, given)


class EffortFlag(Flag):
    """How far an index looks, instead of its recall."""

    def set(self, target: dict[str, Any], given: Any) -> None:
        """See Flag."""
        target["index"]["recall"] = None
        super().set(target, given)


def parse_projection(text: str) -> dict[str, Any] | str:
    """`pca:0.5` (a share of the dimensions), `matryoshka:256` (so many), or `none`."""
    kind, _, amount = text.partition(":")
    kinds = tuple(PROJECTIONS)
    if text == "none":
        return text
    if kind not in kinds or not re.fullmatch(r"\d+|\d*\.\d+|1\.", amount):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KIND:SHARE, as in pca:0.5, nor KIND:DIMENSIONS, as in pca:192; "
            f"kinds: {', '.join(kinds)}"
        )
    return {
        "kind": kind,
        **({"share": float(amount)} if "." in amount else {"dimensions": int(amount)}),
    }


def encoder_flags() -> Iterator[Flag]:
    """A flag for each field of each encoder; kinds that have a field of the same name share it."""
    shared: dict[tuple[str, str], list[str]] = {}
    for kind, config in ENCODERS.classes().items():
        for field in config.model_fields:
            if field not in CHOSEN_OTHERWISE:
                own = config.flags.get(field) or f"--{field.replace('_', '-')}"
                if _foreign(config):
                    own = f"--{kind.replace('_', '-')}{own[1:]}"
                shared.setdefault((own, field), []).append(kind)
    for (name, field), kinds in shared.items():
        yield _derived(Flag, name, ENCODER, field, ENCODERS, kinds, (), _told)


def _foreign(config: type[Config]) -> bool:
    """Whether a kind is another package's, whose flags must not meet others by accident."""
    return config.__module__.partition(".")[0] != __name__.partition(".")[0]


def kind_flags(part: str, family: Kinds[Any], told: Callable[[str, str], str]) -> Iterator[Flag]:
    """A flag `--PART-FIELD` for each field of the kinds of a part of the dense leg."""
    shared: dict[str, list[str]] = {}
    for kind, config in family.classes().items():
        for field in config.model_fields:
            if field not in CHOSEN_OTHERWISE:
                shared.setdefault(field, []).append(kind)
    for field, kinds in shared.items():
        name = f"--{part}-{field.replace('_', '-')}"
        effort = any(field in getattr(family[kind], "looking", ()) for kind in kinds)
        flag = EffortFlag if effort else Flag
        yield _derived(flag, name, part, field, family, kinds, ("dense",), told)


def storage_flags(*, defaults: bool = True) -> list[Flag]:
    """How the vectors of a dense leg are stored. defaults: told in the help."""
    fields = DenseLeg.model_fields
    indexes = ", ".join(f"{kind} ({_summary(one)})" for kind, one in STRUCTURES.classes().items())
    told = _told if defaults else lambda text, default: text
    return [
        Flag("--index", ("index", "kind"), told(f"which vectors are looked at: {indexes}", "flat"),
             ("dense",), (), str, None, tuple(STRUCTURES)),
        *kind_flags("index", STRUCTURES, told),
        Flag("--codec", ("codec", "kind"), told("how the index holds vectors; auto is the usual "
             "one of the index", "auto"), ("dense",), (), str, None, ("auto", *CODECS), "auto"),
        *kind_flags("codec", CODECS, told),
        Flag("--projection", ("projection",), told("fewer dimensions for the index, of the kind "
             f"{_any(tuple(PROJECTIONS))}, with the share that is kept (pca:0.5) or their number "
             "(pca:192); or none", "none"), ("dense",), (), parse_projection, "KIND:N",
             None, "none"),
        Flag("--originals", ("originals",), told("vectors kept beside the index for rescoring; "
             "none cannot be undone", "auto"), ("dense",), (), str, None,
             get_args(fields["originals"].annotation)),
        RecallFlag("--recall", ("index", "recall"), told("share of the true nearest that the "
                   "index finds", str(DEFAULT_RECALL)), ("dense",), (), float, "X"),
    ]  # fmt: skip


def flags() -> list[Flag]:
    """All flags of a CollectionConfig. A name is that of one flag: of the last, as those of other
    packages come first."""
    known = {flag.name: flag for flag in _flags()}
    return list(known.values())


def _flags() -> list[Flag]:
    return [
        *encoder_flags(),
        *(_plain(f"--{field}", (field,), LexicalLeg, field, ("lexical",)) for field in ("k1", "b")),
        *storage_flags(),
        Flag("--late-codec", ("codec", "kind"), _told("how token vectors are held", "int4"),
             ("late",), (), str, None, scalar_codecs()),
        Flag("--late-projection", ("projection",), _told("fewer dimensions for token vectors, as "
             "for --projection", "none"), ("late",), (), parse_projection, "KIND:N",
             None, "none"),
        *(
            _plain(f"--passage-{field}" if field != "unit" else "--passages",
                   ("passages", field), PassageConfig, field, None)
            for field in PassageConfig.model_fields
        ),
    ]  # fmt: skip


def add_flags(group: argparse._ActionsContainer, given: list[Flag]) -> None:
    """Add the flags to a parser."""
    for flag in given:
        text = flag.help.replace("%", "%%")
        if flag.type is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(flag.name, action=action, default=None, help=text)
        else:
            kind: Any = {"type": flag.type, "metavar": flag.metavar, "choices": flag.choices}
            group.add_argument(flag.name, help=text, **kind)


def given_flags(known: list[Flag], arguments: argparse.Namespace) -> Iterator[tuple[Flag, Any]]:
    """The flags that were given, with their values."""
    given = {flag: getattr(arguments, flag.attribute) for flag in known}
    given = {flag: value for flag, value in given.items() if value is not None}
    efforts = [flag.name for flag in given if isinstance(flag, RecallFlag | EffortFlag)]
    if len(efforts) > 1:
        message = f"both {' and '.join(efforts)} say how far to look: give one"
        raise ConfigError(message, field=efforts[-1])
    yield from given.items()


def field_of(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def _derived(
    flag: type[Flag],
    name: str,
    part: str,
    field: str,
    family: Kinds[Any],
    kinds: list[str],
    legs: tuple[str, ...],
    told: Callable[[str, str], str],
) -> Flag:
    configs = [family[kind] for kind in kinds]
    texts: dict[tuple[str, str], list[str]] = {}
    for kind, config in zip(kinds, configs, strict=True):
        text, absent = _description(config, field)
        texts.setdefault((text, _shown(config, field, absent)), []).append(kind)
    help_ = "; ".join(
        told(f"{', '.join(own)}: {text}", default) for (text, default), own in texts.items()
    )
    types = [_type(config.model_fields[field].annotation) for config in configs]
    choices = [one for _, taken in types for one in taken or ()]
    type_ = types[0][0] if len({one for one, _ in types}) == 1 else str
    metavar = None if choices else _metavar(type_)
    every = tuple(dict.fromkeys(choices)) if all(taken for _, taken in types) else None
    return flag(name, (part, field), help_, legs, tuple(kinds), type_, metavar, every)


def _plain(
    name: str, path: tuple[str, ...], config: type[Config], field: str, legs: tuple[str, ...] | None
) -> Flag:
    text, absent = _description(config, field)
    type_, choices = _type(config.model_fields[field].annotation)
    metavar = None if choices else _metavar(type_)
    return Flag(
        name, path, _told(text, _shown(config, field, absent)), legs, (), type_, metavar, choices
    )


def _type(annotation: Any) -> tuple[Callable[[str], Any], tuple[str, ...] | None]:
    """What a value on the command line becomes, and the words that there are for it."""
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _type(next(one for one in get_args(annotation) if one is not NoneType))
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return (str, values) if all(isinstance(one, str) for one in values) else (int, None)
    return (annotation if annotation in (bool, int, float) else str), None


def _metavar(type_: Callable[[str], Any]) -> str:
    return "N" if type_ is int else "X" if type_ is float else "TEXT"


def _description(config: type[Config], field: str) -> tuple[str, str]:
    """What a field's docstring says, and what it says of None."""
    told = config.model_fields[field].description or field.replace("_", " ")
    text = " ".join(told.split()).rstrip(".")
    said, means_none, rest = text.partition("None = ")
    absent = re.split("[;.]", rest, maxsplit=1)[0]
    text = said.rstrip(" ;,.") + rest.removeprefix(absent) if means_none else text
    begin = text[0] if text[1:2].isupper() else text[0].lower()
    return begin + text[1:], absent or "none"


def _shown(config: type[Config], field: str, absent: str) -> str:
    """The default of a field."""
    told = config.model_fields[field]
    if told.is_required():
        return "required"
    default = told.get_default(call_default_factory=True)
    return absent if default is None else str(default)


def _told(text: str, default: str) -> str:
    return f"{text} (default: {default})"


def _any(names: tuple[str, ...]) -> str:
    """`a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _summary(config: type[Config]) -> str:
    """What a kind is, in a few words of its docstring."""
    text = re.sub(r" \([^)]*\)", "", " ".join((config.__doc__ or "").split()))
    head, _, rest = re.split(r"[.;]", text)[0].partition(": ")
    words = rest if rest and not rest.startswith("exact") else head
    return words[:1].lower() + words[1:] or "no description"
