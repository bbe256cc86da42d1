"""Full-text search in documents: of one patient, and across patients for those who were given it by name."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from consortium.access.model import GROUP, GROUPS_OWN, Action, Resource
from consortium.documents import fulltext
from consortium.documents.fulltext import COUNTED, Answer, Hit, Scope
from consortium.documents.phrases import LONGEST_QUERY
from consortium.documents.snippets import as_html

router = APIRouter(tags=["documents"])
Reader = Annotated[Caller, Depends(gate(Action.DOCUMENT_READ))]
Searcher = Annotated[Caller, Depends(gate(Action.DOCUMENT_SEARCH))]

Text = Annotated[
    str,
    Query(
        min_length=1,
        max_length=LONGEST_QUERY,
        description="terms with spaces between them; every one must be there, as it is written",
        examples=["高血压 糖尿病"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(description="`next` of the page before")]
Replaced = Annotated[bool, Query(description="also documents that others replace")]


class Piece(BaseModel):
    """A piece of a document's text."""

    text: str
    match: bool = Field(description="whether it is what was looked for")


class FoundDocument(BaseModel):
    """A document that was found."""

    id: UUID
    source: Literal["recorded", "shared"] = Field(
        description="`recorded`: /fhir/DocumentReference/{id}; `shared`: /fhir/mhd/DocumentReference/{id}"
    )
    person: UUID
    facility: str
    at: datetime
    title: str | None
    type: str = Field(description="its code", examples=["C0053"])
    type_name: str | None
    mime_type: str
    whole: bool = Field(description="whether the whole text stands there as it was asked")
    snippet: list[Piece]
    html: str = Field(description="the snippet as HTML: escaped, what matches in `mark`")


class FoundDocuments(BaseModel):
    """A page of documents: those with the whole text first, then the newest first."""

    documents: list[FoundDocument]
    total: int | None = Field(description=f"{COUNTED} at most; with the first page alone")
    more: bool = Field(description="whether there are more than `total`")
    next: str | None = Field(description="send it as `after`; null: there are no more")


@router.get("/patients/{id}/documents", summary="Find documents of a patient by their text")
def search_of_patient(
    caller: Reader,
    id: UUID,  # noqa: A002 - the path's name of it
    text: Text,
    replaced: Replaced = False,
    limit: Limit = 20,
    after: After = None,
) -> FoundDocuments:
    """Search in all documents of a person, of every campus and number they have now. Audited."""
    decision = caller.allow(Resource(person_id=id))
    scope = Scope(id, replaced=replaced, restricted=True)
    with caller.parts.statements.connect() as connection:
        found = fulltext.search(connection, text, scope, limit=limit, after=after)
    caller.note(decision.reason, [id])
    return _page(found)


@router.get("/documents/search", summary="Find documents of all patients by their text")
def search_across(
    caller: Searcher,
    text: Text,
    reason: Annotated[str, Query(min_length=2, max_length=200, description="why; kept in the audit")],
    facility: Annotated[
        str | None, Query(description="documents from this campus; those of a campus search in their own")
    ] = None,
    replaced: Replaced = False,
    limit: Limit = 20,
    after: After = None,
) -> FoundDocuments:
    """Search in the documents of one's campus, or of all of them for those of the whole consortium. What is
    marked restricted, or is of a VIP, is left out. Every search is in the audit, with its reason and those it
    found.
    """
    organisation = caller.user.organisation
    campus = facility or (None if organisation == GROUP else organisation)
    caller.allow(GROUPS_OWN if campus is None else Resource(organisation=campus))
    with caller.parts.statements.connect() as connection:
        found = fulltext.search(connection, text, Scope(None, campus, replaced), limit=limit, after=after)
    caller.note(f"documents searched: {reason}", sorted({hit.person_id for hit in found.hits}))
    return _page(found)


def _page(found: Answer) -> FoundDocuments:
    documents = [_document(hit) for hit in found.hits]
    return FoundDocuments(documents=documents, total=found.total, more=found.more, next=found.after)


def _document(hit: Hit) -> FoundDocument:
    return FoundDocument(
        id=hit.id,
        source=hit.source,
        person=hit.person_id,
        facility=hit.facility,
        at=hit.at,
        title=hit.title,
        type=hit.type_code,
        type_name=hit.type_name,
        mime_type=hit.mime_type,
        whole=hit.whole,
        snippet=[Piece(text=each.text, match=each.match) for each in hit.snippet],
        html=as_html(hit.snippet),
    )
