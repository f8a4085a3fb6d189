"""Which texts of a model refuse to answer, and how long the start of a text is held back."""

from __future__ import annotations

from time import perf_counter

import pytest

from twindex.generate.refusals import LONGEST, may_refuse, refuses

REFUSALS = (
    "No answer.",
    "No answer",
    "**No answer.**",
    "Answer: No answer.",
    "Unfortunately, the sources do not contain the answer.",
    "None of the sources mention this.",
    "Nothing in the provided sources answers this question.",
    "The answer is not in the sources.",
    "It is not stated in the sources.",
    "It isn't mentioned.",
    "Sorry, I cannot answer.",
    "Sorry. I can't answer this question.",
    "I'm sorry, but I can’t find the answer in the sources.",
    "I am unable to answer this question from the given sources.",
    "Based on the sources, there is no answer.",
    "According to the provided documents, there is no information on that.",
    "There is no mention of this in the sources.",
    "There is no mention of a tax before 1800 in the provided passages.",
    "There is not enough information to answer the question.",
    "Not enough information.",
    "The provided\ndocuments don’t mention kiwis.",
    "The sources do not explicitly state the price.",
    "The passages provide no information about kiwis.",
    "The given context doesn't say when the moa died out.",
    "I don't know.",
    "I do not know the answer.",
    "We do not have enough information.",
    "I have no information about that.",
    "This question cannot be answered from the sources.",
    "The answer cannot be determined from the given context.",
    "No information is available.",
    "The sources do not mention the price. They only describe emus.",
    "The sources do not contain the answer. Please ask another question.",
)

ANSWERS = (
    "The document does not mention any price before 1990, but the kiwi lives in New Zealand.",
    "There is no mention of a tax before 1800.",
    "I cannot find my keys, wrote Darwin.",
    "No answer was given by the king.",
    "No answers are needed here.",
    "No.",
    "Nothing.",
    "None of the moas could fly.",
    "The kiwi cannot fly.",
    "The sources of the Nile are in Uganda.",
    "The sources say that the kiwi cannot fly.",
    "The sources do not agree: one says 1990, another 1991.",
    "The sources do not mention the price. The kiwi lives in New Zealand.",
    "No answer. The kiwi lives in New Zealand.",
    "The text was written in 1859.",
    "The question is answered by Darwin.",
    "It is not a bird.",
    "It is not stated that the moa could swim, although it could.",
    "Sorry is the title of a song.",
    "Unfortunately, the moa died out.",
    "Based on the sources, the kiwi lives in New Zealand.",
    "I do not know my father, wrote Darwin.",
    "I cannot fly, said the kiwi.",
    "We are unable to fly.",
    "There is no bird that lives longer.",
    "There is no evidence of moas after 1500.",
    "There is enough information for a map.",
    "The answer is 42.",
    "The answer is not 42 but 43.",
    "Unknown authors wrote the text.",
    "This is not in New Zealand.",
    "Please press the red button.",
    "",
    "Sorry.",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_recognised_and_held_back(text: str) -> None:
    assert refuses(text)
    assert all(may_refuse(text[:end]) for end in range(len(text) + 1))


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_are_no_refusals(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Kiwis live in New Zealand.", ""),
        ("The kiwi is a bird.", "The "),
        ("I cannot find my keys.", "I cannot find "),
        ("The sources say that kiwis fly.", "The sources "),
        ("No answer. The kiwi flies.", "No answer. The "),
    ],
)
def test_text_is_held_back_only_while_it_may_refuse(text: str, held: str) -> None:
    first = next(end for end in range(len(text)) if not may_refuse(text[:end]))
    assert first <= len(held) + 3
    assert not any(may_refuse(text[:end]) for end in range(first, len(text) + 1))


def test_time_is_linear_and_long_texts_are_answers() -> None:
    began = perf_counter()
    for piece in ("No answer. ", "the ", "there is no mention of ", "I cannot answer a ", ". "):
        assert not refuses(piece * LONGEST)
        refuses((piece * LONGEST)[:LONGEST])
    assert perf_counter() - began < 5
