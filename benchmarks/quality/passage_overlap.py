"""How many tokens neighbouring passages should share.

    python benchmarks/run.py passage_overlap --documents 22

The queries are sentences of RFCs that cite a section (`common/section_ways.py`). Everything but
the overlap is as in a new collection.
"""

from __future__ import annotations

from common.section_ways import compare_ways

WAYS = {f"{overlap} tokens": {"overlap": overlap} for overlap in (32, 0, 64)}

if __name__ == "__main__":
    compare_ways(__doc__.splitlines()[0], WAYS, base="32 tokens")
