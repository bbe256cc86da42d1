"""Contents in an S3-compatible store, by obstore (the Rust object_store)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore, S3Store

from consortium.documents.content import Kept, StoreAwayError, key_of, named, packed, unpacked
from consortium.errors import PermanentError

_TIMEOUT = timedelta(seconds=20)
_MISSING = (FileNotFoundError, NotFoundError)
_FAILED = (BaseError, OSError)
"""obstore raises Python's own errors where there is one for it."""


def s3(url: str, options: Mapping[str, str]) -> BucketStore:
    """Open s3://bucket/prefix. Raises PermanentError for options that do not exist."""
    parts = urlsplit(url)
    plain = options.get("endpoint", "").startswith("http://")
    try:
        store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=cast("Any", dict(options)),
            client_options={"timeout": _TIMEOUT, "allow_http": plain},
            retry_config={"max_retries": 3, "retry_timeout": _TIMEOUT},
        )
    except BaseError as error:
        raise PermanentError(f"documents_store_options: {error}") from error
    return BucketStore(store, url)


class BucketStore:
    """A bucket, or a prefix in one. A content appears there whole or not at all."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        """`name`: what people call it."""
        self._store = store
        self._name = name

    def put(self, sha256: bytes, data: bytes) -> None:
        """As `ContentStore.put`."""
        if self.has(sha256):
            return
        try:
            obstore.put(self._store, key_of(sha256), packed(data))
        except _FAILED as error:
            raise self._away(error) from error

    def get(self, sha256: bytes) -> bytes | None:
        """As `ContentStore.get`."""
        try:
            kept = obstore.get(self._store, key_of(sha256)).bytes()
        except _MISSING:
            return None
        except _FAILED as error:
            raise self._away(error) from error
        return unpacked(sha256, kept.to_bytes())

    def has(self, sha256: bytes) -> bool:
        """As `ContentStore.has`."""
        try:
            obstore.head(self._store, key_of(sha256))
        except _MISSING:
            return False
        except _FAILED as error:
            raise self._away(error) from error
        return True

    def all(self) -> Iterator[Kept]:
        """As `ContentStore.all`."""
        try:
            for page in obstore.list(self._store):
                for one in page:
                    sha256 = named(one["path"].rpartition("/")[2])
                    if sha256 is not None:
                        yield Kept(sha256, one["size"], one["last_modified"])
        except _FAILED as error:
            raise self._away(error) from error

    def remove(self, sha256: bytes) -> None:
        """As `ContentStore.remove`."""
        try:
            obstore.delete(self._store, key_of(sha256))
        except _MISSING:
            return
        except _FAILED as error:
            raise self._away(error) from error

    def remove_unfinished(self, before: datetime) -> int:
        """As `ContentStore.remove_unfinished`: a bucket shows nothing that is half written."""
        del before
        return 0

    def _away(self, error: Exception) -> StoreAwayError:
        return StoreAwayError(f"the documents' store {self._name} cannot be used ({type(error).__name__})")
