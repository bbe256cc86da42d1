"""What `yilian systems list|show|impact` prints for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from bus.registry.impact import Impact, Starved
from bus.registry.model import Entry, Outward
from bus.registry.shown import per_day
from bus.registry.told import told_drift, told_health
from bus.terminal import show_table, write
from runtime.words import words


def show_list(entries: Sequence[Entry]) -> int:
    """Print a table as wide as a terminal; what each gives and takes is in `show`. Returns 0."""
    columns = words(
        "campus,system,name,owner,state,last seen,today,held,drift",
        "院区,系统,名称,负责,状态,最近收到,今日,挂起,差异",
    )
    return show_table(columns.split(","), [_cells(one) for one in entries])


def show_details(one: Entry) -> int:
    """Print all that is known of a system; returns 0."""
    said = one.declared
    write(f"{one.facility} {one.code}  {_name(one)}  {told_health(one.health)}")
    if said:
        mail = f" <{said.owner.mail}>" if said.owner.mail else ""
        write(words("owner: ", "负责：") + said.owner.role + mail)
        made = " ".join(part for part in (said.vendor, said.version) if part)
        if made:
            write(words("product: ", "产品：") + made)
        for service in said.services:
            agreed = service.contract
            document = f" ({agreed.document})" if agreed.document else ""
            write(
                words("gives: ", "提供：")
                + f"{', '.join(service.types)}  {service.protocol} {service.address or ''}".rstrip()
                + f"  {agreed.kind} {agreed.version}{document}"
            )
    if one.asks:
        write(words("asks: ", "查询：") + ", ".join(one.asks))
    _flows(one)
    _outwards(one.receives)
    for told in one.subscriptions:
        write(
            words("subscribes to: ", "订阅：")
            + f"{told.name}: {', '.join(told.kinds)}; "
            + words(f"{told.waiting} wait", f"待发 {told.waiting}")
        )
    for drift in one.drift:
        write(words("drift: ", "差异：") + told_drift(drift))
    return 0


def show_impact(found: Impact) -> int:
    """Print what breaks; returns 0."""
    write(words(f"If {found.facility} {found.code} goes away:", f"若 {found.facility} {found.code} 停用："))
    seen = [(flow, flow.last_seen) for flow in found.stops if flow.last_seen is not None]
    for flow, last_seen in seen:
        last = _time(last_seen)
        write(
            words(
                f"  {flow.message_type} stops: {per_day(flow)} a day, {flow.today} today, last {last}",
                f"  不再收到 {flow.message_type}：每日 {per_day(flow)}，今日 {flow.today}，最近 {last}",
            )
        )
    _starved(words("rule", "规则"), found.rules)
    _starved(words("destination", "目的地"), found.destinations)
    _starved(words("workflow", "流程"), found.workflows)
    for one in found.systems:
        through = ", ".join(one.through)
        said = _less(wholly=one.wholly)
        if one.depth > 1:
            said = words(f"may feel it, {one.depth} steps away", f"可能受影响（相隔 {one.depth} 步）")
        write(words("  system ", "  系统 ") + f"{one.facility} {one.code} ({through}): {said}")
    for to in found.unreceived:
        many = sum(to.open.values())
        write(
            words(
                f"  destination {to.name} loses its receiver; {many} wait there now, more will",
                f"  目的地 {to.name} 失去接收方；现有 {many} 条待发，将继续积压",
            )
        )
    for told in found.untold:
        write(
            words(
                f"  master data for {told.name} is not taken; {told.waiting} wait",
                f"  主数据订阅 {told.name} 无人接收；待发 {told.waiting}",
            )
        )
    if found.unasked:
        asks = ", ".join(found.unasked)
        write(words(f"  its questions are not asked any more: {asks}", f"  不再有其查询：{asks}"))
    broken = (found.rules, found.destinations, found.workflows, found.systems)
    if not any((seen, *broken, found.unreceived, found.untold, found.unasked)):
        write(words("  nothing that is known here", "  未发现影响"))
    return 0


def _cells(one: Entry) -> tuple[str, ...]:
    seen = [flow for flow in one.flows if flow.last_seen]
    owner = one.declared.owner.role if one.declared else ""
    last = _time(one.last_seen) if one.last_seen else ""
    return (
        one.facility,
        one.code,
        _name(one),
        owner,
        told_health(one.health),
        last,
        str(sum(flow.today for flow in seen)),
        str(one.held_today),
        "; ".join(told_drift(drift) for drift in one.drift),
    )


def _name(one: Entry) -> str:
    return words(one.declared.name.en, one.declared.name.zh) if one.declared else ""


def _flows(one: Entry) -> None:
    for flow in one.flows:
        if flow.last_seen is None:
            continue
        rules = ", ".join(flow.rules) or words("no rule", "无规则")
        last = _time(flow.last_seen)
        kind, total, daily, today = flow.message_type, flow.messages, per_day(flow), flow.today
        said = words(
            f"seen: {kind}: {total}, {daily} a day, {today} today, last {last}",
            f"收到：{kind}：共 {total}，每日 {daily}，今日 {today}，最近 {last}",
        )
        write(f"{said} → {rules}")


def _outwards(found: Iterable[Outward]) -> None:
    for to in found:
        waiting = ", ".join(f"{state} {number}" for state, number in sorted(to.open.items()))
        rules = ", ".join(to.rules) or words("no rule", "无规则")
        write(
            words("receives: ", "接收：")
            + f"{to.name} ({to.kind}) ← {rules}"
            + (f"; {waiting}" if waiting else "")
            + (f"; {', '.join(to.alerts)}" if to.alerts else "")
        )


def _starved(kind: str, found: Iterable[Starved]) -> None:
    for one in found:
        write(f"  {kind} {one.name}: {_less(wholly=one.wholly)}")


def _less(*, wholly: bool) -> str:
    return words("gets nothing more", "不再收到任何消息") if wholly else words("gets less", "收到减少")


def _time(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
