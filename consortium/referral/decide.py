"""Whether a step may be taken, and where it leads: pure decisions by the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from consortium.referral.model import FINAL, Need, Party, Place, Side, Standing, State, Step, Words
from consortium.referral.table import TABLE, Line
from consortium.referral.words import NEEDS, PARTIES, STATES, STEPS

Code = Literal["not-from-this-state", "not-yours", "something-missing", "slot-taken"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a step is not taken."""

    code: Code
    why: Words
    missing: tuple[Need, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A step that may be taken, and how the referral stands after it."""

    line: Line
    after: Standing


def decide(standing: Standing, step: Step, party: Party, has: frozenset[Need]) -> Move | Refusal:
    """Decide about one step; `has` is what is there of what steps need."""
    lines = _from(standing, step)
    if not lines:
        return _not_from_here(standing, step)
    line = next((line for line in lines if _may(standing, line, party)), None)
    if line is None:
        return _not_yours(standing, step, party, lines)
    missing = tuple(need for need in Need if need in line.needs - has)
    if missing:
        return _missing(step, missing)
    return Move(line, _after(standing, line, party))


def open_steps(standing: Standing, party: Party | None = None) -> tuple[Step, ...]:
    """Return the steps that the state allows: to that party, or to anybody."""
    found = {
        line.step
        for line in TABLE
        if _fits(standing, line) and (party is None or _may(standing, line, party))
    }
    return tuple(step for step in Step if step in found)


def _from(standing: Standing, step: Step) -> list[Line]:
    return [line for line in TABLE if line.step is step and _fits(standing, line)]


def _fits(standing: Standing, line: Line) -> bool:
    return standing.state in line.start and line.asked in (None, standing.asked)


def _may(standing: Standing, line: Line, party: Party) -> bool:
    owner = standing.place.owner
    return party in line.who and (not line.owners_side or (owner is not None and owner.side is party.side))


def _after(standing: Standing, line: Line, party: Party) -> Standing:
    if not isinstance(line.to, State):
        return standing if line.to == "stays" else _back(standing)
    place = Place(line.to, line.owner, line.deadline)
    if line.to is State.CANCEL_REQUESTED:
        side = Side.RECEIVING if party.side is Side.RECEIVING else Side.SENDING
        return Standing(place, standing.place, side)
    return Standing(place)


def _back(standing: Standing) -> Standing:
    assert standing.resume is not None  # noqa: S101 - request_cancel, the only way in, has set it
    return Standing(standing.resume)


def _not_from_here(standing: Standing, step: Step) -> Refusal:
    state, done = STATES[standing.state], STEPS[step]
    steps = open_steps(standing)
    over = standing.state in FINAL and not steps
    en = _listed((STEPS[s].en for s in steps), ", ") or "nothing"
    zh = _listed((STEPS[s].zh for s in steps), "、") or "无"
    hint = Words("; it is over, begin a new referral", "，流程已结束，请新建转诊") if over else Words("", "")
    return Refusal(
        "not-from-this-state",
        Words(
            f"cannot {done.en}: the referral is in the state “{state.en}”, where one can: {en}{hint.en}",
            f"不能{done.zh}：该转诊当前状态为“{state.zh}”，可执行：{zh}{hint.zh}",
        ),
    )


def _not_yours(standing: Standing, step: Step, party: Party, lines: list[Line]) -> Refusal:
    allowed = [p for p in Party if any(_may(standing, line, p) for line in lines)]
    en, zh = _listed((PARTIES[p].en for p in allowed), ", "), _listed((PARTIES[p].zh for p in allowed), "、")
    return Refusal(
        "not-yours",
        Words(
            f"a {PARTIES[party].en} cannot {STEPS[step].en} here; this is for: {en}",
            f"{PARTIES[party].zh}不能在此{STEPS[step].zh}；有权者：{zh}",
        ),
    )


def _missing(step: Step, missing: tuple[Need, ...]) -> Refusal:
    en, zh = _listed((NEEDS[n].en for n in missing), ", "), _listed((NEEDS[n].zh for n in missing), "、")
    return Refusal(
        "something-missing",
        Words(f"cannot {STEPS[step].en} yet; missing: {en}", f"尚不能{STEPS[step].zh}；缺少：{zh}"),
        missing,
    )


def _listed(words: Iterable[str], joint: str) -> str:
    return joint.join(words)
