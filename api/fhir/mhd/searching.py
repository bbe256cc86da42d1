"""MHD's search parameters as stored queries (ITI TF-2 §3.66.4.1, §3.67.4.1): both find the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from api.fhir.dates import ALWAYS
from api.fhir.parameters import Query, Token
from api.fhir.wrong import wrong_value
from bus.fhir.documents.terms import URN_OID, scheme_of
from consortium.documents.affinity import AffinityDomain
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.model import URN_UUID, Availability, PatientId, dtm

Slots = dict[str, tuple[tuple[str, ...], ...]]
_CODES = {
    "category": ("ClassCode", "class"),
    "type": ("TypeCode", "type"),
    "setting": ("PracticeSettingCode", "practice_setting"),
    "facility": ("HealthcareFacilityTypeCode", "facility_type"),
    "event": ("EventCodeList", "event"),
    "security-label": ("ConfidentialityCode", "confidentiality"),
    "format": ("FormatCode", "format"),
}
DOCUMENT_PARAMETERS = (
    ("patient", "reference", "golden person; needed, unless _id or identifier is given"),
    ("patient.identifier", "token", "consortium id, ID card, or a campus's patient number"),
    ("_id", "token", "logical id"),
    ("identifier", "token", "uniqueId or entryUUID, of urn:ietf:rfc:3986"),
    ("status", "token", "current, superseded"),
    ("creation", "date", "when the document was made"),
    ("date", "date", "as creation"),
    ("period", "date", "when the care took place"),
    ("author.family", "string", "family name, or the whole Chinese name"),
    ("author.given", "string", "given name"),
    *(
        (name, "token", f"code of the affinity domain's list {listed}")
        for name, (_, listed) in _CODES.items()
    ),
)
LIST_PARAMETERS = (
    ("patient", "reference", "golden person; needed, unless _id or identifier is given"),
    ("patient.identifier", "token", "consortium id, ID card, or a campus's patient number"),
    ("_id", "token", "logical id"),
    ("code", "token", "submissionset or folder; without it both"),
    ("identifier", "token", "uniqueId or entryUUID, of urn:ietf:rfc:3986"),
    ("status", "token", "current, retired"),
    ("date", "date", "when it was submitted; of a folder, when it changed"),
    ("designationType", "token", "contentTypeCode, or the codes of a folder"),
    ("sourceId", "token", "OID of the document source"),
    ("source.family", "string", "family name of the author"),
    ("source.given", "string", "given name of the author"),
)
_STATUS = {
    "current": Availability.APPROVED,
    "superseded": Availability.DEPRECATED,
    "retired": Availability.DEPRECATED,
}


def documents(query: Query, patient: PatientId | None, domain: AffinityDomain) -> list[StoredQuery]:
    """Read the parameters of ITI-67: the queries, any of whose documents are wanted."""
    narrowing = _documents(query, domain)
    ids, unique_ids = _identifiers(query)
    if ids or unique_ids:
        return [
            StoredQuery(QueryId.GET_DOCUMENTS, {f"$XDSDocumentEntry{name}": (values,)}, Return.LEAF_CLASS)
            for name, values in (("EntryUUID", ids), ("UniqueId", unique_ids))
            if values
        ]
    slots = {"$XDSDocumentEntryPatientId": ((str(_needed(patient)),),), **narrowing}
    return [StoredQuery(QueryId.FIND_DOCUMENTS, slots, Return.LEAF_CLASS)]


def lists(query: Query, patient: PatientId | None, domain: AffinityDomain) -> list[StoredQuery]:
    """Read the parameters of ITI-66."""
    kinds = {token.code for token in query.tokens("code")} or {"submissionset", "folder"}
    sets, folders = _sets(query, domain)
    ids, unique_ids = _identifiers(query)
    found = []
    for kind, by, whole, name, slots in (
        (
            "submissionset",
            QueryId.GET_SUBMISSION_SET_AND_CONTENTS,
            QueryId.FIND_SUBMISSION_SETS,
            "SubmissionSet",
            sets,
        ),
        ("folder", QueryId.GET_FOLDERS, QueryId.FIND_FOLDERS, "Folder", folders),
    ):
        if kind not in kinds:
            continue
        for key, values in (("EntryUUID", ids), ("UniqueId", unique_ids)):
            found += [StoredQuery(by, {f"$XDS{name}{key}": ((one,),)}, Return.LEAF_CLASS) for one in values]
        if not (ids or unique_ids):
            asked = {f"$XDS{name}PatientId": ((str(_needed(patient)),),), **slots}
            found.append(StoredQuery(whole, asked, Return.LEAF_CLASS))
    return found


def by_ids(query: QueryId, name: str, ids: Sequence[str], returns: Return = Return.LEAF_CLASS) -> StoredQuery:
    """Ask for objects by their ids; as references where they may be of several people, after a split."""
    return StoredQuery(query, {name: (tuple(ids),)}, returns)


def _needed(patient: PatientId | None) -> PatientId:
    if patient is None:
        raise wrong_value("patient", "say whose: patient, patient.identifier, _id or identifier")
    return patient


def _documents(query: Query, domain: AffinityDomain) -> Slots:
    slots: Slots = {"$XDSDocumentEntryStatus": _statuses(query)}
    for name, (slot, listed) in _CODES.items():
        if tokens := query.tokens(name):
            slots[f"$XDSDocumentEntry{slot}"] = (_codes(tokens, listed, domain),)
    slots |= _author(query, "author", "$XDSDocumentEntryAuthorPerson")
    made, said, period = query.span("creation"), query.span("date"), query.span("period")
    made = made.within(said)
    slots |= _between("$XDSDocumentEntryCreationTime", made.since, made.before)
    if period != ALWAYS:  # what began before its end, and ended after its beginning
        slots |= _between("$XDSDocumentEntryServiceStopTime", period.since, None)
        slots |= _between("$XDSDocumentEntryServiceStartTime", None, period.before)
    return slots


def _sets(query: Query, domain: AffinityDomain) -> tuple[Slots, Slots]:
    statuses, span = _statuses(query), query.span("date")
    sets: Slots = {"$XDSSubmissionSetStatus": statuses}
    folders: Slots = {"$XDSFolderStatus": statuses}
    sets |= _between("$XDSSubmissionSetSubmissionTime", span.since, span.before)
    folders |= _between("$XDSFolderLastUpdateTime", span.since, span.before)
    if kinds := query.tokens("designationType"):
        sets["$XDSSubmissionSetContentType"] = (_codes(kinds, "content_type", domain),)
        folders["$XDSFolderCodeList"] = (_codes(kinds, "folder", domain),)
    if sources := query.tokens("sourceId"):
        sets["$XDSSubmissionSetSourceId"] = (tuple(one.code.removeprefix(URN_OID) for one in sources),)
    return sets | _author(query, "source", "$XDSSubmissionSetAuthorPerson"), folders


def _statuses(query: Query) -> tuple[tuple[str, ...], ...]:
    wanted = {_STATUS.get(token.code) for token in query.tokens("status")} - {None}
    return (tuple(sorted(one.value for one in wanted or set(Availability) if one)),)


def _codes(tokens: Sequence[Token], listed: str, domain: AffinityDomain) -> tuple[str, ...]:
    """Write tokens as code^^scheme; a code without system is that of every system of its list."""
    found: list[str] = []
    for token in tokens:
        if token.system:
            found.append(f"{token.code}^^{scheme_of(token.system)}")
        else:
            known = [code for code, _ in domain.codes[listed].coded() if code.code == token.code]
            found += [f"{code.code}^^{code.scheme}" for code in known] or [f"{token.code}^^-"]
    return tuple(found)


def _author(query: Query, name: str, slot: str) -> Slots:
    family, given = query.one(f"{name}.family"), query.one(f"{name}.given")
    if not family and not given:
        return {}
    parts = [one.value.replace("%", "").replace("_", "") for one in (family, given) if one]
    return {slot: (("%^" + "%^".join(parts) + "%",),)}


def _between(slot: str, since: datetime | None, before: datetime | None) -> Slots:
    ends = {"From": since, "To": before}
    return {f"{slot}{end}": ((dtm(at.astimezone(UTC)),),) for end, at in ends.items() if at is not None}


def _identifiers(query: Query) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return entry UUIDs and uniqueIds of `_id` and `identifier`."""
    ids = [f"{URN_UUID}{value.lower()}" for value in query.values("_id")]
    unique_ids = []
    for token in query.tokens("identifier"):
        if token.code.startswith(URN_UUID):
            ids.append(token.code.lower())
        else:
            unique_ids.append(token.code.removeprefix(URN_OID))
    for id_ in ids:
        try:
            UUID(id_.removeprefix(URN_UUID))
        except ValueError:
            raise wrong_value("_id", "logical ids here are UUIDs") from None
    return tuple(ids), tuple(unique_ids)
