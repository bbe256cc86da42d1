"""Campuses' own repositories, asked for documents that stay there (ITI-43 as a consumer).

A source that does not answer costs its timeout once: until its pause is over it is not asked again, and it
never has more than a few of our requests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

import httpx

from adapters.ihe.client import Client
from bus.ihe.document_sets import Reference, Retrieved, read_retrieved, written_wanted
from consortium.errors import PermanentError, RetryableError
from runtime.documents import DocumentSource

RETRIEVE = "urn:ihe:iti:2007:RetrieveDocumentSet"
AT_ONCE = 4
"""Most requests to one source at the same time."""


class SourceAwayError(RetryableError):
    """A campus's repository did not answer; the text names it."""


class Source:
    """One campus's repository."""

    def __init__(
        self, spec: DocumentSource, answer_limit: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`answer_limit`: bytes; `clock`: seconds."""
        self.spec = spec
        self._limit = answer_limit
        self._clock = clock
        self._away_until = -1.0
        self._places = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, wanted: Sequence[Reference]) -> list[Retrieved]:
        """Return those of the documents that it gave. Raises SourceAwayError."""
        name, timeout = self.spec.name, self.spec.timeout_seconds
        if self._clock() < self._away_until:
            raise SourceAwayError(f"{name} did not answer a moment ago")
        asked = False
        try:
            async with asyncio.timeout(timeout), self._places:
                asked = True
                found = await self._asked(wanted)
        except TimeoutError as error:
            if not asked:  # that others wait for it does not mean that it is away
                raise SourceAwayError(f"{name} has too much to answer at the moment") from error
            self._away()
            raise SourceAwayError(f"{name} did not answer within {timeout:g} s") from error
        except RetryableError as error:
            self._away()
            raise SourceAwayError(f"{name} is out of reach: {error}") from error
        except PermanentError as error:
            raise SourceAwayError(f"{name} {error}") from error
        return [one for one in found if one.reference in set(wanted)]

    def _away(self) -> None:
        self._away_until = self._clock() + self.spec.pause_seconds

    async def _asked(self, wanted: Sequence[Reference]) -> list[Retrieved]:
        auth = httpx.BasicAuth(self.spec.user, self.spec.password) if self.spec.user else None
        # A proxy of the environment would see patients' data; a redirect would send them elsewhere.
        async with httpx.AsyncClient(auth=auth, timeout=None, trust_env=False) as client:  # noqa: S113 - around it
            answer = await Client(client, self._limit).call(self.spec.url, RETRIEVE, written_wanted(wanted))
        found, _ = read_retrieved(answer.payload, answer.content_of)
        return [_as_asked(one, wanted) for one in found]


def _as_asked(one: Retrieved, wanted: Iterable[Reference]) -> Retrieved:
    """Give a document the reference it was asked by: some answer without the home community."""
    for asked in wanted:
        if (asked.repository, asked.unique_id) == (one.reference.repository, one.reference.unique_id):
            return Retrieved(asked, one.mime_type, one.content)
    return one


class Sources:
    """All of them, by repositoryUniqueId."""

    def __init__(self, specs: Iterable[DocumentSource], answer_limit: int) -> None:
        self._sources = {spec.repository: Source(spec, answer_limit) for spec in specs}

    def get(self, repository: str) -> Source | None:
        """Return a source; None: no repository of this id is known."""
        return self._sources.get(repository)
