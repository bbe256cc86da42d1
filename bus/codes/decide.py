"""Whether a code may be mapped as somebody wants, decided on the tables in force."""

from __future__ import annotations

from bus.rules.codes import CodeTable, Target
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
    reviewed = table.rows.get((wanted.facility, wanted.code))
    if reviewed is not None:
        if reviewed.code == wanted.target:
            return None
        raise ConflictError(
            f"rules/codes/{table.name}.csv maps {wanted.code} of {wanted.facility} to {reviewed.code};"
            " change it there",
            zh=f"rules/codes/{table.name}.csv 已将 {wanted.facility} 的 {wanted.code} 映射为"
            f" {reviewed.code}；请在该文件中修改",
        )
    target = _target(wanted, table)
    if table.find(wanted.facility, wanted.code) == target:
        return None
    return Mapping(wanted.code_table, wanted.facility, wanted.code, target.code, target.name, target.system)


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
    )


def targets(table: CodeTable) -> dict[str, Target]:
    """Return every target of a table by its code."""
    return {target.code: target for target in (*table.added.values(), *table.rows.values())}
