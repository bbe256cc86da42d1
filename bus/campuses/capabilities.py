"""What is wrong with `campuses/*/capabilities.yaml`, for `rules lint` and `rules deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.marks import Marked, RuleError, read_marked, validated
from consortium.referral.capabilities import FILE, Capabilities


def mistakes(rules_dir: Path) -> list[RuleError]:
    """Return every mistake. A campus without the file has told nothing, which is none."""
    errors: list[RuleError] = []
    known: dict[str, str] = {}
    for path in sorted(rules_dir.glob(f"campuses/*/{FILE}")):
        try:
            marked = read_marked(path, path.relative_to(rules_dir).as_posix())
        except RuleError as error:
            errors.append(error)
            continue
        one = validated(Capabilities, marked, errors)
        if one is not None:
            errors += _twice(one, marked)
            if one.facility in known:
                reason = f"what {one.facility} can do is in {known[one.facility]} already: keep one file"
                errors.append(marked.error(("facility",), reason, "duplicate-name"))
            known.setdefault(one.facility, marked.file)
    return errors


def _twice(one: Capabilities, marked: Marked) -> Iterator[RuleError]:
    """Give codes that stand twice: which name is right could not be told."""
    for key in ("subjects", "equipment", "techniques"):
        seen: set[str] = set()
        for number, named in enumerate(getattr(one, key)):
            if named.code in seen:
                reason = f"{named.code} stands twice: keep one"
                yield marked.error((key, number, "code"), reason, "duplicate-name")
            seen.add(named.code)
