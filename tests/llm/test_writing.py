"""Stop strings and incomplete characters, compared with a cut of the full text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from twindex.llm.writing import Writing, safe, stopped

STOP = st.lists(st.text("ab ", min_size=1, max_size=4), max_size=3)


def cut(text: str, stop: list[str]) -> str:
    """Return the text up to the stop string that is complete first."""
    for end in range(len(text) + 1):
        complete = [string for string in stop if text[:end].endswith(string)]
        if complete:
            return text[: end - max(map(len, complete))]
    return text


def decode(tokens: list[int]) -> str:
    """Decode tokens, which are bytes. Like some decoders, it drops a space at the start."""
    return bytes(tokens).decode(errors="replace").removeprefix(" ")


@given(st.text("ab ", max_size=30), STOP)
@example("ab ab", ["ab a", "b"])
@example("ab ab", ["b", "ab"])
def test_stopped_equals_the_reference(text: str, stop: list[str]) -> None:
    assert text[: stopped(text, stop)] == cut(text, stop)


@given(st.text("ab ", max_size=12), st.text("ab ", max_size=5), STOP)
def test_safe_text_never_becomes_a_stop_string(text: str, more: str, stop: list[str]) -> None:
    end = safe(text, stop)
    if stopped(text, stop) is None:
        assert len(cut(text + more, stop)) >= min(end, len(text))
        assert end == len(text) or any(string.startswith(text[end:]) for string in stop)


@given(st.text("ab é∑😀\ufffd", max_size=30), STOP, st.text("ab é", min_size=1, max_size=9))
def test_writing_equals_the_reference(text: str, stop: list[str], prompt: str) -> None:
    writing = Writing(decode, list(prompt.encode()), stop)  # type: ignore[arg-type]
    wanted = cut(text, stop)
    shown = ""
    for token in text.encode():
        writing.add(token)
        shown += writing.take()
        assert wanted.startswith(shown)
        if writing.ended:
            break
    writing.close()
    shown += writing.take(last=True)
    if writing.ended or not text.endswith("\ufffd"):
        assert writing.text == wanted
    assert shown == writing.text


@given(st.binary(max_size=20), st.integers(1, 5))
def test_invalid_bytes_are_decoded_like_the_whole(data: bytes, size: int) -> None:
    """The text is that of all bytes decoded at once, without an incomplete last character."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    writing = Writing(
        lambda tokens: b"".join(pieces[token] for token in tokens).decode(errors="replace"), [], []
    )
    for number in range(len(pieces)):
        writing.add(number)
    writing.close()
    assert writing.text == data.decode(errors="replace").rstrip("\ufffd")


def test_incomplete_character_is_held_back() -> None:
    writing = Writing(decode, [], [])  # type: ignore[arg-type]
    taken = []
    for token in "né".encode():
        writing.add(token)
        taken.append(writing.take())
    assert taken == ["n", "", "é"]


def test_possible_stop_string_is_held_back() -> None:
    writing = Writing(decode, [], ["END"])  # type: ignore[arg-type]
    taken = []
    for token in b"EN, then END. More":
        if not writing.ended:
            writing.add(token)
            taken.append(writing.take())
    assert "".join(taken) == "EN, then "
    assert taken[:3] == ["", "", "EN,"]
    assert writing.ended
