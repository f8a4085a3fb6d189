"""Reads and checks the vectors and passages that documents and queries bring.

A vector has one of these forms:

    [0.1, -2.5, ...]                              dense: a list, an array or a tensor of numbers
    {"kiwi": 1.2, "bird": 0.4}                    sparse: weight of each term
    {"indices": [17, 4], "values": [1.2, 0.4]}    sparse: weight of each dimension

A document may also bring a list of vectors, one for each of its passages. Dense vectors of n
passages may be an array [n, dimensions].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError, Passage
from ..core.errors import shown
from ..core.types import MOST_PASSAGES

LARGEST = 1e8
"""Largest absolute component of a stored vector. Some indexes compute the fourth power of a length,
which must fit in float32."""
LARGEST_OF_QUERY = 1e18
"""Largest absolute component of a query vector. Products of larger ones could overflow float32."""
MOST_INDEX = 2**31 - 1
FORMS = 'a list of numbers, {"term": weight, ...} or {"indices": [...], "values": [...]}'


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A sparse vector by index.

    indices: int64 [n], ascending, without repetition.
    values:  float32 [n], the weight of each index, above 0.
    """

    indices: NDArray[np.int64]
    values: NDArray[np.float32]


Sparse = SparseVector | Mapping[str, float]
"""A checked sparse vector: by index, or term -> weight."""
Checked = NDArray[np.float32] | Sparse | tuple[Sparse, ...]
"""A checked vector: float32 [d], or float32 [n, d] for n passages; a sparse vector, or n of them.
"""


def check_vectors(
    value: object, field: str = "vectors", largest: float = LARGEST
) -> dict[str, Checked]:
    """Return a mapping: name of a leg -> its checked vector or vectors.

    value:   mapping of leg name -> vector, or list of vectors. The module's docstring shows the
             forms of a vector.
    field:   where `value` is in the request, for error messages.
    largest: maximum absolute value of a component.

    Checks only the form and the numbers. Whether a leg accepts a vector depends on the collection.

    Raises InvalidInputError, whose field is the path of the invalid value, such as
    `vectors.dense[3]`.
    """
    if not isinstance(value, Mapping):
        raise InvalidInputError(
            f'must be an object {{"leg": vector}}, got {shown(value)}', field=field
        )
    found: dict[str, Checked] = {}
    for leg, vector in value.items():
        if not isinstance(leg, str):
            raise InvalidInputError(f"names of legs must be strings, got {shown(leg)}", field=field)
        found[leg] = check_vector(vector, f"{field}.{leg}", largest)
    return found


def check_single(value: object, field: str) -> Checked:
    """Return one checked vector, as `check_vector` does. Raises InvalidInputError for several."""
    found = check_vector(value, field)
    if isinstance(found, tuple) or (isinstance(found, np.ndarray) and found.ndim != 1):
        raise InvalidInputError("must be one vector, got several", field=field)
    return found


def check_vector(value: object, field: str, largest: float = LARGEST) -> Checked:
    """Return a checked vector, or the checked vectors of a list with one vector per passage.

    value:   a vector, or a list of vectors. The module's docstring shows the forms of a vector.
    field:   where `value` is in the request, for error messages: for example `vectors.dense`.
    largest: maximum absolute value of a component.

    Raises InvalidInputError, whose field is the path of the invalid value.
    """
    if is_array(value):
        return _dense(as_array(value, field), field, largest)
    if isinstance(value, Mapping | SparseVector):
        return _sparse(value, field, largest)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInputError(f"must be {FORMS}, got {shown(value)}", field=field)
    if not value:
        raise InvalidInputError(f"must not be empty; it must be {FORMS}", field=field)
    if isinstance(value[0], Mapping | SparseVector):
        return tuple(_sparse(one, f"{field}[{i}]", largest) for i, one in enumerate(value))
    if isinstance(value[0], list | tuple) or is_array(value[0]):
        rows = [check_vector(one, f"{field}[{i}]", largest) for i, one in enumerate(value)]
        arrays = [row for row in rows if isinstance(row, np.ndarray) and row.ndim == 1]
        if len(arrays) < len(rows) or len({len(row) for row in arrays}) > 1:
            message = "all vectors must be dense, with the same number of dimensions"
            raise InvalidInputError(message, field=field)
        return np.stack(arrays)
    return _dense(_numbers(value, field, largest), field, largest)


def is_array(value: object) -> bool:
    """Return True for an array of NumPy or another library, such as a tensor; not for a number."""
    return hasattr(value, "__array__") and not isinstance(value, np.generic)


