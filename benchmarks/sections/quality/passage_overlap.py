"""The section of quality/passage_overlap.py."""

from __future__ import annotations

from sections.quality.section_passages import section

TITLE = "Overlap of passages"

__all__ = ["TITLE", "section"]
