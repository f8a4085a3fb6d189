"""The report of `twindex eval --answers`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError
from ....sources import read_answers
from ...figures import counted
from ..arguments.answering import GeneratorChoice, answer_fields, generator_choice
from ..arguments.background import search_fields
from ..arguments.common import loader_of, progress_of
from ..arguments.inputs import read_judged
from ..arguments.reranking import RerankChoice
from ..arguments.rewriting import RewriterChoice
from ..failing import models_run
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....eval.answers import AnswerEvaluation, QuestionSet
    from ....search import Collection, RewriterRegistry


def evaluate_and_print(
    arguments: argparse.Namespace,
    search: dict[str, Any],
    rerank: RerankChoice,
    rewriter: RewriterChoice,
    measures: str,
) -> int:
    """Answer the queries, print the evaluation of the answers, and return the exit status.

    search:   fields of the search request.
    measures: default value of `--measures`, which does not apply to answers.
    """
    from ....eval.answers import evaluate_answers

    for name, value in {
        "--table": arguments.table,
        "--run": arguments.run_file,
        "--baseline": arguments.baseline,
        "--exclude-seen-in": arguments.exclude_seen_in,
        "--measures": arguments.measures != measures,
    }.items():
        if value:
            raise InvalidInputError("cannot be combined with --answers", field=name)
    chosen = generator_choice(arguments)
    questions = read_questions(arguments)
    fields = {
        **answer_fields(arguments),
        **chosen.fields,
        "abstain": not arguments.no_abstain,
    }
    fields |= search_fields(fields, with_reranker(search, rerank))
    with (
        answering(arguments, chosen, rerank, rewriter.registry) as collection,
        closing(progress_of(arguments)) as progress,
    ):
        found = evaluate_answers(
            collection, questions, fields, path=arguments.answers_file, progress=progress
        )
        info = collection.info()
    report = {
        **asdict(found),
        "generator": chosen.name,
        "request": {**fields, "search": search},
        "collection": {key: info[key] for key in ("path", "documents", "generation", "legs")},
    }
    if arguments.json:
        if found.coverage is not None:  # JSON has no numbers as keys.
            curve = {str(share): value for share, value in found.coverage.accuracy.items()}
            report["coverage"] = {**report["coverage"], "accuracy": curve}
        print_json(report)
    else:
        print("\n".join(_lines(found)))
        _notes(found, chosen.name)
    return 0


@contextmanager
def answering(
    arguments: argparse.Namespace,
    chosen: GeneratorChoice,
    rerank: RerankChoice,
    rewriters: RewriterRegistry | None = None,
) -> Iterator[Collection]:
    """Return a context with the collection of a command that answers questions, models loaded.

    A model that fails in its block raises CommandFailed.
    """
    from ....search import Collection

    with Collection.open(
        arguments.collection,
        read_only=True,
        encoders=loader_of(arguments),
        rerankers=rerank.registry,
        generators=chosen.registry,
        rewriters=rewriters,
    ) as collection:
        chosen.load()
        for request in rerank.requests.values():
            rerank.registry.get(request.model)
        with models_run():
            yield collection


def read_questions(arguments: argparse.Namespace) -> QuestionSet:
    """Return the questions of `--queries`, `--qrels` and `--answers`."""
    from ....eval.answers import QuestionSet

    queries, qrels = read_judged(arguments)
    if any(query.vectors for query in queries):
        note("twindex: warning: the vectors of queries are not used with --answers")
    answers = read_answers(arguments.answers)
    try:
        return QuestionSet.create(queries, answers, qrels)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="--answers") from None


def with_reranker(search: dict[str, Any], rerank: RerankChoice) -> dict[str, Any]:
    """Return the fields of a search request with the reranker of `--rerank`."""
    request = next(iter(rerank.requests.values()), None)
    return search if request is None else {**search, "rerank": request}


def _lines(found: AnswerEvaluation) -> list[str]:
    rows = [[name, f"{value:.4f}"] for name, value in found.measures.items()]
    rows.append(["no_answer", f"{found.abstention_rate:.4f}"])
    rows.append(["answered wrongly", f"{found.wrong_answered:.4f}"])
    if found.accuracy_answered is not None:
        rows.append(["match of the answered", f"{found.accuracy_answered:.4f}"])
    lines = [table(["measure", "mean"], rows)]
    if (curve := found.coverage) is not None:
        header = ["answered", *(f"{share:.0%}" for share in curve.accuracy)]
        shares = [f"{value:.3f}" for value in curve.accuracy.values()]
        lines.append("\n" + table(header, [["match of the most confident", *shares]]))
    return lines


def _notes(found: AnswerEvaluation, generator: str) -> None:
    note(
        f"{counted(found.questions, 'question')}, {found.unanswerable} unanswerable; generator "
        f"{generator}"
    )
    if found.missing:
        note(f"twindex: warning: {counted(found.missing, 'question')} without a result, as wrong")
    if found.refused:
        reasons = ", ".join(f"{many} {reason}" for reason, many in found.refused.items())
        note(f"no_answer: {reasons}")
    if (curve := found.coverage) is not None:
        shown = "undefined" if curve.nauc is None else f"{curve.nauc:.3f}"
        note(
            f"area under match over coverage {curve.area:.3f}, risk-coverage {1 - curve.area:.3f}; "
            f"normalised area {shown}"
        )
    if (cost := found.cost) is not None:
        note(
            f"a question: {cost.calls:.1f} calls, {cost.prompt_tokens:,.0f} + "
            f"{cost.completion_tokens:,.0f} tokens; answers of {cost.words:.0f} words; p50 "
            f"{cost.p50:,.0f} ms, p95 {cost.p95:,.0f} ms; first text p50 {cost.first_p50:,.0f} ms"
        )
