"""Fit a reranker's scores, or a generator's rule of abstention.

With --rerank, the reranker scores the best hits of each judged query. Platt scaling, which has
two parameters, then maps the scores to probabilities of relevance. With such probabilities,
--rerank-min-score 0.5 keeps the hits that are more likely relevant than not. Cross-validation
measures the fit. The command prints the two parameters as a table for a file of --rerankers.

Hits without a judgement count as not relevant, as in most measures. Probabilities are too low if
some relevant documents were never judged. If irrelevant documents are judged too, --judged-only
skips the hits without a judgement.

With --answers, the command fits a rule of abstention. If the sources probably do not contain the
answer, the rule returns "no_answer" before a model is called. To fit the rule, each query is
searched with and without its relevant documents. No model writes answers. The rule is printed as a
table for a file of --generators. --rerank then only orders the hits.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from ....core import InvalidInputError
from ...figures import counted
from ..arguments.answering import add_abstention, given_answers
from ..arguments.common import (
    add_collection,
    add_models,
    add_output,
    add_selection,
    loader_of,
    progress_of,
    selection_fields,
)
from ..arguments.inputs import add_judged, read_judged
from ..arguments.reranking import add_rerank, rerank_choice
from ..reports.abstention import fit_and_print
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....eval.calibration import CalibrationReport
    from ....eval.judged_scores import Scored

EXAMPLE = (
    "twindex calibrate my-index --queries queries.jsonl --qrels qrels/train.tsv "
    "--rerank NAME --rerankers rerankers.toml"
)

UNUSED = ("min_score", "on_error")
"""Fields without a `--rerank-...` option here, because they change which hits get a score."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_judged(parser)
    parser.add_argument(
        "--relevant-from",
        type=int,
        default=1,
        metavar="GRADE",
        help="lowest grade that counts as relevant (default: 1)",
    )
    parser.add_argument(
        "--judged-only",
        action="store_true",
        help="skip hits without a judgement (default: they count as not relevant)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=5,
        metavar="N",
        help="number of cross-validation folds (default: 5)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed of the folds (default: 0)"
    )
    add_rerank(parser, without=UNUSED)
    add_abstention(parser)
    add_selection(parser)
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....eval.calibration import calibrate
    from ....eval.judged_scores import judged_scores
    from ....rerank import load_reranker
    from ....search import Collection, RerankerRegistry

    fields = selection_fields(arguments)
    if arguments.folds < 2:
        raise InvalidInputError(f"must be at least 2, got {arguments.folds}", field="--folds")
    rerank = rerank_choice(arguments)
    if given_answers(arguments):
        return fit_and_print(arguments, fields, rerank)
    if not rerank.requests:
        raise InvalidInputError(
            "is required; name a reranker, or give --answers to fit a rule of abstention",
            field="--rerank",
        )
    (request,) = rerank.requests.values()
    # Use the raw scores, even if the reranker has a calibration already.
    config = rerank.registry.config(request.model).model_copy(update={"calibration": None})
    load = partial(load_reranker, device=arguments.device)
    queries, qrels = read_judged(arguments)
    with (
        Collection.open(
            arguments.collection,
            read_only=True,
            encoders=loader_of(arguments),
            rerankers=RerankerRegistry({request.model: config}, load=load),
        ) as collection,
        closing(progress_of(arguments)) as progress,
    ):
        scored = judged_scores(
            collection,
            queries,
            qrels,
            request,
            request.top_n or config.candidates,
            relevant_from=arguments.relevant_from,
            unjudged=not arguments.judged_only,
            progress=progress,
            **fields,
        )
    report = calibrate(scored.judged, folds=arguments.folds, seed=arguments.seed)
    if arguments.json:
        print_json(
            {
                "model": request.model,
                **asdict(report),
                "calibration": report.calibration.model_dump(),
                "unscored": scored.unscored,
                "left_out": scored.left_out,
            }
        )
    else:
        _print(request.model, scored, report)
    return 0


def _print(name: str, scored: Scored, report: CalibrationReport) -> None:
    from ....eval.calibration import BINS

    columns = (report.before, report.constant, report.after)
    figures = {"log loss": "log_loss", "Brier": "brier", "calibration error": "error"}
    print(
        table(
            ["lower is better", "before", "constant", "calibrated"],
            [
                [label, *(f"{getattr(column, key):.4f}" for column in columns)]
                for label, key in figures.items()
            ],
        )
    )
    bins = [
        [
            f"{one.low:.1f} to {one.low + 1 / BINS:.1f}",
            f"{one.hits:,}",
            f"{one.probability:.3f}",
            f"{one.relevant:.3f}",
        ]
        for one in report.after.bins
    ]
    print(table(["calibrated", "hits", "mean", "relevant"], bins))
    note(
        f"{counted(report.hits, 'hit')} of {counted(report.queries, 'query', 'queries')}, "
        f"{report.relevant:,} relevant; measured by {report.folds}-fold cross-validation"
    )
    note("before: raw scores, or 1 / (1 + exp(-score)); constant: the share of relevant hits")
    for words, count in (("without a score", scored.unscored), ("not judged", scored.left_out)):
        if count:
            note(f"skipped: {counted(count, 'hit')} {words}")
    print(f"\n[rerankers.{name}.calibration]")
    print(f"slope = {report.calibration.slope!r}")
    print(f"intercept = {report.calibration.intercept!r}")
