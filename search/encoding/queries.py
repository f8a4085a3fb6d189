"""Encodes the queries of searches. A text is encoded once for all legs that share an encoder."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...core import (
    UNGUARDED,
    Document,
    Guard,
    InvalidInputError,
    Representation,
    TermCounts,
    Usage,
    add_usages,
)
from ...encoders import EncoderConfig, Languages, LexicalEncoder, detects_languages
from ...encoders.lexical.encoder import Token
from ...encoders.lexical.multilingual import markers
from ...index import CollectionConfig, LexicalLeg, SparseLeg
from ..recent import digest
from ..request import SearchRequest
from .batches import QueryBatches
from .brought import BroughtVectors
from .languages import CollectionLanguages, multilingual
from .leg_encoders import LegEncoders
from .query_cache import CACHE_HIT, QUERY_CACHE, Key, as_cache_hit, copy_row
from .usage import usage_share

_MAX_BATCH = 1_024
"""Maximum number of queries of one leg that are encoded in one batch."""


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A query, encoded for each leg of a search.

    legs:     the query's representation (one row) for each leg, in the order of the legs.
    languages: leg -> languages whose rules were applied to the query, for lexical legs that detect
              languages.
    usage:    usage of language models; None if no encoder uses one. A query taken from the cache
              adds 1 to `cache_hits`. Legs that share an encoder count once.
    warnings: one message for each leg whose encoder cut off the end of the query.
    """

    legs: Sequence[Representation]
    languages: Mapping[str, Languages]
    usage: Usage | None
    warnings: Sequence[str]


