"""Whether passages should follow the sections of documents, and carry their headings.

    python benchmarks/run.py section_passages --documents 60

The queries are sentences of RFCs that cite a section (`common/section_ways.py`).
"""

from __future__ import annotations

from common.section_ways import compare_ways

WAYS = {
    "tokens": {"structure": False, "headings": False},
    "tokens, headings": {"structure": False, "headings": True},
    "sections": {"structure": True, "headings": False},
    "sections, headings": {"structure": True, "headings": True},
}

if __name__ == "__main__":
    compare_ways(__doc__.splitlines()[0], WAYS, base="tokens")
