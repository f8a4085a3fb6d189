"""HyDE: a model writes passages that might answer the query, and their vectors are searched.

Gao, Ma, Lin and Callan, "Precise zero-shot dense retrieval without relevance labels" (2023):

    v = (E(q) + E(d_1) + ... + E(d_n)) / (n + 1)

E encodes a text, q is the query and d_1..d_n are the passages. The passages may be wrong, because
only their topic and wording matter. The search scales v to the length of E(q), so that scores keep
their range; the order is that of the paper. Lexical and sparse legs, which the paper does not have,
search the terms of the query and the passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ...core.bounds import Bounds
from ...llm import LanguageModel
from .config import REWRITERS
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .protocol import Use

VERSION = 2

TASKS = {
    "question": ("Write a passage that answers the question.", "Question"),
    "claim": ("Write a passage of a scientific paper that supports or refutes the claim.", "Claim"),
    "argument": ("Write a passage that argues against the opinion.", "Opinion"),
    "finance": ("Write a passage of a financial article that answers the question.", "Question"),
    "news": ("Write a passage of a news report about the topic.", "Topic"),
}
"""Task -> instructions for the model, and the word before the query."""

Repeat = Annotated[int, Bounds(1, 1_000)]
"""How often the query counts where a text counts once."""


@REWRITERS.register
class HydeConfig(LanguageModelRewriterConfig):
    """A language model writes passages that might answer the query (HyDE, Gao et al., 2023).

    Dense legs search the mean of the vectors of the query and the passages. Lexical and sparse legs
    search the terms of both.
    """

    made_by = ".hyde:HydeRewriter"

    kind: Literal["hyde"] = "hyde"
    texts: Annotated[int, Bounds(1, 100)] = 8
    """Number of passages, each of which is one call of the model."""
    task: Literal["question", "claim", "argument", "finance", "news"] = "question"
    """What queries are, which selects the prompt. "argument": an opinion, and documents that argue
    against it."""
    write_in: Annotated[str, Field(pattern=r"^[A-Za-z -]{2,40}$")] | None = None
    """Language of the passages, in English words such as "German"; None = not part of the
    prompt."""
    repeat: Repeat | None = None
    """How often the query counts in lexical and sparse legs, where a passage counts once; None =
    the longer the passages, the more often (MuGI, Zhang et al., 2024)."""
    max_tokens: Annotated[int, Bounds(1, 100_000)] = 512
    """Maximum number of tokens of a passage."""
    temperature: Annotated[float, Bounds(0, 10)] = 0.7
    """Randomness of the passages; 0 = always the most likely token."""

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.texts > 1 and self.temperature == 0:
            raise ValueError(
                f"`texts` is {self.texts}, but with `temperature` 0 all passages are equal; raise "
                "`temperature`, or set `texts` to 1"
            )
        return self

    @property
    def use(self) -> Use:
        """Dense legs search the mean of the vectors; other legs the terms of all texts."""
        return Use("mean", repeat=self.repeat)


class HydeRewriter(PromptingRewriter):
    """Writes passages that might answer the query. See `HydeConfig`."""

    def __init__(self, config: HydeConfig, model: LanguageModel | None = None) -> None:
        system, word = TASKS[config.task]
        if config.write_in is not None:
            system = f"{system} Write in {config.write_in}."

        def ask(question: str, turns: Sequence[tuple[str, str]]) -> str:
            return f"{word}: {question}\nPassage:"

        method = Method(system, (), VERSION, "passage", ask, samples=config.texts)
        super().__init__(config, method, model)
