"""Evaluation of answers: measures by hand, missing answers, files, kills."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from twindex.core import InvalidInputError, SourceError
from twindex.core.answers import Answer, Citation, Quote, Source
from twindex.eval import BeirDataset, is_report, read_report
from twindex.eval.answers import MEASURES, AnswerRecord, evaluate_answers, evaluate_records
from twindex.eval.answers.measures import answer_measures, cited_sentences
from twindex.eval.answers.records import CitedSpan, SentSource
from twindex.llm import FakeModel
from twindex.sources import read_answers

from .questions import BIRDS, QUESTIONS, answer_of, opened, some


def terms(text):
    return dict.fromkeys(text.lower().replace(".", " ").split(), 1)


SOURCES = (
    SentSource(2, "b", 1, "Emu", "The emu runs fast."),
    SentSource(1, "a", 2, "Kiwi", "The kiwi cannot fly. It eats worms."),
)
TEXT = "The kiwi cannot fly [1]. The emu eats worms [1][2]."
RECORD = AnswerRecord(
    "q", "answered", TEXT, sources=SOURCES,
    citations=[CitedSpan(0, 19, [1]), CitedSpan(25, 43, [1, 2])],
)  # fmt: skip


def measured(record, answers=("cannot fly",), gold=("a",)):
    return answer_measures(record, answers, frozenset(gold), terms)


def test_measures_of_one_answer():
    found = measured(RECORD)
    assert set(found) == set(MEASURES)
    assert (found["match"], found["EM"]) == (1, 0)
    assert found["F1"] == pytest.approx(2 * 2 / (2 + 6))  # kiwi cannot fly emu eats worms
    assert [found[f"answer_recall{k}"] for k in ("", "@1", "@5")] == [1, 0, 1]
    assert (found["citation_precision"], found["citation_recall"]) == (1 / 2, 1)
    # Source 1 has three of four words of the second sentence, which is enough without source 2.
    assert (found["lexical_precision"], found["lexical_recall"]) == (pytest.approx(2 / 3), 1)


def test_numbers_in_markers_are_not_part_of_the_answer():
    assert measured(RECORD, answers=["1"])["match"] == 0
    assert measured(RECORD, answers=["2"])["match"] == 0


def test_invented_citations_lower_the_precision():
    found = measured(replace(RECORD, invalid_citations=(0, 99)))
    assert found["citation_precision"] == 1 / 4
    assert found["lexical_precision"] == pytest.approx(2 / 5)
    assert (found["citation_recall"], found["lexical_recall"]) == (1, 1)


@pytest.mark.parametrize(
    ("record", "answers", "right"),
    [
        (None, ["x"], 0),
        (None, [], 0),
        (AnswerRecord("q", "no_answer", "None."), ["x"], 0),
        (AnswerRecord("q", "no_answer", "None."), ["none"], 0),
        (AnswerRecord("q", "no_answer", "None."), [], 1),
        (AnswerRecord("q", "answered", "None."), [], 0),
        (AnswerRecord("q", "answered", ""), [], 0),
    ],
)
def test_refusals_are_right_only_for_unanswerable_questions(record, answers, right):
    found = measured(record, answers, gold=("a",) if answers else ())
    recalls = {name for name in MEASURES if name.startswith("answer_recall")}
    assert {found[name] for name in recalls} == {0}
    assert {found[name] for name in set(MEASURES) - recalls} == {right}


def test_citations_belong_to_the_sentence_of_their_statement():
    text = "One ant. [1] Two bees [2]."
    record = replace(RECORD, text=text, citations=[CitedSpan(0, 8, [1]), CitedSpan(13, 21, [2])])
    assert [(one.text.strip(), list(one.numbers)) for one in cited_sentences(record)] == [
        ("One ant.", [1]),
        ("Two bees.", [2]),
    ]


def test_record_of_an_answer():
    quote = Quote(3, "d", 0, 5, "Birds", 1.0)
    source = Source(3, "d", "Birds fly.", ranks=(4, 2))
    background = Source(0, "", "Made up.", kind="generated")
    answer = Answer("Birds [3].", "answered", [Citation(0, 5, [quote], True)], [source, background])
    record = AnswerRecord.of("q", replace(answer, invalid_citations=[7]))
    assert record.citations == [CitedSpan(0, 5, [3])]
    assert record.sources == [SentSource(3, "d", 2, "", "Birds fly.")]
    assert record.invalid_citations == (7,)


def test_missing_questions_count_as_wrong():
    record = replace(RECORD, id="kiwi", text="Near Lima.", citations=[])
    found = evaluate_records({"kiwi": record, "other": record}, some("kiwi", "emu"), terms)
    assert (found.questions, found.missing, found.measures["match"]) == (2, 1, 1 / 2)
    assert found.per_query["match"] == {"kiwi": 1, "emu": 0}
    nothing = evaluate_records({}, QUESTIONS, terms)
    assert (nothing.missing, nothing.cost, nothing.accuracy_answered) == (11, None, None)
    assert set(nothing.measures.values()) == {0}


def test_extractive_answers_of_a_collection(tmp_path):
    with opened(tmp_path / "birds") as collection:
        found = evaluate_answers(collection, QUESTIONS, {"generator": "extractive"})
    assert found.measures["match"] == pytest.approx(10 / 11)
    assert (found.questions, found.unanswerable, found.missing) == (11, 1, 0)
    assert found.measures["answer_recall"] == pytest.approx(10 / 11)
    assert found.measures["citation_recall"] > 0.9
    assert found.coverage is None
    assert found.cost is not None
    assert (found.cost.calls, found.cost.words > 3) == (0, True)


def test_answers_of_a_model(tmp_path):
    with opened(tmp_path / "birds") as collection:
        found = evaluate_answers(collection, QUESTIONS, {"generator": "model"})
    assert found.measures["match"] == pytest.approx(6 / 11)  # Five right, one rightly refused.
    assert found.wrong_answered == pytest.approx(3 / 11)
    assert found.abstention_rate == pytest.approx(3 / 11)
    assert found.accuracy_answered == pytest.approx(5 / 8)
    assert set(found.refused) <= {"model", "no sources"}
    cited = [found.per_query["citation_precision"][bird] for bird in BIRDS[:8]]
    assert cited == [1 / 2] * 8, "the invented source 99 counts"
    assert found.cost is not None
    assert found.cost.calls > 0


def test_confidence_gives_accuracy_at_coverage(tmp_path):
    with opened(tmp_path / "birds") as collection:
        request = {"generator": "ruled", "abstain": False}
        found = evaluate_answers(collection, QUESTIONS, request)
        ruled = evaluate_answers(collection, QUESTIONS, {"generator": "ruled"})
    assert found.coverage is not None
    assert found.coverage.accuracy[1.0] == found.measures["match"]
    assert found.coverage.accuracy[0.1] == 1
    assert ruled.coverage is None
    assert ruled.measures["match"] == 1


def test_answers_are_saved_and_continued(tmp_path):
    file = tmp_path / "answers.jsonl"
    request = {"generator": "extractive"}
    with opened(tmp_path / "birds") as collection:
        evaluate_answers(collection, some("kiwi", "emu"), request, path=file)
        half = file.read_bytes()
        file.write_bytes(half + b'{"_id":"swift","val')  # Killed while it wrote a line.
        asked = []
        answer = collection.answer
        collection.answer = lambda request: asked.append(request.question) or answer(request)
        found = evaluate_answers(collection, QUESTIONS, request, path=file)
    assert len(asked) == 9
    assert file.read_bytes().startswith(half)
    assert len(file.read_bytes().splitlines()) == 12
    assert is_report(file)
    assert read_report(file)[""] == {name: dict(values) for name, values in found.per_query.items()}


def test_other_options_are_refused(tmp_path):
    file = tmp_path / "answers.jsonl"
    with opened(tmp_path / "birds") as collection:
        evaluate_answers(collection, some("kiwi"), {"max_tokens": 50}, path=file)
        with pytest.raises(SourceError, match=r"but request.max_tokens is 60 now"):
            evaluate_answers(collection, some("kiwi"), {"max_tokens": 60}, path=file)
        fields = {"max_tokens": 50, "generator": "model"}
        with pytest.raises(SourceError, match=r"generator.kind"):
            evaluate_answers(collection, some("kiwi"), fields, path=file)
        with pytest.raises(InvalidInputError, match="question: differs"):
            evaluate_answers(collection, some("kiwi"), {"question": "x"})


@pytest.mark.parametrize("content", ["{}\n", "[1]\n", "text", '{"answers": 9}\n', '{"a":1}'])
def test_foreign_files_are_kept(tmp_path, content):
    file = tmp_path / "mine.jsonl"
    file.write_text(content)
    with opened(tmp_path / "birds") as collection, pytest.raises(SourceError, match=r"mine.jsonl"):
        evaluate_answers(collection, some("kiwi"), path=file)
    assert file.read_text() == content


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from questions import QUESTIONS, opened
from twindex.eval.answers import evaluate_answers
folder = Path(sys.argv[2])
collection = opened(folder / "killed")
answer, count = collection.answer, 0
def dying(request):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), 9)
    return answer(request)
collection.answer = dying
evaluate_answers(collection, QUESTIONS, {"generator": "extractive"}, path=folder / "a.jsonl")
"""


