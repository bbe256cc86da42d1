"""What the rules make of a message."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bus.rules.spec import OrderClass, Sending
from consortium.records.model import Change


@dataclass(frozen=True, slots=True)
class Miss:
    """A code that its table does not know."""

    table: str
    code: str


@dataclass(frozen=True, slots=True)
class Warned:
    """What a Schematron warns of; the message goes on."""

    id: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a message cannot go on. Nothing here quotes a patient's data."""

    code: str
    """Machine-readable: no_rule, unmapped_code, rejected_code, schematron, bad_field, impossible_date, and
    those of an unreadable body.
    """
    reason: str
    """What, where and what to do, for a person."""
    rule: str | None = None
    step: str | None = None
    """match, map, lookup <table>, convert <type>, check."""
    field: str | None = None
    """Path in the message, or in the canonical model where the message has none."""
    target: str | None = None
    """Field that the step was writing: `patient.birth_date`, `destinations.ward`, `match`."""
    miss: Miss | None = None
    """The code whose mapping will let it go on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A change to record, or why there is none."""

    outcome: Change | Hold
    """Of a message that is split, the first change."""
    rule: str | None
    order: OrderClass
    waits: bool
    """Whether it waits behind a held message of its patient even when the patient is known."""
    blocks: bool
    """Whether, held, it makes the patient's later messages wait."""
    misses: tuple[Miss, ...] = ()
    version: str | None = None
    """`Provenance.source_version`."""
    sendings: tuple[Sending, ...] = ()
    """Where it goes once it is recorded."""
    enriched: bool = False
    """Whether the records had a say in it: it holds for this moment only."""
    warnings: tuple[Warned, ...] = ()
    rest: tuple[Change, ...] = ()
    """The changes behind the first, of a message that is split."""
    split: bool = False
    """Whether the rule splits it: each change is of its own patient."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes, in the message's order; none of a held one."""
        return () if isinstance(self.outcome, Hold) else (self.outcome, *self.rest)

    def held(self, hold: Hold) -> Decision:
        """Return the same, held after all."""
        return replace(self, outcome=hold, rest=())


class HoldingError(Exception):
    """Raised inside a mapping to leave it; becomes the decision's `Hold`."""

    def __init__(self, hold: Hold, *, blocks: bool = True) -> None:
        super().__init__(hold.code)
        self.hold = hold
        self.blocks = blocks

    def inside(self, part: str) -> HoldingError:
        """Return the same, said of a field inside a repeated part such as `OBX[3]`."""
        within = f"{part}/{self.hold.field}" if self.hold.field else part
        return HoldingError(replace(self.hold, field=within), blocks=self.blocks)