def as_array(value: Any, field: str) -> NDArray[Any]:
    """Return an array of NumPy or another library as a NumPy array.

    Raises InvalidInputError if the library cannot convert the array, such as a tensor on a GPU.
    """
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(
            f"cannot be converted to a NumPy array ({error}); for a PyTorch tensor, pass "
            "tensor.detach().cpu().float().numpy()",
            field=field,
        ) from None


def check_matrix(
    block: NDArray[Any], field: str, first: int = 0, largest: float = LARGEST
) -> NDArray[np.float32]:
    """Return dense vectors [n, d] as float32.

    block:   array of numbers [n, d].
    field:   where the vectors are in the request or file, for error messages: for example
             `vectors.dense`.
    first:   number of the first row of `block`, for error messages: 17 in `vectors.dense[17][0]`.
    largest: maximum absolute value of a component.

    Raises InvalidInputError for an array of another shape or type, and for a number that is NaN or
    too large.
    """
    if block.ndim != 2 or not block.shape[1]:
        raise InvalidInputError(
            f"must be an array [rows, dimensions], got the shape {list(block.shape)}", field=field
        )
    if block.dtype.kind not in "fiu":
        raise InvalidInputError(f"must be an array of numbers, got {block.dtype}", field=field)
    block = _wide(block)
    fits = np.abs(block) <= largest  # NaN is invalid too.
    if not fits.all():
        row, column = (int(one) for one in np.argwhere(~fits)[0])
        raise _out_of_range(block[row, column], f"{field}[{first + row}][{column}]", largest)
    return block.astype(np.float32, copy=False)


def check_passages(value: object, text: str) -> tuple[Passage, ...]:
    """Return passages from a list of (start, end) pairs: character ranges of `text`, in order.

    Each passage must start after the start of the previous one; passages may overlap. Each must
    have a character that is not white space.

    Raises InvalidInputError for an invalid passage, and for more than `MOST_PASSAGES` passages. The
    field of the error is the path of the invalid value, such as `passages[2]`.
    """
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInputError(
            f"must be a list of [start, end], got {shown(value)}", field="passages"
        )
    if len(value) > MOST_PASSAGES:
        raise InvalidInputError(
            f"must have at most {MOST_PASSAGES:,} passages, got {len(value):,}; choose larger "
            "passages, or divide the document",
            field="passages",
        )
    found: list[Passage] = []
    for i, one in enumerate(value):
        pair = (one.start, one.end) if isinstance(one, Passage) else one
        field = f"passages[{i}]"
        if not _is_pair(pair) or not 0 <= pair[0] < pair[1] <= len(text):
            raise InvalidInputError(
                f"must be [start, end] with 0 <= start < end <= {len(text)}, got {_listing(pair)}",
                field=field,
            )
        start, end = int(pair[0]), int(pair[1])
        if found and start <= found[-1].start:
            raise InvalidInputError(
                f"must start after {found[-1].start} (the start of the previous passage), got "
                f"{_listing(pair)}; order the passages by their starts",
                field=field,
            )
        if not text[start:end].strip():
            raise InvalidInputError(
                f"has only white space, got {_listing(pair)}; leave this passage out", field=field
            )
        found.append(Passage(start, end))
    return tuple(found)


def _listing(value: object) -> str:
    """Return a short list as text with its items, and any other value as `shown` does."""
    if not isinstance(value, list | tuple) or len(value) > 3:
        return shown(value)
    return f"[{', '.join(map(shown, value))}]"


def are_passages(value: object) -> bool:
    """Return True if a JSON value is a non-empty list of pairs of integers."""
    return isinstance(value, list) and bool(value) and all(map(_is_pair, value))


def vectors_digest(vectors: Mapping[str, Checked]) -> str:
    """Return the SHA-256 of checked vectors, in hexadecimal.

    vectors: leg name -> checked vector or vectors.
    """
    digest = sha256()
    for leg, vector in sorted(vectors.items()):
        several = vector if isinstance(vector, tuple) else (vector,)
        count = len(vector) if isinstance(vector, tuple) else None
        digest.update(json.dumps([leg, count]).encode())
        for one in several:
            if isinstance(one, np.ndarray):
                digest.update(json.dumps(one.shape).encode() + one.tobytes())
            elif isinstance(one, SparseVector):
                digest.update(b"#" + one.indices.tobytes() + one.values.tobytes())
            else:
                digest.update(json.dumps(one, sort_keys=True).encode())
    return digest.hexdigest()


def vectors_size(vectors: Mapping[str, Checked]) -> int:
    """Return the estimated size of checked vectors in memory, in bytes."""
    size = 0
    for vector in vectors.values():
        for one in vector if isinstance(vector, tuple) else (vector,):
            if isinstance(one, np.ndarray):
                size += one.nbytes
            elif isinstance(one, SparseVector):
                size += one.indices.nbytes + one.values.nbytes
            else:
                size += 100 * len(one)  # A term and a number as Python objects.
    return size


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(_is_number(one, Integral) for one in value)
    )


