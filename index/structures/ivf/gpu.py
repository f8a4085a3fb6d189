"""FAISS on GPUs (extra `gpu`): used where the installed FAISS finds some, for the same results."""

from __future__ import annotations

from typing import Any

from ..faiss_calls import faiss


def device_count() -> int:
    """GPUs that FAISS can use; 0 for the usual FAISS."""
    library = faiss()
    return int(library.get_num_gpus()) if hasattr(library, "StandardGpuResources") else 0


def on_devices(index: Any) -> Any | None:
    """A copy of an index in the memory of all GPUs; None if there is no GPU, or it cannot hold it.

    Such a copy takes no filters and, for one IVF index, at most 2,048 results and lists a query.
    """
    if not device_count():
        return None
    try:
        return faiss().index_cpu_to_all_gpus(index)
    except RuntimeError:  # Not every kind of index has a counterpart there.
        return None
