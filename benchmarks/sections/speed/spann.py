"""The section of speed/spann.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import figures as digits
from sections.markdown import listed, part, table, whole

TITLE = "Vectors on disk"


def searched(figures: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """The number of vectors, and the rows of the recall in the middle."""
    key = next(key for key in figures["parts"] if key.startswith("search "))
    rows = figures["parts"][key]["rows"]
    targets = sorted({row["target"] for row in rows})
    target = targets[len(targets) // 2]
    return int(key.split()[1]), [row for row in rows if row["target"] == target]


def section(figures: dict[str, Any]) -> Iterator[str]:
    vectors, rows = searched(figures)
    yield (
        f"Milliseconds, KB read and CPU time of a query over {whole(vectors)} vectors on disk, at "
        f"a recall@10 of {part(rows[0]['target'], 2)} or a little more; lower is better. Cold "
        "means that the pages of the files are dropped before each query."
    )
    yield table(
        [
            "",
            *("recall", "lists", "reads", "KB read", "cold p50 ms", "warm CPU us", "memory MB"),
            "disk / raw",
        ],
        (
            [
                row["system"],
                part(row["recall"]),
                whole(row["lists"]),
                whole(row["reads"]) if row["reads"] != "" else "",
                whole(row["KB"]),
                digits(row["p50 ms"]),
                whole(row["warm CPU us"]),
                f"{row['memory MB']:.1f}" if row["memory MB"] else "",
                f"{row['disk x raw']:.2f}",
            ]
            for row in rows
        ),
    )
    yield (
        "The system that is named for the same memory has as many lists as SPANN and the same "
        "reader, and each vector is in one list. Reads and memory are blank where a system does "
        "not tell them."
    )
    for key, one in figures["parts"].items():
        if key.startswith("memory "):
            row = one["rows"][0]
            yield (
                f"A build of {whole(row['vectors'])} vectors ({whole(row['raw MiB'])} MiB) with "
                f"{whole(row['budget MiB'])} MiB of working memory peaks at "
                f"{whole(row['peak MiB'])} MiB, of which {whole(row['before (libraries) MiB'])} "
                f"MiB are libraries. It takes {whole(row['CPU seconds'])} CPU seconds."
            )


def compared(figures: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    vectors, rows = searched(figures)

    def of(row: dict[str, Any]) -> str:
        name = listed([row["system"]])
        return f"{digits(row['p50 ms'])} ms, {whole(row['KB'])} KB ({name})"

    ours = [of(row) for row in rows if row["system"] == "SPANN int8"]
    peers = [of(row) for row in rows if row["system"].startswith(("FAISS", "LanceDB"))]
    recall = part(rows[0]["target"], 2)
    title = f"{whole(vectors)} vectors on disk, cold, recall {recall}, lower is better"
    if ours and peers:
        yield title, ours[0], ", ".join(peers)
