"""Whether a code may be mapped as somebody wants, decided on the tables in force."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from bus.rules.codes import ANY, INVERSE, CodeTable, Target, closed, in_turn, overlap
from consortium.errors import ConflictError
from consortium.terminology.errors import UnknownMapError
from consortium.terminology.maps import Mapping

SHOWN = 12
"""Targets that a refusal lists."""
LONGEST = 200
"""Characters of a code; see `bus.router.verdicts.CODE_LIMIT`."""


def checked(wanted: Mapping, table: CodeTable) -> Mapping | None:
    """Return what is to be added, name and system filled in; None when it stands so already.

    Raises `ConflictError` when a file says otherwise, `UnknownMapError` for what cannot be a code or target.
    """
    _texts(wanted)
    _says(wanted)
    key = (wanted.facility, wanted.code)
    for reviewed in closed(table.reviewed(key)):
        if _meet(reviewed, wanted):
            if _stands(reviewed, wanted):
                return None
            raise ConflictError(
                f"rules/codes/{table.name}.csv maps {wanted.code} of {wanted.facility} to {reviewed.code}"
                f"{_days(reviewed)}; change it there",
                zh=f"rules/codes/{table.name}.csv 已将 {wanted.facility} 的 {wanted.code} 映射为"
                f" {reviewed.code}{_days(reviewed)}；请在该文件中修改",
            )
    target = _target(wanted, table)
    said = table.mapped(key)
    if target in said or (not said and not table.reviewed(key) and target == table.rows.get((ANY, key[1]))):
        return None
    _fits(wanted, [one for one in said if one.valid_from != target.valid_from], target)
    return replace(wanted, name=target.name, system=target.system)


def _meet(reviewed: Target, wanted: Mapping) -> bool:
    """Whether what a file says holds on a day for which somebody maps the code."""
    begins, ends = reviewed.valid_from or date.min, reviewed.valid_to or date.max
    return begins <= (wanted.valid_to or date.max) and (wanted.valid_from or date.min) <= ends


def _stands(reviewed: Target, wanted: Mapping) -> bool:
    """Whether a file says all that is wanted."""
    begins, ends = wanted.valid_from or date.min, wanted.valid_to or date.max
    if wanted.valid_from is None and wanted.valid_to is None:  # nothing is said of days
        begins, ends = reviewed.valid_from or date.min, reviewed.valid_to or date.max
    covered = (reviewed.valid_from or date.min) <= begins and ends <= (reviewed.valid_to or date.max)
    said = (wanted.relationship in (None, reviewed.relationship), wanted.owner in (None, reviewed.owner))
    return reviewed.code == wanted.target and covered and all(said)


def _days(target: Target) -> str:
    return f" ({target.period()})" if target.dated else ""


def _fits(wanted: Mapping, said: list[Target], target: Target) -> None:
    if pair := overlap(in_turn([*said, target])):
        one, other = pair
        raise UnknownMapError(
            f"{wanted.code} of {wanted.facility} would hold to {one.valid_to} ({one.code}), and again from"
            f" {other.valid_from} ({other.code}): end the first before that day",
            zh=f"{wanted.facility} 的 {wanted.code} 有效期重叠：{one.code} 至 {one.valid_to}，"
            f"{other.code} 自 {other.valid_from}；请先结束前一个",
        )


def _says(wanted: Mapping) -> None:
    begins, ends = wanted.valid_from, wanted.valid_to
    if begins and ends and ends < begins:
        raise UnknownMapError(
            f"it would end on {ends}, before it begins on {begins}",
            zh=f"有效期止于 {ends}，早于起始日 {begins}",
        )
    if wanted.relationship is not None and wanted.relationship not in INVERSE:
        words = ", ".join(INVERSE)
        raise UnknownMapError(
            f"{wanted.relationship} is no relationship: there are {words}",
            zh=f"没有映射关系 {wanted.relationship}：现有 {words}",
        )


def _texts(wanted: Mapping) -> None:
    for what, text in (("code", wanted.code), ("target", wanted.target)):
        if not text.strip() or "\0" in text or len(text) >= LONGEST:
            raise UnknownMapError(
                f"the {what} must be a text of 1 to {LONGEST - 1} characters",
                zh=f"{what} 须为 1 至 {LONGEST - 1} 个字符",
            )


def _target(wanted: Mapping, table: CodeTable) -> Target:
    known = targets(table).get(wanted.target)
    if known is None and not wanted.name:
        there = sorted(targets(table))
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise UnknownMapError(
            f"{wanted.target} is no target of the table {table.name} yet: it has"
            f" {', '.join(there[:SHOWN])}{more}. For a new one give its name too",
            zh=f"码表 {table.name} 尚无标准代码 {wanted.target}：现有 {', '.join(there[:SHOWN])}{more}。"
            "新增时请同时给出名称",
        )
    return Target(
        wanted.target,
        wanted.name or (known.name if known else None),
        wanted.system or (known.system if known else None),
        wanted.valid_from,
        wanted.valid_to,
        wanted.relationship,
        wanted.owner,
    )


def targets(table: CodeTable) -> dict[str, Target]:
    """Return every target of a table by its code."""
    said = (*table.dated_added.values(), *table.dated.values())
    dated = [target for periods in said for target in periods]
    return {target.code: target for target in (*dated, *table.added.values(), *table.rows.values())}
