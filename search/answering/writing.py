"""Writes the background of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from ...ask import Limits, Meter
from ...core import Guard, MissingExtraError, ModelError, Usage
from ...core.trace.spans import span
from ...generate import Background, checking
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


NotLoaded = ModelError | MissingExtraError
"""Why a background could not be loaded."""


def load_background(
    request: BackgroundRequest, registry: BackgroundRegistry
) -> Background | NotLoaded:
    """Return the background that a request names, or the error of loading it.

    Raises InvalidInputError for an unknown name. Raises the error of loading if the answer needs
    the background: if `on_error` is "fail" or `only` is True.
    """
    try:
        return registry.get(request.model)
    except (ModelError, MissingExtraError) as error:
        if _is_needed(request):
            raise
        return error


def write_background(
    request: BackgroundRequest,
    question: str,
    background: Background | NotLoaded,
    limits: Limits,
    guard: Guard,
) -> Prepared:
    """Write the generated texts for a question.

    background: result of `load_background`.
    limits:     limits of the whole answer.

    Raises ModelError if the model fails or no text was written, and the exceptions of the guard.
    Instead of a ModelError, the result has a warning if `on_error` is "leave_out" and `only` is
    False.
    """
    meter = Meter(limits)
    warnings: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    try:
        if isinstance(background, ModelError | MissingExtraError):
            raise background.with_traceback(None)
        part = f"background {request.model!r}"
        with span("background", {"twindex.part": part}):
            written = checking.write_background(background, question, limits, guard, part)
        texts, meter.usage = tuple(written.texts), written.usage
        if not texts:
            raise ModelError(f"{part} has no text: {written.reason or 'it wrote none'}")
        if written.reason is not None:
            warnings = (f"{part} is not complete: {written.reason}",)
    except (ModelError, MissingExtraError) as error:
        if _is_needed(request):
            raise
        warnings = (f"the answer has no background: {error}",)
    timings = {"background": (perf_counter() - meter.began) * 1e3}
    return Prepared(meter.left(), texts, meter.usage, timings, warnings)


def _is_needed(request: BackgroundRequest) -> bool:
    return request.on_error == "fail" or request.only
