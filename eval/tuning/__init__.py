"""Chooses how vectors are stored, by measurements on the collection itself: `twindex tune`."""

from .choice import Choice, Limits, choose, front
from .files import write
from .grid import Grid, Skipped, default_grid, label
from .measure import Point
from .tune import QUERIES, SAMPLE, Report, tune

__all__ = [
    "QUERIES",
    "SAMPLE",
    "Choice",
    "Grid",
    "Limits",
    "Point",
    "Report",
    "Skipped",
    "choose",
    "default_grid",
    "front",
    "label",
    "tune",
    "write",
]
