"""Checks the parts of a request that read predictors or expand the query."""

from __future__ import annotations

from collections.abc import Sequence

from ...core import InvalidInputError
from ...index import CollectionConfig, DenseLeg, LexicalLeg
from ..predictors import ACROSS_LEGS, BEFORE, OF_TEXTS, split
from ..request import LegRequest, SearchRequest
from ..stages import Gate


def check_stages(
    config: CollectionConfig,
    request: SearchRequest,
    legs: Sequence[LegRequest],
    capabilities: frozenset[str],
) -> None:
    """Raise InvalidInputError for feedback or a gate that this search cannot have.

    legs:         the legs that run.
    capabilities: optional features that the store supports.
    """
    names = [leg.name for leg in legs]
    if request.rewrite is not None and request.rewrite.gate is not None:
        gate = request.rewrite.gate
        check_gate(config, gate, request, names, capabilities, "rewrite.gate")
    feedback = request.feedback
    if feedback is None:
        return
    running = [config.legs[leg.name] for leg in legs]
    if all(leg.multi or feedback.of(leg.kind) is None for leg in running):
        kinds = [kind for kind in ("lexical", "sparse", "dense") if feedback.of(kind) is not None]
        raise InvalidInputError(
            f"can expand only the query of a {' or '.join(kinds)} leg with one vector for each "
            "text, and no such leg runs in this search; add one to `legs`, or remove `feedback`",
            field="feedback",
        )
    if feedback.gate is not None:
        check_gate(config, feedback.gate, request, names, capabilities, "feedback.gate")


def lexical_leg(config: CollectionConfig, running: Sequence[str]) -> str | None:
    """Return the leg whose terms are counted: a lexical leg, if possible one that runs.

    Returns None if the collection has no lexical leg.

    running: names of the legs that run.
    """
    names = [*running, *config.legs]
    return next((one for one in names if isinstance(config.legs[one], LexicalLeg)), None)


def check_gate(
    config: CollectionConfig,
    gate: Gate,
    request: SearchRequest,
    legs: Sequence[str],
    capabilities: frozenset[str],
    field: str,
) -> None:
    """Raise InvalidInputError for a gate whose predictor this search cannot compute.

    legs:  names of the legs that run.
    field: path of the gate in the request, for the error.
    """
    leg, name = split(gate.predictor)
    problem = ""
    if leg is not None and leg not in legs:
        problem = f"leg {leg!r} does not run in this search; its legs are {', '.join(legs)}"
    elif leg is not None and name == "cohesion":
        stored = config.legs[leg]
        if not isinstance(stored, DenseLeg) or stored.multi:
            problem = "requires a dense leg with one vector for each text"
        elif "vectors" not in capabilities:
            problem = "requires stored vectors, which this store does not return"
    elif name in ACROSS_LEGS and len(legs) < 2:
        problem = "requires at least two legs in the search"
    elif name in BEFORE or name in OF_TEXTS:
        if lexical_leg(config, legs) is None:
            problem = "requires a lexical leg in the collection"
        elif request.query is None:
            problem = "requires a query text; set `query`"
    if problem:
        raise InvalidInputError(f"{gate.predictor}: {problem}", field=f"{field}.predictor")
