"""A collection with its encoders: the interface for programs, the command line and REST."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

from ..core import (
    ConflictError,
    Document,
    InvalidInputError,
    NoProgress,
    NotFoundError,
    Progress,
    Usage,
    WriteReport,
    add_usages,
)
from ..core.arguments import checked
from ..core.closing import Closing
from ..core.errors import shown
from ..core.filters import Condition, Filter, parse_filter
from ..core.near import did_you_mean
from ..encoders import Encoder, EncoderLoader, detects_languages, load_encoder
from ..index import (
    CollectionConfig,
    LocalStore,
    RestrictedStore,
    Store,
    Transaction,
    Verify,
    check_free,
    require,
    restricted,
)
from ..index.models import absolute, model_names
from ..sources import check_document as converted
from ..sources import with_vectors
from . import parameters
from .answering.generators import GeneratorRegistry
from .answering.methods import AnswerMethods
from .config_difference import config_difference
from .documents import DocumentMethods
from .encoding.languages import CollectionLanguages, HiddenLanguages, Languages
from .encoding.leg_encoders import LegEncoders
from .encoding.queries import QueryEncoder
from .encoding.usage import SpentUsage
from .finding.rerankers import RerankerRegistry
from .finding.rewriters import RewriterRegistry
from .info import describe
from .recent import Recent
from .request import SearchRequest
from .writing.changing.methods import ChangeMethods
from .writing.cutting import check_document
from .writing.ingest import Refused, writable
from .writing.upkeep import Upkeep
from .writing.versions import HistoryMethods
from .writing.writer import Writer

_PARTS = 64
"""Maximum number of parts of a collection that are kept; see `Collection.within`."""


class Collection(Closing, DocumentMethods, ChangeMethods, AnswerMethods, HistoryMethods):
    """Search and change a collection of documents in a folder.

    Thread-safe. Several processes may open the same collection.

    >>> collection = Collection.open_or_create("my-index")                   # doctest: +SKIP
    >>> collection.add([{"id": "1", "text": "The kiwi cannot fly."}])    # doctest: +SKIP
    >>> [hit.id for hit in collection.search("flightless bird").hits]    # doctest: +SKIP
    ['1']
    """

    def __init__(
        self,
        store: Store,
        encoders: LegEncoders,
        *,
        read_only: bool = False,
        rerankers: RerankerRegistry | None = None,
        generators: GeneratorRegistry | None = None,
        rewriters: RewriterRegistry | None = None,
    ) -> None:
        self.store = store
        self.rerankers = rerankers or RerankerRegistry()
        self.generators = generators or GeneratorRegistry()
        self.rewriters = rewriters or RewriterRegistry()
        self.path = store.directory
        self.read_only = read_only
        self._encoders = encoders
        self._languages: Languages = (languages := CollectionLanguages(store, encoders))
        self._queries = QueryEncoder(store.config, encoders, languages)
        self._upkeep = Upkeep(store)
        self._spent = SpentUsage()
        self._parts: Recent[Condition, Self] = Recent(_PARTS, lambda part: 1)

    @classmethod
    @checked(**parameters.CREATE)
    def create(
        cls,
        path: Path | str,
        config: CollectionConfig | None = None,
        *,
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
        generators: GeneratorRegistry | None = None,
        rewriters: RewriterRegistry | None = None,
    ) -> Collection:
        """Create an empty collection in the folder `path`.

        Loads the encoders before it creates the folder, so a missing model leaves no folder behind.
        Stores the paths of model folders as absolute paths.

        Raises ModelError or ConfigError for an encoder that cannot be loaded. Raises ConflictError
        if the folder already holds a collection or other files; hidden files are allowed.
        """
        check_free(Path(path))
        legs = LegEncoders(config := absolute(config or CollectionConfig(), encoders), encoders)
        legs.fingerprints()
        legs.check_widths()
        store = LocalStore.create(Path(path), config)
        return cls(store, legs, rerankers=rerankers, generators=generators, rewriters=rewriters)

    @classmethod
    @checked(**parameters.OPEN)
    def open(
        cls,
        path: Path | str,
        *,
        read_only: bool = False,
        verify: Verify = "full",
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
        generators: GeneratorRegistry | None = None,
        rewriters: RewriterRegistry | None = None,
        models: Sequence[str] = (),
    ) -> Collection:
        """Open the collection in the folder `path`, with the configuration that is stored there.

        verify: "full" compares the checksum of every file; "size" compares only the file sizes.
        encoders: function that loads the encoders. It is not stored: if you created the collection
            with encoders of your own, pass the function again.
        rerankers: the rerankers that `rerank.model` of a search request can select by name.
        generators: the generators that `generator` of an answer request can select by name.
        rewriters: the rewriters that `rewrite` of a search or answer request can select by name.
        models: names or folders of other models. If a model is missing at its stored path, one of
            these models with the same weights is used instead.

        Raises NotFoundError if there is no collection, ConflictError for an unfinished build, and
        CorruptFileError for a damaged file; the error names the file.
        """
        store = LocalStore.open(Path(path), verify=verify, read_only=read_only)
        legs = LegEncoders(store.config, encoders, models)
        return cls(
            store,
            legs,
            read_only=read_only,
            rerankers=rerankers,
            generators=generators,
            rewriters=rewriters,
        )

    @classmethod
    @checked(**parameters.CREATE)
    def open_or_create(
        cls,
        path: Path | str,
        config: CollectionConfig | None = None,
        *,
        encoders: EncoderLoader = load_encoder,
        rerankers: RerankerRegistry | None = None,
        generators: GeneratorRegistry | None = None,
        rewriters: RewriterRegistry | None = None,
    ) -> Collection:
        """Open the collection in the folder `path`, or create it if there is none.

        Raises ConfigError if an existing collection's configuration differs from `config`, apart
        from the devices and paths of models. If `config` is None, any existing configuration is
        accepted. Also raises the errors of `open` and `create`.
        """
        names = model_names(absolute(config or CollectionConfig(), encoders))
        options: dict[str, Any] = {
            "encoders": encoders,
            "rerankers": rerankers,
            "generators": generators,
            "rewriters": rewriters,
        }
        try:
            collection = cls.open(path, models=names, **options)
        except NotFoundError:
            check_free(Path(path))
            try:
                return cls.create(path, config, **options)
            except ConflictError:  # Another process created it in the meantime.
                collection = cls.open(path, models=names, **options)
        error = None if config is None else config_difference(collection.store, config)
        if error is not None:
            collection.close()
            raise error
        return collection

    def load(self) -> None:
        """Load the models and compile the numeric code now, so that the first search is fast."""
        self._load_fingerprints()
        self._encoders.fingerprints()
        for leg in self.config.legs.values():
            leg.warm()
        mute = [name for name, leg in self.config.legs.items() if not leg.encoder.encodes_text]
        vectors = {
            name: [1.0] * self._encoders.width(name)
            if self.config.legs[name].kind == "dense"
            else {"indices": [0], "values": [1.0]}
            for name in mute
            if self.config.legs[name].role == "search"
        }
        self.search(SearchRequest(query="warm", vectors=vectors, limit=1))

    @checked(**parameters.DELETE_WHERE)
    def within(self, filter: Filter) -> Self:  # noqa: A002
        """Return the part of the collection that meets a filter, as a collection.

        All its methods read, count, write and delete only documents that meet the filter. Encoders
        and files are shared. Scores are those of the whole collection, whose statistics of terms
        count all documents. Methods that maintain files raise UnsupportedByStoreError.

        A write of a document that does not meet the filter raises InvalidInputError. A write with
        the id of a document outside the part raises ConflictError.
        """
        condition = parse_filter(filter)
        assert condition is not None, "checked"
        if (part := self._parts.get(condition)) is None:
            part = copy(self)
            part.store = restricted(self.store, condition)
            part._parts = Recent(_PARTS, lambda part: 1)
            part._languages = HiddenLanguages()
            self._parts.put(condition, part)
        return part

    def __repr__(self) -> str:
        return f"Collection({str(self.path)!r})"

    @property
    def config(self) -> CollectionConfig:
        """Return the collection's current configuration; see `LocalStore.config`."""
        return self.store.config

    # -- documents -------------------------------------------------------------------------

    @checked(**parameters.ADD)
    def add(
        self,
        documents: Iterable[Document | Mapping[str, object]],
        *,
        vectors: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        record: Callable[[Transaction, WriteReport], None] | None = None,
        refused: Refused | None = None,
    ) -> WriteReport:
        """Insert documents, and replace stored documents that have the same id.

        The documents are durable when the method returns.

        A document that is a mapping has the keys `id` (or `_id`), `text`, `title`, `metadata`,
        `vectors` and `passages`. Documents already stored with the same title, text and metadata
        are skipped and counted as `unchanged` in the report. Documents with their own vectors or
        passages are never skipped.

        Large inputs are written in batches, each with at most about a minute of encoding. Each
        batch is one transaction, even if other threads and processes write at the same time.

        vectors: leg -> the documents' vectors, row n for document n: an array [rows, dimensions], a
            sparse matrix of SciPy, or an iterable of vectors. See `twindex.sources.with_vectors`.
        record: function called in the transaction of each batch, with the report on all batches up
            to and including this one. No document of a later batch has been read from `documents`
            by then. Not called for a batch in which every document is skipped.
        refused: function called with each document that cannot be written, and the error. The
            document is then skipped. None: the error is raised. See `check_document`.

        An error in the middle of the input leaves the earlier batches written. The attribute
        `written` of the error is the number of documents in these batches. The text of the error
        ends with this number.
        """
        self._require_writable()
        if record is not None:
            require(self.store, "transactions")
        if vectors is not None:
            documents = with_vectors(documents, vectors)
        writer = self._writer(progress, record=record)
        for _ in writer.write(writable(documents, self.config, self._encoders, refused)):
            self._upkeep.after_write()
        return writer.report

    def _writer(self, progress: Progress | None, **hooks: Any) -> Writer:
        """Return a Writer for this collection. hooks: Writer's arguments `record` and `skip`."""
        return Writer(
            self.store,
            self._encoders,
            bind=self._bind_encoders,
            count=self._count,
            progress=progress or NoProgress(),
            **hooks,
        )

    def check_document(self, document: Document) -> None:
        """Raise InvalidInputError if `add` would refuse the document.

        Reasons are an invalid field, a vector that the collection's legs do not accept, and a text
        that would be cut into too many passages.
        """
        if not isinstance(document, Document):
            raise InvalidInputError(f"must be a Document, got {shown(document)}", field="document")
        document = converted(document)
        check_document(document, self.config, self._encoders)
        if isinstance(self.store, RestrictedStore):
            self.store.check(document)

    # -- collection -------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return counts, sizes, legs and configuration as JSON values; see `search.info.describe`.

        The entry "maintenance_error" is the error of the last background maintenance, or None.
        """
        return {
            **describe(self.store, self._languages),
            "maintenance_error": self._upkeep.failure,
        }

    def encoder(self, leg: str) -> Encoder:
        """Return the encoder of a leg. The first call loads it.

        Raises InvalidInputError for an unknown leg, and EncoderMismatchError if the encoder is not
        the one that encoded the collection.
        """
        if not isinstance(leg, str) or leg not in self.config.legs:
            near = did_you_mean(str(leg), self.config.legs)
            raise InvalidInputError(f"there is no leg {leg!r}{near}", field="leg")
        self._load_fingerprints()
        return self._encoders[leg]

    @property
    def languages(self) -> dict[str, Mapping[str, int]]:
        """Return lexical leg -> language -> number of passages, for legs that detect languages."""
        return {
            name: self._languages.passages(name)
            for name, leg in self.store.config.legs.items()
            if detects_languages(leg.encoder)
        }

    @property
    def usage(self) -> Usage | None:
        """Return the total usage of language models and rerankers since the collection was opened.

        Includes the usage of failed searches and writes. None if no model was used.
        """
        encoded = add_usages(self._queries.usage, self._encoders.usage)
        return add_usages(self._spent.total, encoded)

    def close(self) -> None:
        """Wait for running maintenance and close the files. Does nothing for a part."""
        if isinstance(self.store, RestrictedStore):
            return
        self._upkeep.close()
        self._queries.close()
        self.store.close()

    def _bind_encoders(self) -> None:
        """Before a write: store the encoders' fingerprints, or compare them with the stored ones.

        Raises EncoderMismatchError if an encoder's fingerprint differs from the stored one.
        """
        self._load_fingerprints()
        own = self._encoders.fingerprints()
        if not self._encoders.complete:
            self._encoders.set_stored_fingerprints(self.store.bind(own))
            self._encoders.fingerprints()
