"""Composing the answers of a listener (HL7 v2.5 §2.9)."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from adapters.mllp.framing import framed
from bus.hl7.ack import Code, Wrong, acknowledge, enhanced, wanted
from bus.hl7.escaping import STANDARD, Delimiters

_ECHOED = (2, 3, 4, 5, 8, 10, 11)
"""Places in MSH that an answer depends on, beside MSH-18 and the control id."""
_TIME, _ID, _ANSWERED = "\x01", "\x02", "\x03"
"""Stand for what varies, in an answer that is kept as a template."""
_COUNT = itertools.count(1)
"""Numbers the answers of a process, whichever listener gives them."""
_MARKS = frozenset({_TIME, _ID, _ANSWERED})


class Answers:
    """Makes framed answers, each with a control id of its own."""

    def __init__(self, *, enhanced: bool = False, clock: Callable[[], float] = time.time) -> None:
        """`enhanced`: whether MSH-15 and MSH-16 decide if and how a message is answered."""
        self._enhanced = enhanced
        self._clock = clock
        self._prefix = f"A{int(clock()):X}{os.getpid():X}-"
        self._count = _COUNT
        self._second = -1
        self._now = ""
        self._templates: dict[tuple[str, ...], list[str]] = {}

    def accept(self, fields: Sequence[str], codec: str, delimiters: Delimiters) -> bytes:
        """Answer a message that is stored; b"" when its sender wants no answer."""
        if self._enhanced or delimiters is not STANDARD:
            return self.answer(fields, Code.ACCEPT, codec, delimiters)
        places = (*[fields[i] for i in _ECHOED if i < len(fields)], *fields[17:18])
        template = self._templates.get(places)
        if template is None:
            if not _MARKS.isdisjoint("".join(fields)):
                return self.answer(fields, Code.ACCEPT, codec, delimiters)
            template = self._template(places, fields)
        upto_time, upto_id, upto_answered = template
        text = (
            f"{upto_time}{self._time()}{upto_id}{self._prefix}{next(self._count)}{upto_answered}{fields[9]}\r"
        )
        return b"\x0b" + text.encode(codec, "replace") + b"\x1c\r"

    def answer(
        self,
        fields: Sequence[str],
        code: Code,
        codec: str = "ascii",
        delimiters: Delimiters = STANDARD,
        wrong: Wrong | None = None,
        *,
        expected: str = "",
    ) -> bytes:
        """Answer a message whose MSH is `fields`, by one frame or two; b"" when its sender wants none.
        `expected` is MSA-4.
        """
        frames = (
            framed(self._acknowledged(fields, said, codec, delimiters, wrong, expected))
            for said in self._codes(fields, code)
        )
        return b"".join(frames)

    def within(
        self,
        fields: Sequence[str],
        code: Code,
        codec: str = "ascii",
        delimiters: Delimiters = STANDARD,
        wrong: Wrong | None = None,
    ) -> bytes:
        """Answer one message of a batch, without frame; b"" when its sender wants no answer.

        A batch may ask for refusals alone (§2.10.3.3), so MSH-15 and MSH-16 are obeyed in original mode, too:
        what either of them asks for is answered, and everything where both are empty. In enhanced mode, too,
        a message has one answer in the batch: the first of the two it may have elsewhere.
        """
        asked = _asked(fields)
        if not self._enhanced and any(asked) and not any(wanted(code, condition) for condition in asked):
            return b""
        codes = self._codes(fields, code)
        return self._acknowledged(fields, codes[0], codec, delimiters, wrong, "") if codes else b""

    def _codes(self, fields: Sequence[str], code: Code) -> list[str]:
        asked = _asked(fields)
        return enhanced(code, *asked) if self._enhanced and any(asked) else [str(code.value)]

    def _acknowledged(
        self,
        fields: Sequence[str],
        said: str,
        codec: str,
        delimiters: Delimiters,
        wrong: Wrong | None,
        expected: str,
    ) -> bytes:
        now, control_id = self.stamp()
        return acknowledge(
            fields,
            said,
            now=now,
            control_id=control_id,
            codec=codec,
            delimiters=delimiters,
            wrong=wrong,
            expected=expected,
        )

    def stamp(self) -> tuple[str, str]:
        """Return the time, and a control id, for a header of ours."""
        return self._time(), f"{self._prefix}{next(self._count)}"

    def _template(self, places: tuple[str, ...], fields: Sequence[str]) -> list[str]:
        """Answer once with marks where answers differ, and keep the text between them."""
        marked = [*fields[:9], _ANSWERED, *fields[10:]]
        text = acknowledge(marked, "AA", now=_TIME, control_id=_ID, codec="utf-8").decode()
        upto_time, rest = text.split(_TIME, 1)
        upto_id, rest = rest.split(_ID, 1)
        template = [upto_time, upto_id, rest.split(_ANSWERED, 1)[0]]
        if len(self._templates) < 10_000:
            self._templates[places] = template
        return template

    def _time(self) -> str:
        now = int(self._clock())
        if now != self._second:
            self._second = now
            self._now = datetime.fromtimestamp(now, UTC).astimezone().strftime("%Y%m%d%H%M%S%z")
        return self._now


def _asked(fields: Sequence[str]) -> tuple[str, str]:
    """Return MSH-15 and MSH-16."""
    accept, application = [*fields[14:16], "", ""][:2]
    return accept, application
