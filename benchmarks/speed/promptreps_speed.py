"""Encoding speed of PromptReps in Twindex and in a plain implementation.

    python benchmarks/run.py promptreps_speed --documents 512

The plain implementation is the obvious one with transformers, in float32. It reads padded batches
of 8 texts in their order, reads the whole prompt for each, and computes the logits of all
positions.

All systems read the same texts in turns of `--turn` documents, so that other load on the machine
affects all of them. Beside each speed are the smallest cosine to the plain dense vectors, and the
share of the plain sparse weights (integers) that are equal.
"""

from __future__ import annotations

import argparse
import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
import transformers
from common import datasets
from common.timing import table

from twindex.encoders import Encoder, PromptRepsEncoderConfig, load_encoder
from twindex.encoders.lexical.words import words
from twindex.encoders.promptreps.prompts import prompt
from twindex.encoders.terms import stoplist
from twindex.llm.loading import load_model
from twindex.llm.local.pretrained import load_pretrained

BATCH = 8
Vectors = list[tuple[Any, dict[int, int]]]
"""Of each text the dense vector, and weights by token."""


def plain(name: str, config: PromptRepsEncoderConfig) -> Callable[[Sequence[str]], Vectors]:
    """The plain implementation of the variant "single", with transformers only."""
    parts = load_pretrained(transformers.AutoModelForCausalLM, name, device="cpu")
    model, tokenizer = parts.model, parts.tokenizer
    around = prompt(load_model(name, device="cpu"), config, "document")
    prefix, suffix = map(tokenizer.tokenize_markup, (around.prefix, around.suffix))
    left_out = stoplist(config.language) | set(string.punctuation)

    def encode(texts: Sequence[str]) -> Vectors:
        found = []
        for begin in range(0, len(texts), BATCH):
            batch = texts[begin : begin + BATCH]
            rows = [
                [*prefix, *ids[: config.max_length], *suffix] for ids in tokenizer.tokenize(batch)
            ]
            longest = max(map(len, rows))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
            with torch.inference_mode():
                given = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            for i, (text, row) in enumerate(zip(batch, rows, strict=True)):
                dense = given.hidden_states[-1][i, len(row) - 1].numpy()
                weights = torch.log1p(given.logits[i, len(row) - 1].relu()).numpy()
                own = {t for w in set(words(text)) - left_out for t in tokenizer.tokenize([w])[0]}
                kept = sorted(own, key=lambda t: (-weights[t], t))[: config.top_terms]
                sparse = {t: round(100 * float(weights[t])) for t in kept}
                found.append(
                    (dense / np.linalg.norm(dense), {t: w for t, w in sparse.items() if w > 0})
                )
        return found

    return encode


def ours(encoder: Encoder) -> Callable[[Sequence[str]], Vectors]:
    def encode(texts: Sequence[str]) -> Vectors:
        given = encoder.encode(texts, role="document")
        assert given.dense is not None
        assert given.sparse is not None
        rows = [given.sparse[[i]] for i in range(len(texts))]
        return [
            (dense, dict(zip(row.indices.tolist(), map(int, row.data), strict=True)))
            for dense, row in zip(given.dense, rows, strict=True)
        ]

    return encode


def agreement(found: Vectors, reference: Vectors) -> tuple[float, float]:
    """The smallest cosine of the dense vectors, and the share of equal sparse weights."""
    pairs = list(zip(found, reference, strict=True))
    cosine = min(float(one @ other) for (one, _), (other, _) in pairs)
    equal = sum(len(one.items() & other.items()) for (_, one), (_, other) in pairs)
    return cosine, equal / sum(len(other) for _, other in reference)


def matrix_share(run: Callable[[], Any]) -> dict[str, float]:
    """Shares of the time of all operators: matrix products, and attention."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run()
    events = profile.key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    kinds = {"products": ("mm", "mkldnn", "onednn", "linear"), "attention": ("scaled_dot", "flash")}
    return {
        kind: sum(e.self_cpu_time_total for e in events if any(name in e.key for name in names))
        / total
        for kind, names in kinds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=datasets.DATA / "scifact")
    parser.add_argument("--documents", type=int, default=48)
    parser.add_argument("--turn", type=int, default=12)
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16", "int8"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    texts = datasets.corpus_texts(arguments.corpus)[: arguments.documents]
    config = PromptRepsEncoderConfig(model=arguments.model, device="cpu")
    encoders = {
        f"Twindex, {precision}": load_encoder(config.model_copy(update={"precision": precision}))
        for precision in arguments.precisions
    }
    systems = {"plain, float32": plain(arguments.model, config)}
    systems |= {name: ours(encoder) for name, encoder in encoders.items()}
    wall = dict.fromkeys(systems, 0.0)
    cpu = dict.fromkeys(systems, 0.0)
    found: dict[str, Vectors] = {name: [] for name in systems}
    for encode in systems.values():
        encode(texts[:4])
    for begin in range(0, len(texts), arguments.turn):
        for name, encode in systems.items():
            began = perf_counter(), process_time()
            found[name] += encode(texts[begin : begin + arguments.turn])
            wall[name] += perf_counter() - began[0]
            cpu[name] += process_time() - began[1]
    base, *_ = systems
    rows = []
    for name in systems:
        cosine, equal = agreement(found[name], found[base])
        rows.append(
            {
                "": name,
                "documents/s": len(texts) / wall[name],
                "times faster": wall[base] / wall[name],
                "CPU": cpu[base] / cpu[name],
                "least cosine": cosine,
                "equal weights": equal,
            }
        )
    shares = {
        name: matrix_share(lambda encode=systems[name]: encode(texts[:8])) for name in systems
    }
    print(table(rows))
    for name, share in shares.items():
        print(f"{name}: " + ", ".join(f"{value:.0%} in {kind}" for kind, value in share.items()))
    if arguments.json:
        told = {
            "model": arguments.model,
            "documents": len(texts),
            "threads": arguments.threads,
            "batch": BATCH,
        }
        figures = {**told, "rows": rows, "shares": shares}
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
