"""FAISS on GPUs (extra `gpu`), used if FAISS finds a GPU. Results equal those on a CPU."""

from __future__ import annotations

from typing import Any

from ..faiss_calls import faiss


def device_count() -> int:
    """Return the number of GPUs that FAISS can use; 0 if FAISS is built without GPU support."""
    library = faiss()
    return int(library.get_num_gpus()) if hasattr(library, "StandardGpuResources") else 0


def on_devices(index: Any) -> Any | None:
    """Copy a FAISS index into the memory of all GPUs.

    Returns None if there is no GPU or the copy fails. The copy does not support filters. A copy of
    an IVF index supports at most 2,048 results and 2,048 lists per query.
    """
    if not device_count():
        return None
    try:
        return faiss().index_cpu_to_all_gpus(index)
    except RuntimeError:  # Some kinds of index have no GPU version.
        return None
