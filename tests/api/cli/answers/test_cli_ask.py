"""`twindex ask`: answers, sources, abstention, failures, Ctrl-C and closed pipes."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from twindex.api.answered import unsupported
from twindex.core import ModelError
from twindex.core.answers import Answer, AnswerEvent, Citation, Quote
from twindex.llm import find_weights
from twindex.search import Collection

QUESTION = "Where does the kiwi live?"


@pytest.fixture
def ask(birds: Path, generators: str, run: Any) -> Any:
    def call(question: str = QUESTION, *options: str, generator: str = "plain") -> Any:
        named = ["--generators", generators, "--generator", generator]
        return run("ask", str(birds), question, *named, *options)

    return call


def test_an_answer_is_followed_by_its_sources(ask: Any) -> None:
    done = ask()
    assert done.status == 0, done.err
    answer, _, rest = done.out.partition("\n\n")
    assert "New Zealand" in answer
    assert "[1]" in answer
    assert rest.splitlines()[:2] == [
        "[1] kiwi  Kiwi",
        '    "It lives in New Zealand and was described in 1813."',
    ]
    assert "left out" in done.err


def test_without_a_generator_sentences_of_the_documents_answer(birds: Path, run: Any) -> None:
    done = run("ask", str(birds), QUESTION)
    assert done.status == 0
    assert "New Zealand" in done.out
    assert "extractive: " in done.err


def test_options_set_fields_of_the_generator(ask: Any, birds: Path, run: Any) -> None:
    question = "Which bird cannot fly and was described in 1813?"
    both = "It lives in New Zealand and was described in 1813. [1] The kiwi cannot fly. [1]"
    assert run("ask", str(birds), question).out.startswith(f"{both}\n")
    one = run("ask", str(birds), question, "--generator-sentences", "1")
    assert one.out.startswith("It lives in New Zealand and was described in 1813. [1]\n\n")
    named = ask(question, "--generator-sentences", "1")
    assert named.out == one.out
    said = ask(QUESTION, "--generator-text", "Kiwis were described in 1813. [1]", generator="wrong")
    assert "Kiwis were described in 1813. [1]" in said.out
    spec = ["--generator", "fake", "--generator-text", "Nothing is known."]
    assert "Nothing is known." in run("ask", str(birds), QUESTION, *spec).out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--generator-text", "x"], "--generator-text: is an option of fake, but the generator"),
        (["--generator-sentences", "0"], "--generator-sentences: must be an integer between"),
        (
            ["--generator-entailment-label", "yes"],
            "--generator-entailment-model: is required",
        ),
        (["--generator-language", "xx"], "--generator-language: cannot analyse the language 'xx'"),
        (
            ["--generator", "language-model:m", "--generator-base-url", "ftp://x"],
            "--generator-base-url: must begin with",
        ),
        (
            ["--generator", "language-model:fake", "--generator-api-key-variable", "KEY"],
            "`api_key_variable` requires `base_url`",
        ),
    ],
)
def test_wrong_options_of_the_generator_are_named(
    birds: Path, run: Any, options: list[str], words: str
) -> None:
    failed = run("ask", str(birds), QUESTION, *options)
    assert (failed.status, failed.out) == (2, "")
    assert words in failed.err


def test_options_reach_the_server_of_a_generator(birds: Path, run: Any) -> None:
    server = ["--generator-base-url", "http://127.0.0.1:9/v1", "--generator-timeout-seconds", "1"]
    failed = run("ask", str(birds), QUESTION, "--generator", "language-model:small", *server)
    assert failed.status == 1
    assert "127.0.0.1:9" in failed.err


def test_explain_shows_what_was_read_and_left_out(ask: Any) -> None:
    done = ask("Which birds cannot fly?", "--explain", "--passages", "1")
    assert "1 source sent, 1 passage left out" in done.out
    assert "left out: rank 2" in done.out
    assert "the maximum number of passages was reached" in done.out
    assert ", cited" in done.out


def test_explain_names_generated_texts_that_were_left_out(
    birds: Path, run: Any, tmp_path: Path
) -> None:
    file = tmp_path / "generators.toml"
    file.write_text(
        '[generators.echo]\nkind = "fake"\n'
        '[backgrounds.twice]\nkind = "fake"\ntexts = ["A kiwi has a hat.", "A kiwi has a hat."]\n'
    )
    options = ["--generators", str(file), "--background", "twice", "--explain"]
    done = run("ask", str(birds), QUESTION, *options)
    assert done.status == 0, done.err
    assert "left out: generated text 2: it is a near-copy of generated text 1\n" in done.out
    assert re.search(r"sent, \d passages? and 1 generated text left out", done.out)


def test_no_answer_is_shown_as_such(ask: Any) -> None:
    done = ask("xylophone")
    assert done.status == 0
    assert done.out.endswith("no answer: no passage was found\n")
    refused = ask(generator="refusing")
    assert refused.out.endswith("no answer: the model found no answer in the sources\n")


def test_a_statement_that_is_not_entailed_says_so() -> None:
    quote = Quote(1, "kiwi", 0, 20, "The kiwi cannot fly.", 1.0, entailment=0.021)
    answer = Answer("The kiwi can fly.", "answered", [Citation(0, 17, [quote], False)])
    ((_, why),) = unsupported(answer)
    assert why == "[1] has 100% of its words, and entails it with the probability 0.02"


def test_a_statement_without_support_is_marked(ask: Any) -> None:
    done = ask(generator="wrong")
    assert 'not supported: "The kiwi was described in 1999.": [1] has' in done.out
    assert "but not 1999" in done.out
    assert "cites no source" in ask(QUESTION, "--unsupported", "drop", generator="wrong").out


def test_json_is_the_body_of_the_rest_interface(ask: Any) -> None:
    found = ask(QUESTION, "--json").json
    assert found["outcome"] == "answered"
    assert found["citations"][0]["quotes"][0]["id"] == "kiwi"
    assert found["sources"][0]["number"] == 1
    assert found["generator"] == "plain"


def test_events_are_lines_of_json(ask: Any, birds: Path) -> None:
    lines = [json.loads(line) for line in ask(QUESTION, "--events").out.splitlines()]
    names = [line["event"] for line in lines]
    assert names[0] == "sources"
    assert names[-2:] == ["usage", "done"]
    text = "".join(line["data"]["text"] for line in lines if line["event"] == "token")
    assert text == lines[-1]["data"]["text"]
    with Collection.open(birds, read_only=True) as collection:
        events: list[AnswerEvent] = list(collection.answer_stream(QUESTION))
    assert [event.event for event in events] == names


def test_the_search_has_the_options_of_search(ask: Any) -> None:
    done = ask("Which birds cannot fly?", "--filter", '{"land": "NZ"}', "--legs", "lexical")
    assert "kiwi" in done.out
    assert "emu" not in done.out.lower()
    reranked = ask("Which birds cannot fly?", "--rerank", "fake")
    assert "fake: " in reranked.err


def test_a_background_is_a_name_of_the_file_or_a_spec(ask: Any) -> None:
    shown = ask(QUESTION, "--background", "facts", "--explain", generator="wrong")
    assert "not a source: Kiwis have 7 hats." in shown.out
    options = ["--background-share", "0.9", "--background-combine", "retrieved_first"]
    found = ask(QUESTION, "--background", "fake", *options, "--json", generator="wrong").json
    kinds = [source["kind"] for source in found["sources"]]
    assert (kinds[0], kinds[-1]) == ("document", "generated")
    assert found["sources"][-1]["text"] == f"This is a text about the question: {QUESTION}"
    alone = ask(QUESTION, "--background", "facts", "--background-only", generator="wrong")
    assert "0 sources sent" in alone.err


def test_a_background_that_fails_ends_the_answer_or_is_left_out(ask: Any) -> None:
    done = ask(QUESTION, "--background", "down", generator="wrong")
    assert (done.status, "the fake background fails" in done.err) == (1, True)
    options = ["--background", "down", "--background-on-error", "leave_out"]
    done = ask(QUESTION, *options, generator="wrong")
    assert (done.status, "the answer has no background" in done.err) == (0, True)


_FACTS = ["--generator", "wrong", "--background", "facts"]
_ALONE = [*_FACTS, "--background-only"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--background-only"], "--background-only: requires --background"),
        (["--background-share", "0.5"], "--background-share: requires --background"),
        (["--background", "x"], "known: language-model[:MODEL], fake; "),
        (["--background", "x"], "generators.toml has the backgrounds facts, down"),
        (["--background", "clustered"], "demonstrations: is required; set it in a TOML file"),
        (["--background", "facts"], "--background: the generator 'plain' (extractive) does not"),
        ([*_FACTS, "--background-share", "4"], "--background-share: must be a number above 0"),
        ([*_ALONE, "--background-share", "1"], "--background-share: cannot be combined with"),
        ([*_ALONE, "--limit", "3"], "--background-only: searches nothing; remove the options"),
        ([*_ALONE, "--no-suggest"], "--background-only: searches nothing; remove the options"),
        ([*_ALONE, "--rewriter", "fake"], "--background-only: searches nothing; remove the"),
    ],
)
def test_wrong_options_of_a_background(ask: Any, options: list[str], message: str) -> None:
    done = ask(QUESTION, *options)
    assert (done.status, message in done.err) == (2, True), done.err


def test_control_characters_do_not_reach_the_terminal(ask: Any) -> None:
    done = ask(generator="hostile")
    assert "\x1b" not in done.out
    assert "Red ?" in done.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--limit", "0"], "--limit: must be an integer between"),
        (["--context-tokens", "3"], "--context-tokens: must be"),
        (["--max-tokens", "0"], "--max-tokens: must be"),
        (["--temperature", "-1"], "--temperature: must be"),
        (["--min-support", "2"], "--min-support: must be"),
        (["--legs", "lexicla"], "did you mean 'lexical'?"),
        (["--rrf-k", "3"], "--rrf-k: requires --fusion rrf"),
        (["--rerank", "nothing"], "--rerank: "),
        (["--filter", '{"land": {"near": 3}}'], "filter"),
    ],
)
def test_wrong_options_name_the_option(ask: Any, options: list[str], message: str) -> None:
    done = ask(QUESTION, *options)
    assert (done.status, message in done.err) == (2, True), done.err
    assert done.out == ""


def test_a_failing_model_is_not_a_mistake_of_the_user(ask: Any) -> None:
    done = ask(generator="failing")
    assert done.status == 1
    assert done.err == "twindex: error: the fake generator fails after 2 words, as set in " + (
        "`fails_at`\n"
    )
    assert done.out == "Kiwis live\n"


@pytest.mark.slow
def test_a_model_that_is_not_on_this_machine_is_a_wrong_argument(ask: Any) -> None:
    missing = ask(generator="gone")
    assert (missing.status, "not-on-this-machine" in missing.err) == (2, True)


def test_an_interrupt_ends_the_answer_at_once(birds: Path, generators: str, twindex: Any) -> None:
    options = ["--generators", generators, "--generator", "stuck", "--events"]
    with twindex("ask", str(birds), QUESTION, *options) as process:
        assert json.loads(process.stdout.readline())["event"] == "sources"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "twindex: interrupted\n")
    assert time.monotonic() - began < 4


def test_a_closed_pipe_ends_the_answer(birds: Path, generators: str, twindex: Any) -> None:
    options = ["--generators", generators, "--generator", "slow", "--events"]
    with twindex("ask", str(birds), QUESTION, *options) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.slow
def test_a_language_model_answers(birds: Path, run: Any) -> None:
    try:
        find_weights("SmolLM2-135M-Instruct", allow_download=False)
    except ModelError as error:
        pytest.skip(str(error))
    options = ["--generator", "language-model:SmolLM2-135M-Instruct", "--max-tokens", "40"]
    done = run("ask", str(birds), "In which year was the kiwi described?", *options)
    assert done.status == 0, done.err
    assert "1813" in done.out.partition("\n\n")[0]
    assert "language models: 1 prompt" in done.err
