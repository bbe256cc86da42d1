"""Acknowledgements: MSH, MSA and, when something is wrong, ERR (HL7 v2.5 §2.9.2, §2.14.8, §2.15.5).

An answer speaks the delimiters, version and character set of the message that it answers, so that what it
echoes needs no translation.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from bus.hl7.escaping import STANDARD, Delimiters
from bus.hl7.problem import Condition, HL7Error


class Code(enum.StrEnum):
    """MSA-1, HL7 table 0008, in original mode. `enhanced` is the accept acknowledgement of the same
    meaning.
    """

    ACCEPT = "AA"
    ERROR = "AE"
    """Try again: nothing is wrong with the message."""
    REJECT = "AR"
    """The same message will never be taken."""

    @property
    def enhanced(self) -> str:
        """CA, CE or CR."""
        return "C" + self.value[1]


def wanted(code: Code, condition: str) -> bool:
    """Say whether MSH-15 or MSH-16 asks for this answer: table 0155 (AL, NE, ER, SU; empty: never)."""
    return {"AL": True, "ER": code is not Code.ACCEPT, "SU": code is Code.ACCEPT}.get(condition, False)


def enhanced(code: Code, accept: str, application: str) -> list[str]:
    """Return every MSA-1 of a message in enhanced mode (§2.9.3): the accept acknowledgement that MSH-15 asks
    for, then the application's that MSH-16 asks for.

    What is refused is answered once, by whichever is asked for. MSH-15 NE with MSH-16 AL is original mode by
    another name (§2.9.2).
    """
    codes = [code.enhanced] if wanted(code, accept) else []
    if wanted(code, application) and (code is Code.ACCEPT or not codes):
        codes.append(str(code.value))
    return codes


@dataclass(frozen=True, slots=True)
class Wrong:
    """What an ERR segment says."""

    condition: Condition
    location: str
    """The field at fault as `MSH-18`, a segment alone, or ""."""
    reason: str
    """For a person; no patient data."""
    code: str = ""
    """Our own machine-readable code (ERR-5)."""

    @classmethod
    def of(cls, problem: HL7Error) -> Wrong:
        """Say what is wrong as the problem says it."""
        return cls(problem.condition, problem.location, problem.reason, problem.code)


def acknowledge(
    fields: Sequence[str],
    code: str,
    *,
    now: str,
    control_id: str,
    codec: str = "ascii",
    delimiters: Delimiters = STANDARD,
    wrong: Wrong | None = None,
    expected: str = "",
) -> bytes:
    """Answer the message whose MSH is `fields` (`fields[k - 1]` is MSH-k; [] where it had none), as bytes
    without frame.

    `now` is MSH-7 and `control_id` the answer's own MSH-10. `expected` is MSA-4, of the sequence number
    protocol (§2.10.1).
    """
    known = [*fields, *[""] * (18 - len(fields))]
    f, c = delimiters.field, delimiters.component
    kind = known[8].split(c)
    event = kind[1] if len(kind) > 1 else ""
    answer = c.join(("ACK", event, "ACK")[: _parts_of_type(known[11])]) if event else "ACK"
    head = [
        "MSH" + f + (known[1] or "^~\\&"),
        *(known[4], known[5], known[2], known[3], now, "", answer, control_id),
        *(known[10] or "P", known[11] or "2.5", "", "", "", "", "", known[17]),
    ]
    lines = [f.join(head).rstrip(f) if delimiters is STANDARD else f.join(head)]
    if wrong is None:
        lines.append(f.join(("MSA", code, known[9], *(("", expected) if expected else ()))))
    else:
        answer_to = (code, known[9], expected)
        lines += _explained(answer_to, known[11], wrong, delimiters)
    return ("\r".join(lines) + "\r").encode(codec, "replace")


def _explained(
    answer_to: tuple[str, str, str], version: str, wrong: Wrong, delimiters: Delimiters
) -> list[str]:
    """Return MSA and ERR; `answer_to` is MSA-1, MSA-2 and MSA-4."""
    reason = delimiters.escaped(wrong.reason)
    if before_25(version):
        return _explained_24(answer_to, reason, wrong, delimiters)
    f, c = delimiters.field, delimiters.component
    condition = c.join((str(wrong.condition.code), wrong.condition.text, "HL70357"))
    where = c.join(_location(wrong.location, c))
    code, control_id, expected = answer_to
    msa = f.join(("MSA", code, control_id, *(("", expected) if expected else ())))
    return [msa, f.join(("ERR", "", where, condition, "E", delimiters.escaped(wrong.code), "", "", reason))]


def _explained_24(
    answer_to: tuple[str, str, str], reason: str, wrong: Wrong, delimiters: Delimiters
) -> list[str]:
    """Return the form of v2.4 and before: the text in MSA-3, the condition in MSA-6 and ERR-1 (data type
    ELD).
    """
    f, c = delimiters.field, delimiters.component
    parts = (str(wrong.condition.code), wrong.condition.text, "HL70357")
    code, control_id, expected = answer_to
    msa = f.join(("MSA", code, control_id, reason, expected, "", c.join(parts)))
    place = [*_location(wrong.location, c), "", "", ""][:3]
    inner = (delimiters.subcomponent or " ").join(parts)
    return [msa, f.join(("ERR", c.join((*place, inner))))]


def _location(location: str, component: str) -> list[str]:
    """Return segment, sequence and field of a location such as `MSH-18`."""
    segment, _, field = location.partition("-")
    if not segment or component in location or " " in segment:
        return []
    return [segment, "1", field] if field else [segment, "1"]


def _parts_of_type(version: str) -> int:
    """Return how many components MSH-9 has: one before v2.3, with the event in v2.3, with the structure from
    v2.3.1 on.
    """
    return {"2.1": 1, "2.2": 1, "2.3": 2}.get(version.partition("^")[0], 3)


def before_25(version: str) -> bool:
    """Say whether MSH-12 is a version before 2.5, whose ERR has only the field ERR-1. An empty one is not."""
    major, _, minor = version[:3].partition(".")
    return major.isdigit() and minor.isdigit() and (int(major), int(minor)) < (2, 5)