def test_a_killed_evaluation_loses_no_finished_answer(tmp_path):
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", KILLED, here, str(tmp_path)], check=False)
    assert done.returncode == -9
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["_id"] for line in lines[1:]] == BIRDS[:4]


def test_answers_beside_queries(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "x"}\n')
    lines = ['{"_id": "a", "text": "one"}', '{"_id": "b", "text": "two"}',
             '{"_id": "c", "text": "three"}']  # fmt: skip
    (tmp_path / "queries.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\na\td\t1\n")
    assert BeirDataset.open(tmp_path).answers == {}
    gold = ['{"_id": "a", "answers": ["1", "one"]}', '{"_id": "b", "answers": []}',
            '{"_id": "c", "answers": ["3"]}']  # fmt: skip
    (tmp_path / "answers.jsonl").write_text("\n".join(gold))
    dataset = BeirDataset.open(tmp_path)
    assert dataset.answers == {"a": ("1", "one"), "b": (), "c": ("3",)}
    assert [query.id for query in dataset.queries] == ["a"]
    assert [query.id for query in dataset.unanswerable] == ["b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"_id": "b"}', ":2: answers: is missing"),
        ('{"_id": "b", "answers": "x"}', ":2: answers: must be a list of texts, got 'x'"),
        ('{"_id": "b", "answers": ["x", 3]}', r":2: answers\[1\]: must be a text"),
        ('{"_id": "b", "answers": [" "]}', r":2: answers\[0\]: must be a text"),
        ('{"_id": "a", "answers": []}', ":2: another line has answers for the query a"),
        ('{"answers": []}', ":2: id: is missing"),
        ("{", ":2: the line is not valid JSON"),
    ],
)
def test_invalid_answers(tmp_path, line, message):
    file = tmp_path / "answers.jsonl"
    file.write_text(f'{{"_id": "a", "answers": ["x"]}}\n{line}\n')
    with pytest.raises(SourceError, match=message):
        read_answers(file)


def test_an_evaluation_repeats_its_prompts_and_other_answers_do_not(tmp_path):
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return answer_of(prompt)

    with opened(tmp_path / "birds", FakeModel(answer)) as collection:
        for _ in range(2):
            evaluate_answers(collection, some("kiwi", "emu", "swift"), {"generator": "model"})
        assert len(prompts) == 6
        assert prompts[:3] == prompts[3:]
        for _ in range(2):
            collection.answer(QUESTIONS.questions[0].text, generator="model")
        assert len({prompts[0], *prompts[6:]}) == 3


def test_a_set_without_questions_is_refused(tmp_path):
    with (
        opened(tmp_path / "birds") as collection,
        pytest.raises(InvalidInputError, match="dataset: has no questions"),
    ):
        evaluate_answers(collection, some())
