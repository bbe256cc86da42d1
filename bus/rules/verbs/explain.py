"""`yilian rules explain MESSAGE`: why each rule did or did not fire, and what each leaf gave."""

from __future__ import annotations

import argparse

from bus.rules.explain import Asked, Explanation, Part, explain
from bus.rules.loader import load_rules
from bus.rules.recorder import Reading, Recorder
from bus.rules.verbs.asked import message_of, rules_of, show_of, takes_message
from bus.rules.verbs.output import takes_rules
from bus.terminal import show_json, write
from runtime.words import words

HELP = words("why each rule did or did not take a message", "逐条说明规则为何处理或不处理某条消息")
VERDICTS = {
    "fired": words("fired", "命中"),
    "not true": words("not true", "未命中"),
    "failed": words("failed", "出错"),
    "came too late": words("also true, but came too late", "也命中，但排在前面的规则已处理"),
}


OUTCOMES = {
    "value": words("value", "有值"),
    "absent": words("absent", "缺失"),
    "default": words("default", "默认值"),
    "miss": words("miss", "未映射"),
    "held": words("held", "挂起"),
    "left out": words("left out", "省略"),
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
        write(f"\n{asked.rule}  {asked.file}:{asked.line}  {VERDICTS[asked.verdict]}{about}")
        for part in _telling(asked):
            write(f"    {_of_part(part)}")
    write("")
    if told.hold is not None:
        where = ", ".join(filter(None, (told.rule, told.hold.step, told.hold.field)))
        write(words("held", "挂起") + f" ({told.hold.code}): {where}")
        write(f"    {told.hold.reason}")
    else:
        count = f"{told.changes} × " if told.changes > 1 and not told.rules[0].about else ""
        write(words("recorded", "入库") + ": " + ", ".join(filter(None, (count + told.outcome, told.rule))))
    if told.destinations:
        write(words("goes to", "转发至") + f": {', '.join(told.destinations)}")
    for miss in told.misses:
        write(words("no mapping", "未映射") + f": {miss['table']} {miss['code']}")
    for reading in told.readings:
        write(f"    {_of_reading(reading)}")


def _telling(asked: Asked) -> list[Part]:
    """Return the parts that tell why: of a rule that is not true, those that are not."""
    return [part for part in asked.parts if asked.verdict != "not true" or part.result is not True]


def _of_part(part: Part) -> str:
    result = part.error if part.result is None else str(part.result).lower()
    values = ", ".join(f"{name} = {value!r}" for name, value in part.values.items())
    return f"{result}: {part.text}" + (f"   ({values})" if values else "")


def _of_reading(reading: Reading) -> str:
    part = f"{reading.part}/" if reading.part and reading.from_message else ""
    at = f"{reading.file}:{reading.line}:{reading.column}"
    if reading.outcome == "left out":
        return f"{reading.field}: {OUTCOMES[reading.outcome]}, {reading.reason}  [{at}]"
    gave = "" if reading.value is None else f" = {reading.value}"
    table = f" ({reading.table})" if reading.table else ""
    reason = f" {reading.reason}" if reading.reason else ""
    return f"{reading.field}: {OUTCOMES[reading.outcome]}{reason}{gave}, {part}{reading.reads}{table}  [{at}]"
