"""`yilian rules explain MESSAGE`: why each rule did or did not fire, and what each leaf gave."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from bus.rules.explain import Asked, Explanation, Going, Part, explain
from bus.rules.loader import load_rules
from bus.rules.recorder import Reading, Recorder
from bus.rules.verbs.asked import message_of, rules_of, show_of, takes_message
from bus.rules.verbs.output import takes_rules
from bus.terminal import show_json, write
from runtime.words import words

HELP = words("why each rule did or did not take a message", "逐条说明规则为何处理或不处理某条消息")
VERDICTS = {
    "fired": ("fired", "命中"),
    "not true": ("not true", "未命中"),
    "failed": ("failed", "出错"),
    "came too late": ("also true, but came too late", "也命中，但排在前面的规则已处理"),
}
OUTCOMES = {
    "value": ("value", "有值"),
    "absent": ("absent", "缺失"),
    "default": ("default", "默认值"),
    "miss": ("miss", "未映射"),
    "held": ("held", "挂起"),
    "met": ("condition true", "条件成立"),
    "left out": ("left out", "省略"),
}
DESTINATIONS = {
    "goes": ("goes there", "转发"),
    "not true": ("does not go there", "不转发"),
    "failed": ("its condition failed", "条件出错"),
    "held": ("would go there, were it not held", "挂起解除后转发"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    takes_message(parser)
    takes_rules(parser)


def run(options: argparse.Namespace) -> int:
    """Explain; returns 0 for a message that would be held, too. Raises when something cannot be read."""
    recorder = Recorder()
    with rules_of(options, options.rules) as (folder, refresh):
        loaded = load_rules(folder, recorder)
        refresh(loaded.tables)
    explanation = explain(loaded, recorder, message_of(options), show_of(options))
    if options.json:
        show_json(explanation.as_json())
    else:
        _show(explanation)
    return 0


def _show(told: Explanation) -> None:
    write(f"{told.message}: {told.facility} {told.message_type} {told.sender}")
    for asked in told.rules:
        about = f"  ({asked.about})" if asked.about else ""
        write(f"\n{asked.rule}  {asked.file}:{asked.line}  {words(*VERDICTS[asked.verdict])}{about}")
        for part in _telling(asked):
            write(f"    {_of_part(part)}")
    write("")
    if told.hold is not None:
        target = told.hold.target if told.hold.target != told.hold.field else None
        into = target and words(f"for {target}", f"用于 {target}")
        where = ", ".join(filter(None, (told.rule, told.hold.step, told.hold.field, into)))
        write(words("held", "挂起") + f" ({told.hold.code}): {where}")
        write(f"    {told.hold.reason}")
    else:
        count = f"{told.changes} × " if told.changes > 1 and not told.rules[0].about else ""
        write(words("recorded", "入库") + ": " + ", ".join(filter(None, (count + told.outcome, told.rule))))
    if told.destinations:
        write(words("goes to", "转发至") + f": {', '.join(told.destinations)}")
    for going in told.going:
        _show_destination(going)
    for miss in told.misses:
        write(words("no mapping", "未映射") + f": {miss['table']} {miss['code']}")
    for reading in told.readings:
        write(f"    {_of_reading(reading)}")


def _show_destination(going: Going) -> None:
    about = f"  ({going.about})" if going.about else ""
    place = f"{going.file}:{going.line}"
    write(f"{going.to} ({going.send})  {place}  {words(*DESTINATIONS[going.verdict])}{about}")
    for part in going.parts:
        write(f"    {_of_part(part)}")


def _telling(asked: Asked) -> list[Part]:
    """Return the parts that tell why: of a rule that is not true, those that are not."""
    return [part for part in asked.parts if asked.verdict != "not true" or part.result is not True]


def _of_part(part: Part) -> str:
    result = part.error if part.result is None else str(part.result).lower()
    return f"{result}: {part.text}{_values(part.values)}"


def _values(values: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    return f"   ({told})" if told else ""


def _of_reading(reading: Reading) -> str:
    part = f"{reading.part}/" if reading.part and reading.from_message else ""
    at = f"{reading.file}:{reading.line}:{reading.column}"
    if reading.outcome in ("met", "left out"):
        why = f"{reading.reason}{_values(reading.values)}"
        return f"{reading.field}: {words(*OUTCOMES[reading.outcome])}, {part}{why}  [{at}]"
    gave = "" if reading.value is None else f" = {reading.value}"
    entry = f": {reading.entry}" if reading.entry else ""
    table = f" ({reading.table}{entry})" if reading.table else ""
    reason = f" {reading.reason}" if reading.reason else ""
    outcome = words(*OUTCOMES[reading.outcome])
    return f"{reading.field}: {outcome}{reason}{gave}, {part}{reading.reads}{table}  [{at}]"
