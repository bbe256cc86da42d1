"""The character set of each campus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bus.hl7.charset import codec_for
from runtime.campuses import Campus, Roster


class Charsets(Mapping[str, str]):
    """Campus code, as in MSH-4, to the Python codec for an empty MSH-18; always of the campuses as they are
    now.
    """

    def __init__(self, roster: Roster) -> None:
        """Raises HL7Error for a charset that is not known, PermanentError for a wrong file."""
        self._roster = roster
        self._of: tuple[Campus, ...] = ()
        self._codecs: dict[str, str] = {}
        self._now()

    def __getitem__(self, code: str) -> str:
        return self._now()[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, str]:
        campuses = self._roster.now
        if campuses is not self._of:
            self._codecs = {one.code: codec_for(one.charset) for one in campuses}
            self._of = campuses
        return self._codecs
