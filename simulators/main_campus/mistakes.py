"""What goes wrong at the main campus, each with the answer that it must get.

Every mistake is made by patients of its own, so that only what is said here is held back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from simulators.catalogue import LabPanel, panels
from simulators.clinic import DEPARTMENTS
from simulators.main_campus import segments
from simulators.main_campus.chart import Chart
from simulators.main_campus.message import HIS, LIS, compose, header

Mistake = Callable[[Chart], None]
OUTPATIENTS = DEPARTMENTS[1]


def unmapped_sex(chart: Chart) -> None:
    """A sex that is in no code table."""
    chart.adt("A04", chart.visit("outpatient", OUTPATIENTS), expect="held:unmapped_code")
    _change_last(chart, rb"(\rPID(?:\|[^|\r]*){7}\|)[^|\r]*", rb"\g<1>X")


def unmapped_panel(chart: Chart) -> None:
    """A lab report on a panel that nobody mapped."""
    visit = chart.visit("outpatient", OUTPATIENTS)
    chart.adt("A04", visit)
    chart.wait(10, 20)
    known = panels()["cbc"]
    panel = LabPanel("unregistered", "未登记组合", {"MAIN": "LP999"}, known.items)
    chart.lab_report(visit, chart.number("LO"), panel, expect="held:unmapped_code")


def impossible_birth_date(chart: Chart) -> None:
    """The 45th of the 13th month; what follows of the same patient waits."""
    visit = chart.visit("outpatient", OUTPATIENTS)
    chart.adt("A04", visit, expect="held:impossible_date")
    _change_last(chart, rb"(\rPID(?:\|[^|\r]*){6}\|)[^|\r]*", rb"\g<1>20261345")
    chart.wait(5, 10)
    chart.adt("A08", visit, OUTPATIENTS.diagnoses[0], expect="held:waiting")


def unknown_type(chart: Chart) -> None:
    """A message type that no standard has."""
    content = [segments.pid(HIS, chart.patient)]
    chart.send(HIS, "ZZZ^Z01", content, expect="refused:unknown_type")


def unknown_campus(chart: Chart) -> None:
    """A sender that is not of the consortium."""
    _send_with_header(chart, {4: "XX"}, "refused:unknown_campus")


def wrong_charset(chart: Chart) -> None:
    """GB 18030 that says it is UTF-8, as after a careless upgrade."""
    _send_with_header(chart, {18: "UNICODE UTF-8"}, "refused:unknown_charset")


def retry(chart: Chart) -> None:
    """The same message again a minute later, as after a lost acknowledgement: only MSH-7 is another."""
    first = chart.adt("A04", chart.visit("outpatient", OUTPATIENTS))
    again = first.at + timedelta(minutes=1)
    body = first.body.replace(HIS.time(first.at).encode(), HIS.time(again).encode(), 1)
    chart.messages.append(replace(first, at=again, body=body, expect="duplicate"))


def reused_control_id(chart: Chart) -> None:
    """A counter that began anew: another message under a control id that is taken."""
    visit = chart.visit("outpatient", OUTPATIENTS)
    first = chart.adt("A04", visit)
    chart.wait(5, 10)
    chart.adt("A08", visit, OUTPATIENTS.diagnoses[1], expect="held:control_id_conflict")
    last = chart.messages[-1]
    body = last.body.replace(last.control_id.encode(), first.control_id.encode(), 1)
    chart.messages[-1] = replace(last, control_id=first.control_id, body=body)


MISTAKES: tuple[Mistake, ...] = (
    unmapped_sex,
    unmapped_panel,
    impossible_birth_date,
    unknown_type,
    unknown_campus,
    wrong_charset,
    retry,
    reused_control_id,
)


def charts(make: Callable[[str], Chart]) -> Iterator[Chart]:
    """Yield a chart for each mistake; `make` returns an empty one of that name."""
    for place, mistake in enumerate(MISTAKES):
        chart = make(f"X{place:05d}")
        mistake(chart)
        yield chart


def _send_with_header(chart: Chart, changed: dict[int, str], expect: str) -> None:
    visit = chart.visit("outpatient", OUTPATIENTS)
    message = chart.adt("A04", visit, expect=expect)
    msh = header(HIS, message.type, message.control_id, message.at, changed)
    content = [
        segments.evn(HIS, "A04", message.at),
        segments.pid(HIS, chart.patient),
        segments.pv1(HIS, visit),
    ]
    chart.messages[-1] = replace(message, body=compose(HIS, [msh, *content]))


def _change_last(chart: Chart, pattern: bytes, replacement: bytes) -> None:
    last = chart.messages[-1]
    codec = LIS.codec if last.application == "LIS" else HIS.codec
    text, count = re.subn(pattern.decode(), replacement.decode(), last.body.decode(codec), count=1)
    if count != 1:
        raise ValueError(f"{last.control_id}: nothing to spoil by {pattern!r}")
    chart.messages[-1] = replace(last, body=text.encode(codec))
