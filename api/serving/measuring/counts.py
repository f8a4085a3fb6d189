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


def usage(service: Service, field: str) -> Counts:
    """Return (collection,) -> `field` of its Usage, for collections with a language model."""
    return {
        (served.name,): getattr(found, field)
        for served in service.known()
        if served.collection is not None and (found := served.collection.usage) is not None
    }