def _is_number(value: Any, kind: type = Real) -> bool:
    """Return True for a number of the given kind that is not a boolean."""
    return isinstance(value, kind) and type(value) is not bool


def _numbers(value: Sequence[Any], field: str, largest: float) -> NDArray[np.float64]:
    """Return a list of numbers as an array. Raises InvalidInputError for other items."""
    if not set(map(type, value)) <= {float, int}:  # Fast for the usual types.
        for i, one in enumerate(value):
            if not _is_number(one):
                raise InvalidInputError(
                    f"must be a number, got {shown(one)}", field=f"{field}[{i}]"
                )
    try:
        return np.array(value, dtype=np.float64)
    except OverflowError:
        i = next(i for i, one in enumerate(value) if not -largest <= one <= largest)
        raise _out_of_range(value[i], f"{field}[{i}]", largest) from None


def _dense(array: NDArray[Any], field: str, largest: float) -> NDArray[np.float32]:
    if array.ndim == 2:
        return check_matrix(array, field, largest=largest)
    if array.ndim != 1 or not array.size:
        raise InvalidInputError(
            f"must be an array [dimensions], got the shape {list(array.shape)}", field=field
        )
    if array.dtype.kind not in "fiu":
        raise InvalidInputError(f"must be an array of numbers, got {array.dtype}", field=field)
    array = _wide(array)
    fits = np.abs(array) <= largest
    if not fits.all():
        i = int(np.argmin(fits))
        raise _out_of_range(array[i], f"{field}[{i}]", largest)
    return array.astype(np.float32, copy=False)


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array with at least 32 bits a number, because the bounds do not fit in float16."""
    return array if array.dtype.itemsize >= 4 else array.astype(np.float32)


def _out_of_range(value: Any, field: str, largest: float) -> InvalidInputError:
    return InvalidInputError(
        f"must be a number between -{largest:g} and {largest:g}, got {shown(_plain(value))}",
        field=field,
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _sparse(value: object, field: str, largest: float) -> Sparse:
    if isinstance(value, SparseVector):
        return _by_index(value.indices.tolist(), value.values.tolist(), field, largest)
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"must be an object of weights, got {shown(value)}", field=field)
    if value.keys() == {"indices", "values"} and not isinstance(value["indices"], Real):
        indices = _listed(value["indices"], f"{field}.indices")
        return _by_index(indices, _listed(value["values"], f"{field}.values"), field, largest)
    if value and all(isinstance(key, Integral) for key in value):
        return _by_index(list(value), list(value.values()), field, largest)
    for term, weight in value.items():
        if not isinstance(term, str):
            raise InvalidInputError(f"a term must be a string, got {shown(term)}", field=field)
        _check_weight(weight, f"{field}.{term}", largest)
    return {term: float(weight) for term, weight in value.items() if weight > 0}


def _listed(value: Any, field: str) -> list[Any]:
    if isinstance(value, np.ndarray):
        return list(value.tolist()) if value.ndim == 1 else [value]
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise InvalidInputError(f"must be a list, got {shown(value)}", field=field)
    return list(value)


def _by_index(indices: list[Any], values: list[Any], field: str, largest: float) -> SparseVector:
    if len(indices) != len(values):
        raise InvalidInputError(
            f"`indices` and `values` must have the same length, got {len(indices)} and "
            f"{len(values)}",
            field=field,
        )
    for i, (index, weight) in enumerate(zip(indices, values, strict=True)):
        if not _is_number(index, Integral) or not 0 <= index <= MOST_INDEX:
            raise InvalidInputError(
                f"must be an integer between 0 and {MOST_INDEX:,}, got {shown(index)}",
                field=f"{field}.indices[{i}]",
            )
        _check_weight(weight, f"{field}.values[{i}]", largest)
    found = np.array(indices, dtype=np.int64)
    weights = np.array(values, dtype=np.float32)
    order = np.argsort(found, kind="stable")
    found, weights = found[order], weights[order]
    if len(twice := found[1:][found[1:] == found[:-1]]):
        raise InvalidInputError(
            f"must name each index once, got {int(twice[0])} twice", field=f"{field}.indices"
        )
    kept = weights > 0
    return SparseVector(found[kept], weights[kept])


def _check_weight(value: Any, field: str, largest: float) -> None:
    if not _is_number(value) or not 0 <= value <= largest:
        raise InvalidInputError(
            f"a weight must be a number between 0 and {largest:g}, got {shown(_plain(value))}",
            field=field,
        )