class QueryEncoder:
    """Encodes queries for the legs of a collection, and caches the results. Thread-safe.

    languages: the languages of the collection's passages.
    """

    def __init__(
        self,
        config: CollectionConfig,
        encoders: LegEncoders,
        languages: CollectionLanguages,
    ) -> None:
        self._config = config
        self._encoders = encoders
        self._brought = BroughtVectors(config, encoders)
        self._known = languages
        self._owner = object()
        self._batches: dict[EncoderConfig, QueryBatches] = {}
        self._usage: Usage | None = None
        self._lock = threading.Lock()

    @property
    def config(self) -> CollectionConfig:
        """Return the configuration of the collection when it was opened."""
        return self._config

    @property
    def usage(self) -> Usage | None:
        """Return the total usage of language models for queries; None if no model was used."""
        return self._usage

    def unloaded(self, legs: Iterable[str]) -> list[str]:
        """Return the legs whose encoders are not loaded yet."""
        return [leg for leg in legs if not self._encoders.is_loaded(leg)]

    def load(self, legs: Iterable[str]) -> None:
        """Load the encoders of the legs. Raises the errors of loading an encoder."""
        for leg in legs:
            _ = self._encoders[leg]

    def encode(
        self, legs: Sequence[str], request: SearchRequest, guard: Guard = UNGUARDED
    ) -> EncodedQuery:
        """Return the query of a request, encoded for each leg named in `legs`.

        A model encodes the queries of concurrent searches together; see `QueryBatches`.

        Raises InvalidInputError for a query vector that a leg does not accept.
        """
        taken: dict[Key, Representation] = {}
        found = []
        languages: dict[str, Languages] = {}
        warnings = []
        for leg in legs:
            if leg in request.vectors:
                found.append(self._brought.query(leg, request.vectors[leg]))
                continue
            assert request.query is not None, "checked by plan()"
            if not self._config.legs[leg].encoder.encodes_text:
                raise InvalidInputError(no_text(leg), field=f"vectors.{leg}")
            own = self._languages(leg, request.query, request.language)
            if own:
                languages[leg] = own
            query = self._encoded_text(leg, request.query, taken, guard, own)
            if query.truncated is not None and query.truncated.any():
                warnings.append(
                    f"leg {leg}: the query is too long for the encoder, so its end was ignored"
                )
            found.append(query)
        usage = None
        for representation in taken.values():
            usage = add_usages(usage, representation.usage)
        return EncodedQuery(found, languages, usage, warnings)

    def prepare(self, texts: Mapping[str, Sequence[str]]) -> None:
        """Encode the queries of each leg in one batch, and put them into the cache.

        A later call of `encode` takes the encoded queries from the cache. Legs that detect
        languages are skipped, because their encoding is fast.

        texts: leg -> query texts.
        """
        for leg, queries in texts.items():
            if not self._config.legs[leg].encoder.encodes_text:
                continue  # `encode` reports it, with the number of the request.
            if detects_languages(self._encoders.key(leg)):
                continue
            distinct = list(dict.fromkeys(queries))
            missing = [t for t in distinct if QUERY_CACHE.get(self._key(leg, t)) is None]
            missing = missing[:_MAX_BATCH]
            if missing:
                batch = self._encoders[leg].encode(missing, role="query")
                self._count(batch.usage)
                for i, text in enumerate(missing):
                    usage = usage_share(batch.usage, i, len(missing))
                    row = replace(copy_row(batch.at(i)), usage=usage)
                    QUERY_CACHE.put(self._key(leg, text), row)

    def passage_terms(
        self, leg: str, documents: Sequence[Document], texts: Sequence[str]
    ) -> list[TermCounts]:
        """Return the terms of passages, as a lexical leg indexes them.

        texts:     the text of each passage.
        documents: the document of each passage. If the leg detects languages, the document
                   determines the language of the passage.
        """
        encoder = multilingual(self._encoders, leg)
        if encoder is None:
            found = self._encoders[leg].encode(texts, role="document").terms
            assert found is not None, "the encoder of a lexical leg returns terms"
            return [{term: int(count) for term, count in one.items()} for one in found]
        found = encoder.encode(
            texts,
            role="document",
            languages=[encoder.document_languages(document) for document in documents],
            titles=[document.title for document in documents],
        ).terms
        assert found is not None, "a lexical encoder returns terms"
        marks = frozenset(markers(encoder.config).values())
        return [
            {term: int(count) for term, count in one.items() if term not in marks} for one in found
        ]

    def query_tokens(self, leg: str, request: SearchRequest) -> list[Sequence[Token]]:
        """Return the terms of a query in a lexical leg, with their places in the query.

        The result has one list for each language in which the query is analysed. There are several
        languages if the language of the query is uncertain. The result is empty for an encoder that
        does not return the places of terms.
        """
        assert request.query is not None, "checked by the caller"
        encoder = self._encoders[leg]
        if isinstance(encoder, LexicalEncoder):
            return [encoder.tokens(request.query)]
        several = multilingual(self._encoders, leg)
        if several is None:
            return []
        languages = self._languages(leg, request.query, request.language)
        return [several.analyzer(code).tokens(request.query) for code in languages]

    def document_tokens(self, leg: str, document: Document, text: str) -> Sequence[Token]:
        """Return the terms of a document's text in a lexical leg, with their places in the text."""
        analyzer = self.analyzer(leg, document)
        return [] if analyzer is None else analyzer.tokens(text)

    def analyzer(self, leg: str, document: Document) -> LexicalEncoder | None:
        """Return the analyzer of a document's text in a lexical leg.

        None: the leg has an encoder that does not return the places of terms.
        """
        encoder = self._encoders[leg]
        several = multilingual(self._encoders, leg)
        if several is not None:
            return several.analyzer(several.document_languages(document)[0])
        return encoder if isinstance(encoder, LexicalEncoder) else None

    def encode_passages(self, leg: str, texts: Sequence[str]) -> Representation:
        """Encode the texts of passages for a leg. Raises the errors of the leg's encoder."""
        found = self._encoders[leg].encode(texts, role="document")
        self._count(found.usage)
        return found

    def sparse_query(self, leg: str, weights: Mapping[int, float]) -> Representation:
        """Return a query of a sparse leg. weights: vocabulary index -> weight."""
        return self._brought.sparse_query(leg, weights)

    def is_sparse(self, leg: str) -> bool:
        """Return True if the leg is a learned sparse leg."""
        return isinstance(self._config.legs[leg], SparseLeg)

    def name(self, leg: str, term: str) -> str:
        """Return the readable form of a term of a leg.

        A term of a sparse leg is an index of the vocabulary as a decimal string; the word piece
        with this index is returned. Terms of other legs are returned unchanged.
        """
        return self._encoders[leg].term(int(term)) if self.is_sparse(leg) else term

    def _languages(self, leg: str, text: str, language: str | None) -> Languages:
        """Return the languages whose rules a leg applies to a query.

        Returns () for a leg that does not detect languages.

        language: the language of the query; None if it is unknown.
        """
        encoder = multilingual(self._encoders, leg)
        if encoder is None:
            return ()
        return encoder.query_languages(text, language, self._known.passages(leg))

    def _encoded_text(
        self,
        leg: str,
        text: str,
        taken: dict[Key, Representation],
        guard: Guard,
        languages: Languages = (),
    ) -> Representation:
        """Return a query text encoded for a leg, from `taken`, the cache or the encoder.

        taken: representations already used for this request. The method adds the one that it
               returns.
        languages: the result of `_languages` for this leg and text.
        """
        key = self._key(leg, text, languages)
        if key not in taken:
            found = QUERY_CACHE.get(key, as_cache_hit)
            if found is None:
                encoder = multilingual(self._encoders, leg)
                if encoder is not None:
                    found = encoder.encode([text], role="query", languages=[languages])
                elif isinstance(self._config.legs[leg], LexicalLeg):
                    found = self._encoders[leg].encode([text], role="query")
                else:
                    found = self._batched(leg).encode(text, guard.check)
                self._count(found.usage)
                QUERY_CACHE.put(key, as_cache_hit(found))
            elif found.usage == CACHE_HIT:  # `prepare` has counted any other usage already.
                self._count(found.usage)
            taken[key] = found
        return taken[key]

    def _batched(self, leg: str) -> QueryBatches:
        """Return the batches of a leg's encoder."""
        key, encoder = self._encoders.key(leg), self._encoders[leg]
        with self._lock:
            if key not in self._batches:
                self._batches[key] = QueryBatches(partial(encoder.encode, role="query"))
            return self._batches[key]

    def close(self) -> None:
        """Remove this object's queries from the query cache, which the whole process shares."""
        QUERY_CACHE.forget(self._owner)

    def _key(self, leg: str, text: str, languages: Languages = ()) -> Key:
        mark = f"{','.join(languages)}\0" if languages else ""
        return self._owner, self._encoders.key(leg), digest(mark + text)

    def _count(self, usage: Usage | None) -> None:
        with self._lock:
            self._usage = add_usages(self._usage, usage)


def no_text(leg: str) -> str:
    """Return the error text for a leg that needs a query vector, because it encodes no text."""
    return (
        f"leg {leg!r} encodes no text, because its encoder is external; set `vectors.{leg}` in the "
        "request, or build the collection with a query encoder (kind: pair)"
    )
