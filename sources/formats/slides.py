"""Reads PowerPoint files (.pptx) as Markdown, with a form feed between slides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .converted import Converted
from .limits import Limits
from .markdown_text import heading, item, join, one_line, pages, paragraph, table
from .office import properties
from .reasons import EMPTY, IMAGES, UnreadableError
from .zipped import check_zip


def read_slides(path: Path, limits: Limits) -> Converted:
    """Return the text of a presentation: titles, text, tables, chart titles and notes.

    Raises UnreadableError for a damaged or encrypted file, and for one without text.
    """
    from pptx import Presentation

    check_zip(path, limits, "ppt/presentation.xml")
    presentation: Any = Presentation(str(path))
    texts = [join(_slide(slide)) for slide in presentation.slides]
    if not any(texts):
        if any(hasattr(shape, "image") for slide in presentation.slides for shape in slide.shapes):
            message = "has only images and no text; recognise its text first (OCR)"
            raise UnreadableError(IMAGES, message)
        raise UnreadableError(EMPTY, "has no text")
    core = presentation.core_properties
    metadata = {**properties(core), "pages": len(texts)}
    return Converted(pages(texts), _title(core.title or ""), metadata)


def _title(text: str) -> str:
    title = one_line(text)
    return "" if title == "PowerPoint Presentation" else title  # What PowerPoint writes itself.


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None:
        yield heading(1, title.text_frame.text)
    yield from _shapes(slide.shapes, None if title is None else title.shape_id)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        yield paragraph(frame.text)


def _shapes(shapes: Iterable[Any], title: int | None) -> Iterator[str]:
    for shape in shapes:
        if shape.shape_id == title:
            continue
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes, title)
        elif getattr(shape, "has_table", False):
            yield table([cell.text for cell in row.cells] for row in shape.table.rows)
        elif getattr(shape, "has_chart", False):
            if shape.chart.has_title and shape.chart.chart_title.has_text_frame:
                yield paragraph(shape.chart.chart_title.text_frame.text)
        elif shape.has_text_frame:
            yield from _frame(shape)


def _frame(shape: Any) -> Iterator[str]:
    """Yield the text of a shape. Several paragraphs of a placeholder become items of a list."""
    listed = shape.is_placeholder and len(shape.text_frame.paragraphs) > 1
    lines = shape.text_frame.paragraphs
    if listed:
        items = (item(one.text, one.level) for one in lines)
        yield "\n".join(line for line in items if line)
    else:
        yield from (paragraph(one.text) for one in lines)
