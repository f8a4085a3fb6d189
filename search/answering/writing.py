"""Writes the background of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from ...ask import Limits, Meter
from ...core import Guard, ModelError, Usage
from .backgrounds import BackgroundRegistry, BackgroundRequest


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an answer has before its generator starts.

    texts:    the generated texts.
    limits:   limits for the generator: the answer's limits less what the background used.
    usage:    usage of the model that wrote the texts.
    timings:  stage -> milliseconds.
    warnings: messages for the caller.
    """

    limits: Limits
    texts: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    timings: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def write_background(
    request: BackgroundRequest,
    question: str,
    registry: BackgroundRegistry,
    limits: Limits,
    guard: Guard,
) -> Prepared:
    """Write the generated texts for a question.

    limits: limits of the whole answer.

    Raises InvalidInputError for an unknown name, ModelError if the model fails or no text was
    written, and the exceptions of the guard. Instead of a ModelError, the result has a warning if
    `on_error` is "leave_out" and `only` is False.
    """
    meter = Meter(limits)
    background = registry.get(request.model)
    warnings: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    try:
        written = background.write(question, limits, guard)
        texts, meter.usage = tuple(written.texts), written.usage
        if not texts:
            raise ModelError(f"background {request.model!r} has no text: {written.reason}")
        if written.reason is not None:
            warnings = (f"background {request.model!r} is not complete: {written.reason}",)
    except ModelError as error:
        if request.on_error == "fail" or request.only:
            raise
        warnings = (f"the answer has no background: {error}",)
    timings = {"background": (perf_counter() - meter.began) * 1e3}
    return Prepared(meter.left(), texts, meter.usage, timings, warnings)
