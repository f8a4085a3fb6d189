"""The HTML pages beside those for searches and answers."""

from fastapi import APIRouter

from . import compare

router = APIRouter(include_in_schema=False)
for module in (compare,):
    router.include_router(module.router)
