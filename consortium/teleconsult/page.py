"""docs/consultation-steps.md, made from the table: `python -m consortium.teleconsult.page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from consortium.teleconsult.deadlines import LIMITS
from consortium.teleconsult.model import FINAL, Kind, Party, State
from consortium.teleconsult.table import EVERY, TABLE, Line
from consortium.teleconsult.words import KINDS, NEEDS, PARTIES, STATES, STEPS

PAGE = Path("docs") / "consultation-steps.md"
_HEAD = """# Steps of a consultation (远程会诊)

Made from `consortium/teleconsult/table.py`, which the workflow, the API and the tests share; a test compares.
After a change: `python -m consortium.teleconsult.page`. How to use it: [consultation](consultation.md).
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
    yield "Of two lines for the same step the first counts whose needs are met.\n"
    yield "| from | step | | for | to | who may | needs | owner then | deadline |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for line in TABLE:
        yield "| " + " | ".join(_cells(line)) + " |"


def _cells(line: Line) -> Iterator[str]:
    yield ", ".join(f"`{state}`" for state in line.start)
    yield f"`{line.step}`"
    yield STEPS[line.step].zh
    yield _for(line)
    yield f"`{line.to}`" if isinstance(line.to, State) else "(stays)"
    yield ", ".join(PARTIES[party].en for party in Party if party in line.who)
    yield ", ".join(NEEDS[need].en for need in sorted(line.needs))
    yield PARTIES[line.owner].en if line.owner else ""
    yield f"`{line.deadline}`" if line.deadline else ""


def _for(line: Line) -> str:
    kinds = "all" if line.kinds == EVERY else ", ".join(KINDS[kind].zh for kind in Kind if kind in line.kinds)
    return f"{kinds}, {line.urgency}" if line.urgency else kinds


def _deadlines() -> Iterator[str]:
    yield "## Deadlines\n"
    yield "In working minutes; those of urgent consultations run day and night."
    yield "`attendance` goes by the booked time.\n"
    yield "| deadline | routine | urgent | when nobody acts |\n|---|---|---|---|"
    for kind, limit in LIMITS.items():
        lapse = f"`{limit.lapse}`" if limit.lapse else "escalated again"
        yield f"| `{kind}` | {limit.routine} | {limit.urgent} | {lapse} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
