"""Counts of a service for its metrics: documents, jobs and the usage of language models."""

from __future__ import annotations

from collections import Counter

from ..served import readable
from ..service import Service

Counts = dict[tuple[str, ...], float]
"""Label values -> value."""


def job_counts(service: Service) -> Counts:
    """Return (collection, state) -> number of jobs."""
    found: Counter[tuple[str, ...]] = Counter()
    for served in service.collections():
        with readable(served):
            if served.jobs is not None:
                found.update({(served.name, s): n for s, n in served.jobs.counts().items()})
                for job_id in service.runner.waiting(served):
                    found[served.name, served.jobs.get(job_id).state] -= 1
                    found[served.name, "waiting"] += 1
    return dict(found)


def document_counts(service: Service) -> Counts:
    """Return (collection,) -> number of documents, for readable collections."""
    found: Counts = {}
    for served in service.collections():
        with readable(served):
            if served.collection is not None:
                found[(served.name,)] = float(served.collection.count())
    return found


def ready_counts(service: Service) -> Counts:
    """Return (collection,) -> 1 for a collection that is ready, else 0."""
    return {(served.name,): float(served.status == "ready") for served in service.collections()}


def writable(service: Service) -> Counts:
    """Return () -> 0 if writes fail although the folder is not meant to be read-only, else 1."""
    found = service.writable()
    return {(): float(found.problem is None or found.intended)}


def usage(service: Service, field: str) -> Counts:
    """Return (collection,) -> `field` of its Usage, for collections with a language model."""
    return {
        (served.name,): getattr(found, field)
        for served in service.known()
        if served.collection is not None and (found := served.collection.usage) is not None
    }
