"""Converts the events of an answer, and the answer itself, from JSON to value types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.answers import (
    Answer,
    AnswerEvent,
    Citation,
    CitationEvent,
    DoneEvent,
    LeftOut,
    Quote,
    Source,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from ..core.errors import TwindexError, UnavailableError
from ..core.sse import EventParser, ServerEvent
from ..core.types import Usage
from . import requests
from .failures import failure_of
from .replies import stage


class AnswerReader:
    """Reads the body of a streamed answer in pieces.

    done: True once the last event, `done`, was read.
    """

    def __init__(self) -> None:
        self.done = False
        self._parser = EventParser()

    def feed(self, piece: bytes) -> Iterator[AnswerEvent]:
        """Yield the events that are complete after this piece.

        Events of unknown types are skipped.

        If the service reports an error (event `error`), that error is raised. Raises ServiceError
        for an event with unexpected content.
        """
        for event in self._parser.feed(piece):
            try:
                read = _event(event)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise requests.unusable(error) from error
            if read is not None:
                self.done = isinstance(read, DoneEvent)
                yield read

    def close(self, error: Exception | None = None) -> None:
        """End the body. Raises UnavailableError if the event `done` was not read.

        error: what broke the connection; None if the body ended.
        """
        if not self.done:
            what = "" if error is None else f" ({str(error) or type(error).__name__})"
            raise UnavailableError(
                f"the connection ended before the end of the answer{what}; ask again, because an "
                "answer cannot be continued"
            )


def _event(event: ServerEvent) -> AnswerEvent | None:
    value = json.loads(event.data)
    if event.name == "sources":
        return SourcesEvent(
            tuple(_source(one) for one in value["sources"]),
            tuple(LeftOut(**one) for one in value["left_out"]),
        )
    if event.name == "token":
        return TextEvent(value["text"])
    if event.name == "citation":
        return CitationEvent(_citation(value))
    if event.name == "usage":
        return UsageEvent(Usage(**value))
    if event.name == "done":
        return DoneEvent(answer(value))
    if event.name == "error":
        failed: TwindexError = failure_of(value["status"], {}, event.data).error
        raise failed
    return None


def answer(value: Mapping[str, Any]) -> Answer:
    return Answer(
        text=value["text"],
        outcome=value["outcome"],
        citations=tuple(_citation(one) for one in value["citations"]),
        sources=tuple(_source(one) for one in value["sources"]),
        left_out=tuple(LeftOut(**one) for one in value["left_out"]),
        reason=value["reason"],
        confidence=value["confidence"],
        finish=value["finish"],
        query=value["query"],
        generator=value["generator"],
        invalid_citations=tuple(value["invalid_citations"]),
        usage=Usage(**value["usage"]),
        timings=value["timings"],
        warnings=tuple(value["warnings"]),
        stages=tuple(stage(one) for one in value.get("stages", ())),
        suggestion=value.get("suggestion"),
        filter=value.get("filter"),
        predictors=value.get("predictors"),
    )


def _source(value: Mapping[str, Any]) -> Source:
    lists = {name: tuple(value[name]) for name in ("headings", "ranks")}
    return Source(**{**value, **lists})


def _citation(value: Mapping[str, Any]) -> Citation:
    quotes = [
        Quote(**{**one, **{name: tuple(one[name]) for name in ("headings", "missing")}})
        for one in value["quotes"]
    ]
    return Citation(**{**value, "quotes": tuple(quotes)})
