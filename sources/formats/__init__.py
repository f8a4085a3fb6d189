"""Readers of file formats: HTML, PDF, Office files, EPUB, source code and archives.

A reader is a function that returns the text of one file as Markdown. Readers run in another
process, with limits of memory and time. `converter.py` starts that process, and `child.py` runs in
it.
"""

from .converted import Converted
from .converter import Converter
from .kinds import Format, format_of, register_format
from .limits import Limits
from .reasons import UnreadableError

__all__ = [
    "Converted",
    "Converter",
    "Format",
    "Limits",
    "UnreadableError",
    "format_of",
    "register_format",
]
