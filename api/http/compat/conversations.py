"""A conversation of another service's request, as a request for an answer."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ....core import Config
from ....core.bounds import Calls, Milliseconds
from ....core.near import did_you_mean
from ....search import AnswerRequest
from ...serving.problems import Problem, validate
from ...serving.service import Service
from .fields import renamed, texts_of, unsupported

PREFIX = "rag:"
"""Beginning of the name of a model that answers from a collection."""

SYSTEM = ("system", "developer")
"""Roles of messages with instructions."""

System = Literal["refuse", "ignore"]


class AnswerFields(Config):
    """Fields of a request for an answer that other interfaces do not have.

    generator: name of a configured generator. The name of the model may contain it instead.
    search:    how passages are found: the fields of a search, such as `filter` or `limit`.
    context:   which passages are sent: `tokens`, `order`, `passages`, `per_document`.
    citations: `markers`, `unsupported`, `min_support`, `match`.
    rewrite:   name of a rewriter, an object, or false.
    background: name of a background, or an object.
    abstain:   false: answer even if the calibrated rule finds that the sources have no answer.
    timeout_ms: time limit of background and generator in milliseconds.
    tokens:    maximum number of tokens of rewriter, background and generator together.
    system_message: "refuse" or "ignore" messages with instructions. Generators have their own
               instructions, which a request cannot change.
    """

    generator: str | None = None
    search: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    citations: dict[str, Any] | None = None
    rewrite: dict[str, Any] | str | bool | None = None
    background: dict[str, Any] | str | None = None
    abstain: bool | None = None
    timeout_ms: Milliseconds | None = None
    tokens: Calls | None = None
    system_message: System = "refuse"


@dataclass(frozen=True, slots=True)
class Said:
    """One message. field: its path in the request."""

    role: str
    text: str
    field: str


def said(messages: Sequence[Any], field: str, types: tuple[str, ...] = ("text",)) -> list[Said]:
    """Return the messages of a request. Raises Problem 422 for one that is not a text."""
    found = []
    for i, message in enumerate(messages):
        path = f"{field}[{i}]"
        found.append(Said(message.role, texts_of(message.content, f"{path}.content", types), path))
    return found


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question and the turns before it. `fields`: paths of the turns in the request."""

    question: str
    question_field: str
    turns: list[dict[str, str]]
    fields: list[str]


def conversation(messages: Sequence[Said], system: System, field: str) -> Conversation:
    """Return the last message as the question, and the earlier ones as turns.

    Raises Problem 422 for other roles than "user" and "assistant", and if the last message is not
    from the user.
    """
    kept = []
    for one in messages:
        if one.role in SYSTEM:
            if system == "refuse":
                raise unsupported(
                    f"{one.field}.role",
                    "instructions are part of the generator's configuration; remove this message, "
                    'or set `twindex.system_message` to "ignore"',
                )
        elif one.role in ("user", "assistant"):
            kept.append(one)
        else:
            raise unsupported(
                f"{one.field}.role",
                f"must be user or assistant, got {one.role!r}; tools are not supported",
            )
    if not kept or kept[-1].role != "user":
        at = kept[-1].field + ".role" if kept else field
        message = "the last message must be the question, with the role user"
        raise Problem(422, f"{at}: {message}", errors=[{"field": at, "message": message}])
    *earlier, last = kept
    return Conversation(
        last.text,
        f"{last.field}.content",
        [{"role": one.role, "content": one.text} for one in earlier],
        [one.field for one in earlier],
    )


def collection_of(service: Service, model: str) -> tuple[str, str | None]:
    """Return (collection, generator or None) of a model such as `rag:birds` or `rag:birds:small`.

    Raises Problem 404 if the name has another form.
    """
    name, _, generator = model.removeprefix(PREFIX).partition(":")
    if not model.startswith(PREFIX) or not name:
        known = [f"{PREFIX}{one.name}" for one in service.known()]
        hint = did_you_mean(model, known) or (
            f"; a model that answers is {PREFIX}COLLECTION, such as {known[0]}" if known else ""
        )
        message = f"no model {model!r}{hint}"
        raise Problem(
            404, message, code="model_not_found", errors=[{"field": "model", "message": message}]
        )
    return name, generator or None


def answer_request(
    talk: Conversation,
    fields: AnswerFields | None,
    generator: str | None,
    options: Mapping[str, Any],
) -> tuple[AnswerRequest, Callable[[str], str]]:
    """Return the request for an answer, and the function that names its fields.

    generator: generator in the name of the model.
    options:   other fields of the request, such as `max_tokens`; None: the field is not set.

    The function returns the path of a field of AnswerRequest in the other service's request.
    Raises Problem 422, with such paths.
    """
    own = {} if fields is None else fields.model_dump(exclude_none=True)
    own.pop("system_message", None)
    path = partial(_path, own=frozenset(own), talk=talk, model=generator is not None)
    if generator is not None and own.setdefault("generator", generator) != generator:
        message = f"differs from the generator in `model`, {generator!r}; name it once"
        field = "twindex.generator"
        raise Problem(422, f"{field}: {message}", errors=[{"field": field, "message": message}])
    given = {
        **own,
        **{name: value for name, value in options.items() if value is not None},
        "question": talk.question,
        "turns": talk.turns,
    }
    try:
        return validate(AnswerRequest, given), path
    except Problem as problem:
        raise renamed(problem, path) from None


def _path(field: str, *, own: Container[str], talk: Conversation, model: bool) -> str:
    """Return the path of a field of AnswerRequest in the other service's request.

    own:   the fields that `twindex` has.
    model: whether the name of the model contains the generator.
    """
    head, _, rest = field.replace("[", ".[", 1).partition(".")
    if head == "question":
        return talk.question_field
    if head == "turns":
        number, _, part = rest.partition("]")
        index = int(number.removeprefix("[")) if number.removeprefix("[").isdecimal() else None
        if index is not None and index < len(talk.fields):
            return talk.fields[index] + part
        return "messages"
    if head == "generator" and model:
        return "model"
    return f"twindex.{field}" if head in own else field
