"""Arguments that most commands share: folder, output, models, legs and filters."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ....core import BarProgress, InvalidInputError, NoProgress, Progress, SourceError
from ....core.config import Device
from ....core.filters.help import FILTER_HELP
from ....index import VectorSearch
from ....search import Fusion
from ...serving.settings import option

if TYPE_CHECKING:
    from ....encoders import EncoderLoader

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def share_cores() -> None:
    """Let waiting threads of OpenMP sleep. Call it before a model library is imported.

    By default, waiting threads spin. Encoding then becomes several times slower if other programs
    use the same cores. Keeps the value of OMP_WAIT_POLICY if the user has set it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def add_collection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "collection", metavar="DIR", type=parse_folder, help="folder of the collection"
    )


def add_json(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet` and `--json`."""
    add_quiet(parser)
    add_json(parser)


def add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-download",
        action="store_true",
        help="download models that are not on this machine (default: no network access)",
    )


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-download` and `--device`."""
    add_download(parser)
    parser.add_argument(
        "--device",
        choices=get_args(Device),
        help="device that runs the models; not stored in the collection (default: as configured, "
        "else auto, which uses CUDA if available)",
    )


def add_allowed_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        action="append",
        default=[],
        metavar="NAME_OR_FOLDER",
        help="an additional model that requests may use; may be repeated. Requests may always use "
        "the models of the served collections and rerankers, of installed packages and of the "
        "Hugging Face cache (default: the models in TWINDEX_MODELS)",
    )


def allow_models(arguments: argparse.Namespace) -> None:
    """Copy `--models` to TWINDEX_MODELS, which the settings and the model resolver read."""
    if arguments.models:
        os.environ["TWINDEX_MODELS"] = ",".join(arguments.models)


def loader_of(arguments: argparse.Namespace) -> EncoderLoader:
    """Return a function that loads encoders. Permits downloads if `--allow-download` is given."""
    from ....encoders import load_encoder

    allow_download(arguments)
    return partial(load_encoder, device=arguments.device)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that select legs, fusion, filter, depth and search parameters."""
    parser.add_argument(
        "--legs",
        type=parse_legs,
        metavar="LEG[=WEIGHT],...",
        help="legs to run, e.g. dense,sparse=0.5,lexical (default: all except those for "
        "reranking, each with weight 1)",
    )
    parser.add_argument(
        "--fusion",
        choices=get_args(Fusion.model_fields["method"].annotation),
        help="how the result lists of the legs are combined (default: minmax)",
    )
    parser.add_argument("--rrf-k", type=int, metavar="K", help="k of --fusion rrf (default: 60)")
    add_filter(parser)
    parser.add_argument(
        "--depth", type=int, metavar="N", help="results to take from each leg (default: 1000)"
    )
    parser.add_argument(
        "--query-language",
        metavar="CODE",
        help="language of the query, such as de, for a lexical leg that detects languages "
        "(default: detected)",
    )
    search = parser.add_mutually_exclusive_group()
    search.add_argument(
        "--recall",
        type=float,
        metavar="X",
        help="recall target: share of the true nearest vectors that dense legs should find "
        "(default: as the collection is configured)",
    )
    search.add_argument(
        "--exact",
        action="store_true",
        help="compare the query with every vector of the dense legs (recall 1)",
    )
    search.add_argument(
        "--search",
        type=parse_search,
        metavar="NAME=N,...",
        help="search parameters of dense legs, instead of a recall target: nprobe (ivf, scann, "
        "spann), ef (hnsw), oversample; e.g. nprobe=17,oversample=4",
    )


def add_filter(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--filter",
        type=parse_filter,
        metavar="JSON",
        help=FILTER_HELP.replace("%", "%%"),
    )


def selection_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return field of SearchRequest -> value, for the options of `add_selection` that are given."""
    fields = given(arguments, ("filter", "depth"))
    if arguments.query_language is not None:
        fields["language"] = arguments.query_language
    if arguments.legs:
        fields["legs"] = arguments.legs
    recall = 1.0 if arguments.exact else arguments.recall
    if recall is not None:
        fields["search"] = {"recall": recall}
    elif arguments.search is not None:
        fields["search"] = arguments.search
    if arguments.rrf_k is not None and arguments.fusion != "rrf":
        raise InvalidInputError("requires --fusion rrf", field="--rrf-k")
    if arguments.fusion:
        if arguments.legs and len(arguments.legs) == 1:
            raise InvalidInputError("requires several legs in --legs", field="--fusion")
        k = {} if arguments.rrf_k is None else {"k": arguments.rrf_k}
        fields["fusion"] = {"method": arguments.fusion, **k}
    return fields


def parse_folder(text: str) -> Path:
    """Return the path of a folder, which need not exist. Raises ArgumentTypeError for a file."""
    path = Path(text)
    if os.path.exists(path) and not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{text} is a file; name a folder")
    return path


def parse_legs(text: str) -> list[dict[str, Any]]:
    """Parse `dense,sparse=0.5` into [{"name": "dense"}, {"name": "sparse", "weight": 0.5}]."""
    legs: list[dict[str, Any]] = []
    for item in text.split(","):
        name, equals, weight = item.strip().partition("=")
        leg: dict[str, Any] = {"name": name}
        if equals:
            try:
                leg["weight"] = float(weight)
            except ValueError:
                message = f"{item.strip()!r}: the weight must be a number, as in dense=0.5"
                raise argparse.ArgumentTypeError(message) from None
        if not name:
            raise argparse.ArgumentTypeError("a leg has no name; write e.g. dense,lexical=0.5")
        legs.append(leg)
    return legs


def parse_search(text: str) -> dict[str, int]:
    """Parse `nprobe=17,oversample=4` into {"nprobe": 17, "oversample": 4}."""
    found: dict[str, int] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        known = [field for field in VectorSearch.model_fields if field != "recall"]
        if name not in known or name in found or not re.fullmatch(r"\d+", value):
            raise argparse.ArgumentTypeError(
                "must have the form NAME=N (such as nprobe=17), with each name once, got "
                f"{item.strip()!r}; the names are {', '.join(known)}"
            )
        found[name] = int(value)
    return found


def parse_filter(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"the filter is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError('the filter must be a JSON object, as in {"lang": "en"}')
    return value


def parse_bytes(text: str) -> int:
    """Parse `2GB`, `500 MB`, `1.5GiB` or plain bytes into a number of bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", text.strip().lower())
    factor = {**_UNITS, **_BINARY_UNITS}.get(match[2]) if match else None
    if match is None or factor is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write e.g. 2GB or 1500MiB")
    return int(float(match[1]) * factor)


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Return name -> value of the arguments in `names` that are not None."""
    found = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def errors_name_options(arguments: argparse.Namespace, **renamed: str) -> Iterator[None]:
    """Return a context manager. In its block, errors name options instead of Python arguments.

    renamed: Python argument -> option, for options with a different name.
    """
    try:
        yield
    except SourceError:
        raise
    except InvalidInputError as error:
        field = error.field or ""
        if field not in {**vars(arguments), **renamed}:
            raise
        raise type(error)(error.message, field=renamed.get(field, option(field))) from None


def progress_of(arguments: argparse.Namespace) -> Progress:
    return NoProgress() if arguments.quiet else BarProgress()


def allow_download(arguments: argparse.Namespace) -> None:
    """Set TWINDEX_ALLOW_DOWNLOAD if `--allow-download` is given. The model resolver reads it."""
    if arguments.allow_download:
        os.environ["TWINDEX_ALLOW_DOWNLOAD"] = "1"


def add_as_of(parser: argparse.ArgumentParser) -> None:
    """Add `--as-of`."""
    parser.add_argument(
        "--as-of",
        metavar="COMMIT",
        help="read the state after an earlier commit, in a collection that keeps a history: the "
        "number of the commit, or a time such as 2026-05-04T12:00:00Z",
    )
