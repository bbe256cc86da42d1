"""Mutual recognition: before a test or examination is ordered, what is there already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.failures import Failure, FailureError, FieldError
from api.fhir.code_maps import Question, rows_of, translate
from api.fhir.code_maps import Row as MapRow
from bus.codes.mapping import tables_in_force
from bus.fhir.systems import Systems
from consortium.access.model import Action, Resource
from consortium.recognition.catalogue import Catalogue, CatalogueError, Item, load
from consortium.recognition.judge import Judged, Reason
from consortium.recognition.service import recognise

router = APIRouter(prefix="/recognition", tags=["records"])
Reader = Annotated[Caller, Depends(gate(Action.RECORD_READ))]
REASONS: dict[Reason, str] = {
    "status": "报告未审核或已作废 / it is not final",
    "campus": "该院区不在互认范围 / its campus is outside the programme",
    "expired": "超过互认时限 / it is older than the item allows",
    "critical": "含危急值，应复查 / it holds a critical value, which is looked at again",
    "no_result": "报告没有结果 / it has no result",
}


class Found(BaseModel):
    """One report of the item."""

    report: str = Field(examples=["DiagnosticReport/0c5e…"], description="reference below /fhir")
    facility: str = Field(examples=["MAIN"])
    number: str = Field(description="accession number at its campus")
    issued_at: datetime
    valid_until: datetime
    reasons: list[str] = Field(description="why it does not spare the repeat; empty: it does")


class Answer(BaseModel):
    """What is known of one planned item."""

    asked: str = Field(examples=["http://loinc.org|58410-2"])
    advice: Literal["recognise", "repeat", "not_in_programme"] = Field(
        description="recognise: a result spares it; repeat: none does; not_in_programme: never recognised"
    )
    name: str | None = None
    valid_days: int | None = None
    recognised: list[Found] = []
    not_recognised: list[Found] = []


@router.get("", summary="Which recent results spare a planned test or examination")
def list_recognised(
    caller: Reader,
    patient: Annotated[UUID, Query(description="golden person")],
    code: Annotated[
        list[str],
        Query(min_length=1, max_length=20, description="system|code, a campus's own dictionary included"),
    ],
) -> list[Answer]:
    """Answer for each planned item: reports of any campus that spare it, and those that do not with why."""
    decision = caller.allow(Resource(person_id=patient))
    with caller.parts.statements.connect() as connection:
        asking = _Asking(caller, connection, patient, _catalogue(caller))
        answers = [asking.answer(one) for one in code]
    caller.note(decision.reason, [patient])
    return answers


def _catalogue(caller: Caller) -> Catalogue:
    try:
        return load(caller.parts.settings.rules_dir)
    except CatalogueError as error:
        detail = "the file of mutual recognition cannot be used; the engineer sees why by ./yilian rules lint"
        raise FailureError(Failure(503, "recognition-unavailable", detail)) from error


@dataclass(frozen=True)
class _Asking:
    """One request: about one patient, by one catalogue and the code tables as they are now."""

    caller: Caller
    connection: Connection
    person: UUID
    catalogue: Catalogue

    def answer(self, asked: str) -> Answer:
        """Answer for one planned item. Raises FailureError (422)."""
        system, bar, code = asked.rpartition("|")
        if not code:
            error = FieldError("code", "give system|code, or code")
            raise FailureError(Failure(422, "invalid", "a code is empty", [error]))
        item = self._item(code, system if bar else None)
        if item is None:
            return Answer(asked=asked, advice="not_in_programme")
        now = self.caller.parts.now()
        judged = recognise(self.connection, self.person, item, self.catalogue, now)
        spared = [_found(one) for one in judged if one.recognised]
        return Answer(
            asked=asked,
            advice="recognise" if spared else "repeat",
            name=item.name,
            valid_days=item.valid_days,
            recognised=spared,
            not_recognised=[_found(one) for one in judged if not one.recognised],
        )

    def _item(self, code: str, system: str | None) -> Item | None:
        """Return the item of a code: the consortium's own, or a campus's that the code tables translate."""
        if (item := self.catalogue.find(code, system)) or system is None:
            return item
        matches = translate(self._rows, Question(code, system), self._systems)
        found = {self.catalogue.find(one.code, one.system) for one in matches}
        items = [one for one in found if one is not None]
        return items[0] if len(items) == 1 else None

    @cached_property
    def _systems(self) -> Systems:
        return Systems(self.caller.parts.settings)

    @cached_property
    def _rows(self) -> list[MapRow]:
        tables = tables_in_force(self.connection, self.caller.parts.settings.rules_dir).values()
        today = self.caller.parts.today()
        return [row for table in tables for row in rows_of(table, self._systems, today)]


def _found(judged: Judged) -> Found:
    return Found(
        report=f"DiagnosticReport/{judged.report_id}",
        facility=judged.facility,
        number=judged.number,
        issued_at=judged.at,
        valid_until=judged.valid_until,
        reasons=[REASONS[reason] for reason in judged.reasons],
    )
