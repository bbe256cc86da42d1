"""What is wrong with the files of campuses, for `rules lint` and `rules deploy`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path

from bus.hl7.charset import codec_for
from bus.hl7.problem import HL7Error
from bus.rules.marks import Marked, Place, RuleError, read_marked, validated
from consortium.access.model import GROUP
from runtime.campuses import FILE, Campus

RESERVED = {GROUP: "the whole consortium", "CONSORTIUM": "the consortium's own ids of people"}
"""Codes that no campus may have, and what they stand for."""
WITH_FACILITY = ("*.yaml", "files/*.yaml", "tables/*.yaml")
"""A campus's files that say `facility`."""


def mistakes(rules_dir: Path) -> list[RuleError]:
    """Return every mistake. A folder of rules that names no campus at all leaves those that Yilian knows."""
    errors: list[RuleError] = []
    paths = sorted(rules_dir.glob(f"campuses/*/{FILE}"))
    campuses: dict[str, Campus] = {}
    taken: dict[str, str] = {}
    for path in paths:
        marked = _marked(path, rules_dir, errors)
        campus = validated(Campus, marked, errors) if marked else None
        if marked and campus:
            campuses[path.parent.name] = campus
            errors += _of(campus, marked, taken)
    if paths:
        errors += _nameless(rules_dir)
        errors += _strangers(rules_dir, campuses)
    return errors


def _marked(path: Path, rules_dir: Path, errors: list[RuleError]) -> Marked | None:
    try:
        return read_marked(path, path.relative_to(rules_dir).as_posix())
    except RuleError as error:
        errors.append(error)
        return None


def _of(campus: Campus, marked: Marked, taken: dict[str, str]) -> Iterator[RuleError]:
    if campus.code in RESERVED:
        yield marked.error(("code",), f"{campus.code} stands for {RESERVED[campus.code]}: take another code")
    for key, value in (("code", campus.code), ("oid", campus.oid)):
        if value in taken:
            reason = f"{value} is the {key} in {taken[value]}, too: each campus has its own"
            yield marked.error((key,), reason, "duplicate-name")
        taken.setdefault(value, marked.file)
    try:
        codec_for(campus.charset)
    except HL7Error:
        reason = f"{campus.charset} is no character set of HL7 table 0211 that is read here"
        yield marked.error(("charset",), reason)


def _nameless(rules_dir: Path) -> Iterator[RuleError]:
    for folder in sorted(rules_dir.glob("campuses/*/")):
        if not (folder / FILE).exists() and any(folder.glob("**/*.yaml")):
            shown = f"campuses/{folder.name}/{FILE}"
            reason = "is missing: it names the campus; docs/connect-a-campus.md shows one"
            yield RuleError(shown, Place(1), reason, "missing-key")


def _strangers(rules_dir: Path, campuses: Mapping[str, Campus]) -> Iterator[RuleError]:
    """Give the files that speak for another campus than the folder's."""
    for folder, campus in campuses.items():
        for path in sorted(chain(*((rules_dir / "campuses" / folder).glob(one) for one in WITH_FACILITY))):
            with suppress(RuleError):  # whoever reads that file tells of it
                marked = read_marked(path, path.relative_to(rules_dir).as_posix())
                said = marked.data.get("facility") if isinstance(marked.data, dict) else None
                if said not in {None, campus.code}:
                    reason = f"this is the folder of {campus.code}, not of {said}: correct or move it"
                    yield marked.error(("facility",), reason, "wrong-campus")
