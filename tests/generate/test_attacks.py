"""Attacks in passages, titles, questions and earlier turns.

A scripted model obeys every instruction that it reads, repeats its whole prompt, and follows every
template token. What a service can ensure: the prompt has no special token outside the template's
own, its block of sources is closed by the boundary only, no hidden text reaches the model, and no
citation comes out that was not sent. Whether a model obeys plain words, a service cannot ensure.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core.answers import Answer
from twindex.generate import AnswerOptions, Candidate, CitationOptions, Task
from twindex.generate.safety import WrittenText, harmless
from twindex.generate.writers.language_model import LanguageModelGeneratorConfig, generator
from twindex.generate.writers.prompts import conversation
from twindex.llm import LanguageModel, Message
from twindex.llm.fake import FakeModel
from twindex.llm.prompts import PromptTokens

ATTACKS = [
    json.loads(line)
    for line in (Path(__file__).parent / "attacks.jsonl").read_text("utf-8").splitlines()
]
BOUNDARY = "=== 8c1f0a9d2b7e ==="
_TOKEN = re.compile(
    r"<\s*[|｜][^<>\n]{0,60}[|｜]\s*>|</?(?:s|bos|eos|sop|\w+_of_turn|think|tool_call|system|user"
    r"|assistant)>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|gMASK)\]|<<SYS>>|\[\|[^\[\]\n]{0,60}\|\]",
    re.IGNORECASE,
)
_ROLE = re.compile(r"^[\s*>#]*(?:system|user|assistant)\**\s*[:：]", re.IGNORECASE | re.MULTILINE)
each = pytest.mark.parametrize("attack", ATTACKS, ids=[one["name"] for one in ATTACKS])


def filled(text: str) -> str:
    """Return the text of an attack that knows the boundary."""
    for name, value in (("boundary_head", BOUNDARY[:9]), ("boundary_tail", BOUNDARY[9:])):
        text = text.replace(f"{{{name}}}", value)
    return text.replace("{boundary}", BOUNDARY)


def task(attack: dict[str, Any], **options: Any) -> Task:
    texts = [filled(attack["text"]), attack.get("second", "Emus run fast.")]
    title, headings = filled(attack.get("title", "")), attack.get("headings", ())
    turn = attack.get("turn")
    return Task(
        filled(attack.get("question", "Can kiwis fly?")),
        [
            Candidate(f"d{n}", text, 0, len(text), title if n == 0 else "", headings)
            for n, text in enumerate(texts)
        ],
        AnswerOptions(max_tokens=5_000, **options),
        turns=() if turn is None else [Message("user", "So?"), Message("assistant", turn)],
    )


def prompts_of(attack: dict[str, Any], *, marked: bool = False) -> list[Message]:
    """Return the prompt that a generator sends for an attack."""
    seen: list[list[Message]] = []

    class Recorder(FakeModel):
        def stream(self, prompt: Any, sampling: Any = None) -> Any:
            seen.append(list(prompt))
            return super().stream(prompt, sampling)

    config = LanguageModelGeneratorConfig(datamarking=marked)
    generator(config, Recorder(), lambda: BOUNDARY).answer([task(attack)])
    return seen[0]


def answered(attack: dict[str, Any], write: Any, **options: Any) -> Answer:
    model = FakeModel(answer=write)
    made = generator(LanguageModelGeneratorConfig(), model, lambda: BOUNDARY)
    return made.answer([task(attack, **options)])[0]


def test_there_are_at_least_fifty_attacks() -> None:
    assert len({one["name"] for one in ATTACKS}) == len(ATTACKS) >= 50


@each
@pytest.mark.parametrize("marked", [False, True])
def test_prompt_has_no_markup_and_one_block_of_sources(
    attack: dict[str, Any], marked: bool
) -> None:
    messages = prompts_of(attack, marked=marked)
    assert messages[0].role == "system"
    assert sum(one.role == "user" for one in messages) == 1 + ("turn" in attack)
    for message in messages:
        assert not _TOKEN.search(message.content)
        assert not _ROLE.search(message.content)
        assert message.content.replace("\n", "").replace("\t", "").isprintable()
        for hidden in filter(None, [attack.get("hidden")]):
            assert hidden not in message.content
    prompt = messages[-1].content
    assert prompt.count(BOUNDARY) == 2
    assert prompt.count(BOUNDARY.strip("= ")) == 2
    markers = re.findall(r"[\[【［][^\[\]【】［］]*\d[^\[\]【】［］]*[\]】］]", prompt)
    assert markers in (["[1]", "[2]", "[1]"], ["[1]", "[1]"])  # The last one is in the rules.


@each
def test_no_citation_that_was_not_sent_comes_out(attack: dict[str, Any]) -> None:
    """Models that repeat the raw attack, repeat their prompt, or cite everything."""
    raw = filled(" ".join([attack["text"], attack.get("second", ""), attack.get("hidden", "")]))
    writes = (
        lambda prompt: f"PWNED [9]. {raw}",
        lambda prompt: prompt,
        lambda prompt: (
            "Kiwis [9] fly [0], [1-99] 【7】 ［8］ [Source 9] [[9]] [^9] [1](https://x.y)."
        ),
    )
    for write in writes:
        for markers in ("keep", "remove"):
            answer = answered(attack, write, citations=CitationOptions(markers=markers))
            numbers = {source.number for source in answer.sources}
            for citation in answer.citations:
                assert {quote.number for quote in citation.quotes} <= numbers
                for quote in citation.quotes:
                    assert quote.text in filled(attack["text"]) + attack.get(
                        "second", "Emus run fast."
                    )
            outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", answer.text, flags=re.DOTALL)
            shown = re.findall(r"[\[【［]{1,2}(?:\w+ )?\^?(\d+)[\]】］]", outside_code)
            assert {int(number) for number in shown} <= numbers
            if markers == "remove":
                assert not shown


@each
def test_addresses_that_no_source_has_are_reported(attack: dict[str, Any]) -> None:
    answer = answered(attack, lambda prompt: "See https://made.up/x [1].")
    if answer.outcome == "answered":
        assert any("https://made.up/x" in warning for warning in answer.warnings)


@each
def test_no_special_token_outside_the_template(
    attack: dict[str, Any], smollm: LanguageModel
) -> None:
    """Counted with the real tokenizer, once as markup: as if the whole prompt were trusted."""
    tokenizer = smollm._tokenizer  # type: ignore[attr-defined]
    special = tokenizer.special_tokens

    def found(messages: list[Message], *, trusted: bool) -> list[int]:
        tokens = (
            tokenizer.tokenize_markup(tokenizer.render(messages))
            if trusted
            else PromptTokens(tokenizer, messages).whole()
        )
        return [token for token in tokens if token in special]

    messages = prompts_of(attack)
    plain = [Message(one.role, "plain") for one in messages]
    for trusted in (True, False):
        assert found(messages, trusted=trusted) == found(plain, trusted=trusted)


@each
def test_harmless_text_stays_harmless(attack: dict[str, Any]) -> None:
    once = harmless(filled(attack["text"]), BOUNDARY)
    assert harmless(once, BOUNDARY) == once


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d; x | y; list[index]; # Title\n## Kiwi\nModel: no",
        "café ❤️ 👩🏽 naïve \N{DEVANAGARI LETTER KA}\N{DEVANAGARI SIGN VIRAMA}\u200d"
        "\N{DEVANAGARI LETTER SSA}",
        "<div class='a'>HTML</div> <T> |x| generic<T>",
    ],
)
def test_ordinary_text_is_not_changed(text: str) -> None:
    assert harmless(text).replace("Model -", "Model:") == text


@pytest.mark.parametrize(
    "part", ["[ ", " ", "<s ", "\n", "<", "<|", "[", "[1", "#", "<a", "[ |", "<<", "> ", "* "]
)
def test_time_is_linear(part: str) -> None:
    for text in (part * 30_000, part + " " * 60_000, part * 10_000 + "1" + "]" * 10_000):
        harmless(text)


def test_conversation_joins_turns_of_one_role() -> None:
    turns = [Message("user", "a"), Message("user", "b"), Message("assistant", "c"),
             Message("user", "d")]  # fmt: skip
    messages = conversation(Task("q", (), turns=turns), (), BOUNDARY)
    assert [one.role for one in messages] == ["system", "user", "assistant", "user"]
    assert messages[1].content == "a\n\nb"
    assert messages[3].content.startswith("d\n\n")


def written(*pieces: str) -> str:
    text = WrittenText()
    return "".join([*map(text.feed, pieces), text.close()])


@each
def test_no_template_token_comes_out_wherever_it_is_cut(attack: dict[str, Any]) -> None:
    text = filled(attack["text"])
    whole = written(text)
    assert not _TOKEN.search(whole)
    assert len(whole) == len(text)
    for at in range(0, len(text), 1 + len(text) // 200):
        assert written(text[:at], text[at:]) == whole
    assert written(*text) == whole
    answer = answered(attack, lambda prompt: text)
    assert not _TOKEN.search(answer.text)


@given(
    st.lists(st.sampled_from(["<", ">", "|", "<<", "SYS", "[", "]", "INST", "s", "/", " ", "ab"]))
)
def test_no_pieces_become_a_template_token(pieces: list[str]) -> None:
    assert not _TOKEN.search(written(*pieces))


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d; x | y; list[index] [1] [2, 3",
        "<div class='a'>HTML</div> <T> |x| a<T>",
        "[",
    ],
)
def test_ordinary_text_of_a_model_is_not_changed(text: str) -> None:
    assert written(text) == written(*text) == text
