"""Whether a step may be taken, and where it leads: pure decisions by the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from consortium.referral.model import Words
from consortium.teleconsult.model import FINAL, Need, Party, Place, Standing, State, Step
from consortium.teleconsult.table import TABLE, Line
from consortium.teleconsult.words import NEEDS, PARTIES, STATES, STEPS

Code = Literal["not-from-this-state", "not-yours", "something-missing"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken."""

    code: Code
    why: Words
    missing: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A step that may be taken, and how the consultation stands after it."""

    line: Line
    after: Standing


def decide(standing: Standing, step: Step, party: Party, has: frozenset[Need]) -> Move | Refusal:
    """Decide about one step; `has` is what is there of what steps need."""
    lines = [line for line in TABLE if line.step is step and _fits(standing, line)]
    if not lines:
        return _not_from_here(standing, step)
    theirs = [line for line in lines if party in line.who]
    if not theirs:
        return _not_yours(step, party, lines)
    line = next((line for line in theirs if line.needs <= has), None)
    if line is None:
        return _missing(step, tuple(need for need in Need if need in theirs[0].needs - has))
    return Move(line, _after(standing, line))


def open_steps(standing: Standing, party: Party | None = None) -> tuple[Step, ...]:
    """Return the steps that the state allows: to that party, or to anybody."""
    found = {line.step for line in TABLE if _fits(standing, line) and (party is None or party in line.who)}
    return tuple(step for step in Step if step in found)


def _fits(standing: Standing, line: Line) -> bool:
    return (
        standing.state in line.start
        and standing.kind in line.kinds
        and line.urgency in (None, standing.urgency)
    )


def _after(standing: Standing, line: Line) -> Standing:
    if not isinstance(line.to, State):
        return standing
    return standing.at(Place(line.to, line.owner, line.deadline))


def _not_from_here(standing: Standing, step: Step) -> Refusal:
    state, done, steps = STATES[standing.state], STEPS[step], open_steps(standing)
    en = ", ".join(STEPS[one].en for one in steps) or "nothing"
    zh = "、".join(STEPS[one].zh for one in steps) or "无"
    over = standing.state in FINAL
    hint = Words("; it is over, request a new one", "，流程已结束，请重新申请") if over else Words("", "")
    return Refusal(
        "not-from-this-state",
        Words(
            f"cannot {done.en}: the consultation is in the state “{state.en}”, where one can: {en}{hint.en}",
            f"不能{done.zh}：该会诊当前状态为“{state.zh}”，可执行：{zh}{hint.zh}",
        ),
    )


def _not_yours(step: Step, party: Party, lines: Sequence[Line]) -> Refusal:
    allowed = [PARTIES[one] for one in Party if any(one in line.who for line in lines)]
    en, zh = _listed(allowed)
    return Refusal(
        "not-yours",
        Words(
            f"a {PARTIES[party].en} cannot {STEPS[step].en} here; this is for: {en}",
            f"{PARTIES[party].zh}不能在此{STEPS[step].zh}；有权者：{zh}",
        ),
    )


def _missing(step: Step, missing: tuple[Need, ...]) -> Refusal:
    en, zh = _listed(NEEDS[need] for need in missing)
    return Refusal(
        "something-missing",
        Words(f"cannot {STEPS[step].en} yet; missing: {en}", f"尚不能{STEPS[step].zh}；缺少：{zh}"),
        missing,
    )


def _listed(words: Iterable[Words]) -> tuple[str, str]:
    found = list(words)
    return ", ".join(word.en for word in found), "、".join(word.zh for word in found)
