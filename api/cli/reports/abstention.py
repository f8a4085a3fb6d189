"""The report of `twindex calibrate --answers`."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError
from ....generate import GeneratorConfig, LanguageModelGeneratorConfig
from ...figures import counted
from ..arguments.answering import answer_fields, generator_choice
from ..arguments.common import errors_name_options, progress_of
from ..arguments.reranking import RerankChoice
from ..terminal import note, print_json, table
from .answers import answering, read_questions, with_reranker

if TYPE_CHECKING:
    from ....eval.answers import AbstentionReport


def fit_and_print(
    arguments: argparse.Namespace, search: dict[str, Any], rerank: RerankChoice
) -> int:
    """Fit a rule of abstention, print it with its quality, and return the exit status.

    search: fields of the search request.
    """
    from ....eval.answers import fit_abstention, observe

    for name, value in {
        "--judged-only": arguments.judged_only,
        "--relevant-from": arguments.relevant_from != 1,
    }.items():
        if value:
            raise InvalidInputError("cannot be combined with --answers", field=name)
    chosen = generator_choice(arguments)
    questions = read_questions(arguments)
    fields = {
        **answer_fields(arguments),
        **chosen.fields,
        "search": with_reranker(search, rerank),
    }
    with (
        answering(arguments, chosen, rerank) as collection,
        closing(progress_of(arguments)) as progress,
    ):
        examples = observe(collection, questions, fields, progress=progress)
    targets = {
        name: getattr(arguments, name)
        for name in ("accuracy", "coverage", "unanswerable")
        if getattr(arguments, name) is not None
    }
    with errors_name_options(arguments, questions="--queries"):
        report = fit_abstention(examples, **targets, folds=arguments.folds, seed=arguments.seed)
    if arguments.json:
        curve = {str(share): value for share, value in report.accuracy.items()}
        rule = report.rule.model_dump()
        print_json({"generator": chosen.name, **asdict(report), "rule": rule, "accuracy": curve})
    else:
        _print(report)
        if not arguments.generators:
            print(_kind(chosen.name, chosen.registry.config(chosen.name)))
        print(_toml(chosen.name, report))
    return 0


def _print(report: AbstentionReport) -> None:
    print(
        table(
            ["lower is better", "constant", "rule"],
            [
                ["log loss", f"{report.constant_log_loss:.4f}", f"{report.log_loss:.4f}"],
                ["Brier", f"{report.constant_brier:.4f}", f"{report.brier:.4f}"],
            ],
        )
    )
    header = ["answered", *(f"{share:.0%}" for share in report.accuracy)]
    accuracies = [f"{value:.3f}" for value in report.accuracy.values()]
    print(table(header, [["sources contain the answer", *accuracies]]))
    rows = [
        [
            one.name,
            f"{one.weight:+.3f}",
            f"{one.sufficient:.3f}",
            f"{one.insufficient:.3f}",
            "" if one.nauc is None else f"{one.nauc:.3f}",
        ]
        for one in report.features
    ]
    print(table(["predictor", "weight", "with answer", "without", "alone"], rows))
    at, held = report.at_threshold, report.held_out
    note(
        f"threshold {report.rule.threshold:.3f}: {at.coverage:.1%} answered, of which "
        f"{at.accuracy:.1%} have sources with the answer; with thresholds chosen on other "
        f"questions {held.coverage:.1%} and {held.accuracy:.1%}"
    )
    shown = "undefined" if report.nauc is None else f"{report.nauc:.3f}"
    note(
        f"normalised area of the rule {shown}; alone: of a predictor without the others; weight: "
        "of a predictor divided by its standard deviation"
    )
    note(
        f"{counted(report.questions, 'question')}, {counted(report.examples, 'search', 'searches')}"
        f" of which {report.sufficient} have sources with the answer; measured by "
        f"{report.folds}-fold cross-validation for {report.unanswerable:.0%} unanswerable questions"
    )
    if report.empty:
        note(f"skipped: {counted(report.empty, 'search', 'searches')} without any source")


def _kind(name: str, config: GeneratorConfig) -> str:
    """Return the TOML table of a generator that no file configures."""
    lines = [f"\n[generators.{name}]", f'kind = "{config.kind}"']
    if isinstance(config, LanguageModelGeneratorConfig):
        lines.append(f"llm = {{ model = {json.dumps(config.llm.model)} }}")
    return "\n".join(lines)


def _toml(name: str, report: AbstentionReport) -> str:
    features = [
        f'  {{ name = "{feature.name}", weight = {feature.weight!r} }},'
        for feature in report.rule.features
    ]
    return "\n".join(
        [
            f"\n[generators.{name}.abstention]",
            f"threshold = {report.rule.threshold!r}",
            f"bias = {report.rule.bias!r}",
            "features = [",
            *features,
            "]",
        ]
    )
