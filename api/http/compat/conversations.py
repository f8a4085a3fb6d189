"""A conversation of another service's request, as a request for an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ....core import Config, TwindexError
from ....core.bounds import Calls, Milliseconds
from ....core.errors import shown
from ....core.near import did_you_mean
from ....search import AnswerRequest
from ....search.stages import MOST_TURNS
from ...serving.access.seen import Seen
from ...serving.problems import Problem, invalid_field, problem_of, unknown_model, validate
from .fields import texts_of, unsupported

T = TypeVar("T")

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
    """One message. field, content_field: paths of the message and its text in the request."""

    role: str
    text: str
    field: str
    content_field: str


def said(messages: Sequence[Any], field: str, types: tuple[str, ...] = ("text",)) -> list[Said]:
    """Return the messages of a request. Raises Problem 422 for one that is not a text."""
    found = []
    for i, message in enumerate(messages):
        path = f"{field}[{i}]"
        place = f"{path}.content"
        found.append(Said(message.role, texts_of(message.content, place, types), path, place))
    return found


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question and the turns before it.

    field:  path of the conversation in the request.
    fields: paths of the turns in the request.
    """

    question: str
    question_field: str
    turns: list[dict[str, str]]
    fields: list[str]
    field: str


def conversation(messages: Sequence[Said], system: System, field: str) -> Conversation:
    """Return the last message as the question, and the earlier ones as turns.

    Raises Problem 422 for other roles than "user" and "assistant", for too many messages, and if
    the last message is not from the user.
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
            hint = "; tools are not supported" if one.role in ("tool", "function") else ""
            raise unsupported(
                f"{one.field}.role", f"must be user or assistant, got {shown(one.role)}{hint}"
            )
    if not kept or kept[-1].role != "user":
        at = kept[-1].field + ".role" if kept else field
        raise invalid_field(at, "the last message must be the question, with the role user")
    *earlier, last = kept
    if len(earlier) > MOST_TURNS:
        message = (
            f"must have at most {MOST_TURNS} messages of user and assistant before the question, "
            f"got {len(earlier):,}; send only the latest messages"
        )
        raise invalid_field(field, message)
    return Conversation(
        last.text,
        last.content_field,
        [{"role": one.role, "content": one.text} for one in earlier],
        [one.field for one in earlier],
        field,
    )


def collection_of(service: Seen, model: str) -> tuple[str, str | None]:
    """Return (collection, generator or None) of a model such as `rag:birds` or `rag:birds:small`.

    Raises Problem 404 if the name has another form.
    """
    name, colon, generator = model.removeprefix(PREFIX).partition(":")
    if not model.startswith(PREFIX) or not name or (colon and not generator):
        known = [f"{PREFIX}{one.name}" for one in service.known()]
        hint = did_you_mean(model, known) if model.strip(":") != PREFIX.strip(":") else ""
        if not hint and known:
            hint = f"; a model that answers is {PREFIX}COLLECTION, such as {known[0]}"
        raise unknown_model(f"no model {shown(model)}{hint}")
    return name, generator or None


def answer_request(
    talk: Conversation,
    fields: AnswerFields | None,
    generator: str | None,
    options: Mapping[str, Any],
    limit_field: str = "max_tokens",
) -> tuple[AnswerRequest, Paths]:
    """Return the request for an answer, and where its fields are in the other service's request.

    generator: generator in the name of the model.
    options:   other fields of the request, such as `max_tokens`; None: the field is not set.
    limit_field: name of `max_tokens` in the other service's request.

    Raises Problem 422, with paths of the fields in the other service's request.
    """
    own = {} if fields is None else fields.model_dump(exclude_none=True)
    own.pop("system_message", None)
    if generator is not None and own.setdefault("generator", generator) != generator:
        message = f"differs from the generator in `model`, {generator!r}; name it once"
        raise invalid_field("twindex.generator", message)
    given = {
        **own,
        **{name: value for name, value in options.items() if value is not None},
        "question": talk.question,
        "turns": talk.turns,
    }
    paths = Paths(talk, generator is not None, limit_field)
    try:
        return validate(AnswerRequest, given), paths
    except Problem as problem:
        raise paths.renamed(problem) from None


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the fields of a request for an answer are in the other service's request.

    talk:  the conversation.
    named: True if the name of the model contains the generator.
    limit_field: name of `max_tokens`.
    """

    talk: Conversation
    named: bool
    limit_field: str

    async def of(self, work: Awaitable[T], root: Path) -> T:
        """Await the work of an answer. The errors that it raises get these paths.

        root: folder of the collections.
        """
        try:
            return await work
        except (Problem, TwindexError) as error:
            raise self.renamed(problem_of(error, root)) from error

    def renamed(self, problem: Problem) -> Problem:
        """Return a problem whose fields have these paths.

        An unknown collection or generator in the name of the model is an unknown model.
        """
        errors = list(problem.errors)
        absent = problem.status == 404 and not errors
        if absent:
            errors = [{"field": "model", "message": problem.detail}]
        unknown = self.named and any(one["field"] == "generator" for one in errors)
        if not errors:
            return problem
        errors = [{**one, "field": self._path(one["field"])} for one in errors]
        detail = problem.detail if absent else f"{errors[0]['field']}: {errors[0]['message']}"
        missing = absent or unknown
        return Problem(
            404 if missing else problem.status,
            detail,
            code="model_not_found" if missing else problem.code,
            errors=errors,
            headers=problem.headers,
        )

    def _path(self, field: str) -> str:
        head, _, rest = field.replace("[", ".[", 1).partition(".")
        if head == "question":
            return self.talk.question_field
        if head == "turns":
            number, _, part = rest.partition("]")
            index = int(number.removeprefix("[")) if number.removeprefix("[").isdecimal() else None
            if index is not None and index < len(self.talk.fields):
                return self.talk.fields[index] + part
            return self.talk.field
        if head == "generator" and self.named:
            return "model"
        if head == "max_tokens":
            return self.limit_field
        return f"twindex.{field}" if head in AnswerFields.model_fields else field
