"""The HTML pages beside those for searches and answers."""

from fastapi import APIRouter

from . import collections, compare, documents, jobs, keys, status

router = APIRouter(include_in_schema=False)
for module in (compare, collections, documents, jobs, keys, status):
    router.include_router(module.router)
