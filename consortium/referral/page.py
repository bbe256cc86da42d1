"""docs/referral-steps.md, made from the table: `python -m consortium.referral.page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from consortium.referral.deadlines import LIMITS
from consortium.referral.model import FINAL, Party, State
from consortium.referral.table import TABLE, Line
from consortium.referral.words import NEEDS, PARTIES, STATES, STEPS

PAGE = Path("docs") / "referral-steps.md"
_HEAD = """# Steps of a referral (双向转诊)

Made from `consortium/referral/table.py`, which the workflow, the API and the tests share; a test compares.
After a change: `python -m consortium.referral.page`. How to use it: [referral](referral.md).
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join((_HEAD, *_states(), "", *_steps(), "", *_deadlines(), ""))


def _states() -> Iterator[str]:
    yield "## States\n"
    yield "| state | | | |\n|---|---|---|---|"
    for state in State:
        final = "final" if state in FINAL else ""
        yield f"| `{state}` | {STATES[state].en} | {STATES[state].zh} | {final} |"


def _steps() -> Iterator[str]:
    yield "## Steps\n"
    yield "| from | step | | to | who may | needs | owner then | deadline |"
    yield "|---|---|---|---|---|---|---|---|"
    for line in TABLE:
        yield "| " + " | ".join(_cells(line)) + " |"


def _cells(line: Line) -> Iterator[str]:
    yield ", ".join(f"`{state}`" for state in line.start)
    yield f"`{line.step}`"
    yield STEPS[line.step].zh
    yield f"`{line.to}`" if isinstance(line.to, State) else {"stays": "(stays)", "back": "(back)"}[line.to]
    yield ", ".join(PARTIES[party].en for party in Party if party in line.who) + _guard(line)
    yield ", ".join(NEEDS[need].en for need in sorted(line.needs))
    yield PARTIES[line.owner].en if line.owner else ""
    yield f"`{line.deadline}`" if line.deadline else ""


def _guard(line: Line) -> str:
    if line.asked:
        return f" (asked for by the {line.asked} side)"
    return " (on the owner's side)" if line.owners_side else ""


def _deadlines() -> Iterator[str]:
    yield "## Deadlines\n"
    yield "In working minutes; those of an emergency (绿色通道) run day and night."
    yield "`attendance` goes by the booked time.\n"
    yield "| deadline | routine | urgent | emergency | when nobody acts |\n|---|---|---|---|---|"
    for kind, limit in LIMITS.items():
        lapse = f"`{limit.lapse}`" if limit.lapse else "escalated again"
        yield f"| `{kind}` | {limit.routine} | {limit.urgent} | {limit.emergency} | {lapse} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
