"""Evaluation of answers: correctness, citations, abstention and cost, without a judge."""

from .abstention import AbstentionReport, Examples, fit_abstention, observe
from .measures import MEASURES, AnswerEvaluation, Cost, Coverage, evaluate_records
from .questions import QuestionSet
from .records import AnswerRecord
from .running import evaluate_answers

__all__ = [
    "MEASURES",
    "AbstentionReport",
    "AnswerEvaluation",
    "AnswerRecord",
    "Cost",
    "Coverage",
    "Examples",
    "QuestionSet",
    "evaluate_answers",
    "evaluate_records",
    "fit_abstention",
    "observe",
]
