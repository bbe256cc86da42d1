"""What `yilian identity …` prints, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from bus.identity.registrations import Registration, Speed
from bus.terminal import show_json, show_table, write
from consortium.identity import telling
from consortium.identity.candidates import Candidate, compared
from consortium.identity.dossier import Dossier
from consortium.identity.figures import Figures
from consortium.identity.model import SourcePatient
from consortium.identity.review import Review, Reviews
from consortium.identity.telling import Told
from runtime.words import words


def reviews(found: Reviews, *, as_json: bool) -> int:
    """Print a page of the queue."""
    if as_json:
        return show_json({"reviews": [asdict(one) for one in found.items], "next": found.after})
    if not found.items:
        write(words("nobody waits to be looked at", "没有待审核的编号"))
        return 0
    columns = words("id,opened,state,campuses,weight,why,by", "编号,时间,状态,院区,权重,原因,处理人").split(
        ","
    )
    show_table(columns, [_line(one) for one in found.items])
    if found.after:
        write(f"--after {found.after}")
    return 0


def review(one: Review, sides: Mapping[int, Candidate], *, as_json: bool) -> int:
    """Print a pair side by side."""
    left, right = sides[one.left_id], sides[one.right_id]
    if as_json:
        return show_json({"review": asdict(one), "left": asdict(left), "right": asdict(right)})
    write(" · ".join(filter(None, _line(one))))
    columns = ["", _number(left.linked.patient), _number(right.linked.patient), ""]
    rows = [
        (_say(telling.FIELDS[each.field]), each.left, each.right, _agree(each.agree))
        for each in compared(left.linked.patient, right.linked.patient)
    ]
    rows.append((words("person", "人员"), left.linked.person_id, right.linked.person_id, ""))
    rows.append((words("linked with", "已关联"), _together(left), _together(right), ""))
    rows.append((words("records", "记录"), _records(left), _records(right), ""))
    show_table(columns, rows)
    for step in one.evidence:
        write(f"  {_say(telling.evidence(step))}")
    if (whole := telling.whole(one.weight)) is not None:
        write(f"  {_say(whole)}")
    return 0


def person(one: Dossier, *, as_json: bool) -> int:
    """Print who a person is."""
    if as_json:
        return show_json(asdict(one))
    write(f"{one.id}" + ("" if one.active else words(" (every number has left)", "（所有编号均已转出）")))
    numbers = {each.patient.id: each.patient for each in one.numbers}
    golden = [
        (
            _say(telling.FIELDS[choice.field]),
            choice.value,
            _number(numbers[choice.source_patient_id]),
            _say(told),
        )
        for choice in one.golden
        if choice.source_patient_id is not None and (told := telling.criterion(choice.why)) is not None
    ]
    show_table(words("field,value,from,why", "字段,值,来源,依据").split(","), golden)
    linked = [
        (_number(each.patient), each.origin, each.rule, _weight(each.weight), _at(each.at))
        for each in one.numbers
    ]
    show_table(words("number,origin,rule,weight,since", "编号,方式,规则,权重,起始").split(","), linked)
    moves = [
        (
            each.id,
            _at(each.at),
            f"{each.facility}:{each.number}",
            each.from_person,
            each.to_person,
            each.rule,
            each.by_user or each.message_id,
            each.reason,
        )
        for each in one.ledger
    ]
    columns = words("line,at,number,from,to,rule,by,why", "行,时间,编号,从,到,规则,由,原因").split(",")
    return show_table(columns, moves)


def registrations(found: Sequence[Registration], heard: Sequence[Speed], *, as_json: bool) -> int:
    """Print new people and how fast the campuses heard."""
    if as_json:
        items = [asdict(one) for one in found]
        return show_json({"registrations": items, "campuses": [asdict(one) for one in heard]})
    rows = [
        (
            one.message_id,
            one.facility,
            _at(one.received_at),
            told.facility,
            told.state,
            _seconds(told.seconds),
        )
        for one in found
        for told in one.told
    ]
    columns = words("message,from,received,told,state,seconds", "消息,来源,接收,告知,状态,秒").split(",")
    show_table(columns, rows)
    speeds = [
        (one.facility, one.told, one.acknowledged, _seconds(one.p50), _seconds(one.p95)) for one in heard
    ]
    show_table(
        words("campus,told,acknowledged,p50 s,p95 s", "院区,告知,确认,p50 秒,p95 秒").split(","), speeds
    )
    if not heard:
        write(
            words(
                "no rule tells another campus of new people: docs/decide-who-is-who.md says how",
                "尚无规则将新建档患者告知其他院区：请参见 docs/decide-who-is-who.md",
            )
        )
    return 0


def figures(found: Figures, *, as_json: bool) -> int:
    """Print the dashboard."""
    load = found.load
    if as_json:
        rates = {one.facility: one.duplicate_rate for one in found.campuses}
        return show_json(asdict(found) | {"duplicate_rates": rates, "agreement": load.agreement})
    rows = [
        (
            one.facility,
            one.numbers,
            one.people,
            one.linked_across,
            one.duplicates,
            f"{one.duplicate_rate:.2%}",
        )
        for one in found.campuses
    ]
    columns = words(
        "campus,numbers,people,known elsewhere too,duplicates,rate", "院区,编号,人员,跨院区,重复,重复率"
    ).split(",")
    show_table(columns, rows)
    write(
        words(
            f"{found.people} people, {found.linked_across} known at two campuses or more",
            f"共 {found.people} 人，其中 {found.linked_across} 人在两个以上院区就诊",
        )
    )
    agreement = "–" if load.agreement is None else f"{load.agreement:.1%}"
    oldest = _at(load.oldest) if load.oldest else "–"
    write(
        words(
            f"reviews: {load.open} open, {load.claimed} claimed, oldest {oldest}; decided as the weight"
            f" leans: {agreement}; suspected overlays: {len(found.overlays)}",
            f"审核：待处理 {load.open}，已认领 {load.claimed}，最早 {oldest}；与权重一致：{agreement}；"
            f"疑似占用：{len(found.overlays)}",
        )
    )
    return 0


def _line(one: Review) -> tuple[str, ...]:
    by = one.decided_by or one.claimed_by or ""
    state = f"{one.state} {one.says or ''}".strip()
    places = " ".join(one.facilities)
    return (str(one.id), _at(one.opened_at), state, places, _weight(one.weight), _why(one), by)


def _why(one: Review) -> str:
    return _say(telling.reason(one.reason))


def _say(told: Told) -> str:
    return words(told.en, told.zh)


def _number(patient: SourcePatient) -> str:
    return f"{patient.facility}:{patient.number}"


def _together(side: Candidate) -> str:
    return ", ".join(_number(other) for other in side.together)


def _records(side: Candidate) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in sorted(side.records.items()))


def _agree(agree: bool | None) -> str:
    return "" if agree is None else "=" if agree else "≠"


def _weight(weight: float | None) -> str:
    return "" if weight is None else f"{weight:+.1f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _at(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
