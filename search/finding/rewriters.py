"""The rewriters that a request can name, and what a plan holds of the rewriting of its query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...core import (
    InvalidInputError,
    MissingExtraError,
    ModelError,
    Representation,
    TwindexError,
    Usage,
)
from ...generate.rewriting import Rewriter, RewriterConfig, Rewriters, Use
from ..registry import MadePart, PartRegistry
from ..stages import RewriteRequest

FIELD = "rewrite.model"


class _RewriterObject(MadePart, RewriterConfig):
    """A stand-in for the configuration of a rewriter object that the calling program created."""

    @property
    def use(self) -> Use:
        found: Use = getattr(self.made, "use", Use("fuse"))
        return found


class RewriterRegistry(PartRegistry[RewriterConfig, Rewriter]):
    """The rewriters that a request can name. Each is loaded at its first use. Thread-safe.

    configs: name -> a configuration, or a rewriter object of your own. The attribute `use` of such
             an object says how its texts are used. Without `use`, each text is searched, and the
             lists are fused.
    load:    function that loads a rewriter from its configuration.
    """

    noun = "rewriter"
    field = FIELD
    method = "rewrite"
    file = Rewriters
    stand_in = _RewriterObject

    def of_conversations(self) -> str | None:
        """Return the first rewriter of follow-up questions, such as one of the kind "standalone".

        Returns None if none is configured.
        """
        return next(
            (
                name
                for name, one in self.configs.items()
                if one.reads_turns and one.use.how == "replace"
            ),
            None,
        )


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The rewriting step of a search.

    request:  the field `rewrite` of the search request.
    use:      how the search uses the texts.
    rewriter: the loaded rewriter; None if loading failed.
    error:    the error of loading the rewriter; None if it was loaded.
    """

    request: RewriteRequest
    use: Use
    rewriter: Rewriter | None
    error: TwindexError | None = None


@dataclass(frozen=True, slots=True)
class OtherQuery:
    """A text that is searched in addition to the query of the plan.

    queries: leg -> the encoded text, for the legs that can encode it.
    weight:  weight of this text's ranked list in the fusion. The list of the plan's query has
             weight 1.
    """

    queries: Mapping[str, Representation]
    weight: float


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What is searched in addition to, or instead of, the encoded query of a plan.

    queries: leg -> the query that is searched instead of the plan's query.
    others:  texts that are searched in addition. Their ranked lists are fused with the query's.
    usage:   usage of the model that wrote the texts, and of the encoders that read them.
    """

    queries: Mapping[str, Representation] = field(default_factory=dict)
    others: Sequence[OtherQuery] = ()
    usage: Usage | None = None
    warnings: Sequence[str] = ()


def plan_rewriting(request: RewriteRequest, rewriters: RewriterRegistry) -> Rewriting:
    """Return the rewriting step of a search, with its loaded rewriter.

    Raises InvalidInputError for an unknown rewriter, and for turns that the rewriter does not read.
    Raises the errors of loading if the request has `on_error` "fail".
    """
    config = rewriters.config(request.model)
    if request.turns and not config.reads_turns:
        raise InvalidInputError(
            f"rewriter {request.model!r} (kind: {config.kind}) reads no earlier turns; remove "
            "`turns`, or choose a rewriter of the kind standalone",
            field="rewrite.turns",
        )
    try:
        return Rewriting(request, config.use, rewriters.get(request.model))
    except (ModelError, MissingExtraError) as error:
        if request.on_error == "fail":
            raise
        return Rewriting(request, config.use, None, error)
