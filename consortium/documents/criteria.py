"""The parameters of each stored query (ITI TF-2 §3.18.4.1.2.3.7), and what they must be. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consortium.documents import columns
from consortium.documents.asking import QueryId, StoredQuery
from consortium.documents.errors import ErrorCode, RefusedError, refusal
from consortium.documents.hl7types import instant, patient_id
from consortium.documents.model import AssociationType, Availability, ObjectType, PatientId


class How(enum.Enum):
    """What the values of a parameter are."""

    CODE = "code"
    LIKE = "like"
    TEXT = "text"
    TIME_FROM = "from"
    TIME_TO = "to"
    STATUS = "status"
    OBJECT_TYPE = "object type"
    PATIENT = "patient"
    ASSOCIATION_TYPE = "association type"
    UUID = "uuid"


_SINGLE = frozenset({How.TIME_FROM, How.TIME_TO})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the column that it narrows, or the key that the query reads it by."""

    name: str
    of: str
    how: How
    required: bool = False
    every: bool = False
    """Whether several slots may be sent, all of which must match (AND)."""
    one: bool = False
    """Whether it takes a single value."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A column that has, or among whose values is, one of these."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """A column one of whose values matches one of these patterns: % any characters, _ one."""

    column: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A time from `since` on and before `before`."""

    column: str
    since: datetime | None = None
    before: datetime | None = None


Condition = AnyOf | Like | Between


@dataclass(frozen=True, slots=True)
class Criteria:
    """A stored query, understood."""

    query: QueryId
    documents: tuple[Condition, ...] = ()
    submission_sets: tuple[Condition, ...] = ()
    folders: tuple[Condition, ...] = ()
    patients: tuple[PatientId, ...] = ()
    ids: tuple[str, ...] = ()
    """Entry UUIDs, lower case."""
    unique_ids: tuple[str, ...] = ()
    association_types: tuple[AssociationType, ...] = ()


_DOC, _SET, _FOLDER = "documents", "submission_sets", "folders"


def _doc(name: str, column: str, how: How, **more: bool) -> Parameter:
    return Parameter(f"$XDSDocumentEntry{name}", f"{_DOC}.{column}", how, **more)


def _set(name: str, column: str, how: How, **more: bool) -> Parameter:
    return Parameter(f"$XDSSubmissionSet{name}", f"{_SET}.{column}", how, **more)


def _folder(name: str, column: str, how: How, **more: bool) -> Parameter:
    return Parameter(f"$XDSFolder{name}", f"{_FOLDER}.{column}", how, **more)


def _times(make: Any, name: str, column: str) -> tuple[Parameter, ...]:
    return (
        make(f"{name}From", column, How.TIME_FROM, one=True),
        make(f"{name}To", column, How.TIME_TO, one=True),
    )


_FORMAT = _doc("FormatCode", "format_code", How.CODE)
_CONFIDENTIALITY = _doc("ConfidentialityCode", "confidentiality_codes", How.CODE, every=True)
_TYPE = _doc("Type", "object_type", How.OBJECT_TYPE)
_CONTENTS = (_FORMAT, _CONFIDENTIALITY, _TYPE)
_DOC_STATUS = _doc("Status", "status", How.STATUS, required=True)
_NARROWING = (
    _doc("ClassCode", "class_code", How.CODE),
    _doc("TypeCode", "type_code", How.CODE),
    _doc("PracticeSettingCode", "practice_setting_code", How.CODE),
    _doc("HealthcareFacilityTypeCode", "facility_type_code", How.CODE),
    _doc("EventCodeList", "event_codes", How.CODE, every=True),
    _doc("AuthorPerson", "author_persons", How.LIKE),
    *_times(_doc, "CreationTime", "creation_time"),
    *_times(_doc, "ServiceStartTime", "service_start_time"),
    *_times(_doc, "ServiceStopTime", "service_stop_time"),
    *_CONTENTS,
    _DOC_STATUS,
)
_FOLDER_NARROWING = (
    *_times(_folder, "LastUpdateTime", "last_update_time"),
    _folder("CodeList", "codes", How.CODE, every=True),
    _folder("Status", "status", How.STATUS, required=True),
)


def _patient(name: str, *, required: bool = True, one: bool = True) -> Parameter:
    return Parameter(name, "patients", How.PATIENT, required=required, one=one)


def _ids(name: str, *, one: bool = False) -> tuple[Parameter, ...]:
    return (
        Parameter(f"${name}EntryUUID", "ids", How.UUID, one=one),
        Parameter(f"${name}UniqueId", "unique_ids", How.TEXT, one=one),
    )


_UUID = Parameter("$uuid", "ids", How.UUID, required=True)
_REFERENCES = _doc("ReferenceIdList", "reference_ids", How.TEXT, required=True, every=True)
_RELATED = Parameter("$AssociationTypes", "association_types", How.ASSOCIATION_TYPE, required=True)

PARAMETERS: Mapping[QueryId, tuple[Parameter, ...]] = {
    QueryId.FIND_DOCUMENTS: (_patient("$XDSDocumentEntryPatientId"), *_NARROWING),
    QueryId.FIND_DOCUMENTS_BY_REFERENCE_ID: (
        _patient("$XDSDocumentEntryPatientId"),
        _REFERENCES,
        *_NARROWING,
    ),
    QueryId.FIND_SUBMISSION_SETS: (
        _patient("$XDSSubmissionSetPatientId"),
        _set("SourceId", "source_id", How.TEXT),
        *_times(_set, "SubmissionTime", "submission_time"),
        _set("AuthorPerson", "author_persons", How.LIKE, one=True),
        _set("ContentType", "content_type_code", How.CODE),
        _set("Status", "status", How.STATUS, required=True),
    ),
    QueryId.FIND_FOLDERS: (_patient("$XDSFolderPatientId"), *_FOLDER_NARROWING),
    QueryId.GET_ALL: (
        _patient("$patientId"),
        _DOC_STATUS,
        _set("Status", "status", How.STATUS, required=True),
        _folder("Status", "status", How.STATUS, required=True),
        *_CONTENTS,
    ),
    QueryId.GET_DOCUMENTS: _ids("XDSDocumentEntry"),
    QueryId.GET_FOLDERS: _ids("XDSFolder"),
    QueryId.GET_ASSOCIATIONS: (_UUID,),
    QueryId.GET_DOCUMENTS_AND_ASSOCIATIONS: _ids("XDSDocumentEntry"),
    QueryId.GET_SUBMISSION_SETS: (_UUID,),
    QueryId.GET_SUBMISSION_SET_AND_CONTENTS: (*_ids("XDSSubmissionSet", one=True), *_CONTENTS),
    QueryId.GET_FOLDER_AND_CONTENTS: (*_ids("XDSFolder", one=True), *_CONTENTS),
    QueryId.GET_FOLDERS_FOR_DOCUMENT: _ids("XDSDocumentEntry", one=True),
    QueryId.GET_RELATED_DOCUMENTS: (*_ids("XDSDocumentEntry", one=True), _RELATED, _TYPE),
    QueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: (
        _patient("$XDSDocumentEntryPatientId", required=False, one=False),
        *_NARROWING,
    ),
    QueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: (
        _patient("$XDSFolderPatientId", required=False, one=False),
        *_FOLDER_NARROWING,
    ),
}
"""What each query takes; a parameter that is not named is not looked at."""

_STABLE_UNLESS_ASKED = frozenset(query for query, parameters in PARAMETERS.items() if _TYPE in parameters)
_ONE_OF = {
    QueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: (
        "$XDSDocumentEntryPatientId",
        "$XDSDocumentEntryClassCode",
        "$XDSDocumentEntryEventCodeList",
        "$XDSDocumentEntryHealthcareFacilityTypeCode",
    ),
    QueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: ("$XDSFolderPatientId", "$XDSFolderCodeList"),
}
"""Without one of these a query over all patients would read everything."""


def understood(asked: StoredQuery) -> Criteria:
    """Read the parameters of a query.

    Raises:
        RefusedError: an unknown query; a missing parameter; too many values; a value of another form.
    """
    query = _query(asked)
    given: dict[str, list[Any]] = {}
    for parameter in PARAMETERS[query]:
        for value in _read(parameter, asked.parameters.get(parameter.name, ())):
            given.setdefault(parameter.of, []).append(value)
    _complete(query, asked)
    if query in _STABLE_UNLESS_ASKED:
        stable = AnyOf("object_type", (columns.OBJECT_TYPE[ObjectType.STABLE],))
        given.setdefault(f"{_DOC}.object_type", [stable])
    keyed = {
        name: tuple(given.get(name, ())) for name in ("patients", "ids", "unique_ids", "association_types")
    }
    return Criteria(query, _of(_DOC, given), _of(_SET, given), _of(_FOLDER, given), **keyed)


def _query(asked: StoredQuery) -> QueryId:
    id_ = asked.id.strip().lower()
    if id_ not in set(QueryId):
        raise refusal(ErrorCode.UNKNOWN_STORED_QUERY, f"no stored query has the id {asked.id}", asked.id)
    return QueryId(id_)


def _of(kind: str, given: Mapping[str, list[Any]]) -> tuple[Condition, ...]:
    found = (condition for name, each in given.items() if name.startswith(f"{kind}.") for condition in each)
    return tuple(found)


def _read(parameter: Parameter, slots: tuple[tuple[str, ...], ...]) -> Iterator[Any]:
    slots = tuple(values for values in slots if values)
    if not slots:
        if parameter.required:
            raise refusal(
                ErrorCode.STORED_QUERY_MISSING_PARAMETER,
                f"{parameter.name} is missing: this query needs it",
                parameter.name,
            )
        return
    if len(slots) > 1 and not parameter.every:
        raise _number(parameter, "takes one slot; put the values into one list ('a','b')")
    if parameter.one and len(slots[0]) > 1:
        raise _number(parameter, f"takes one value, {len(slots[0])} were sent")
    for values in slots:
        yield from _condition(parameter, values)


def _condition(parameter: Parameter, values: tuple[str, ...]) -> Iterator[Any]:
    how, column = parameter.how, parameter.of.rpartition(".")[2]
    if how in _SINGLE:
        at = instant(values[0])
        if at is None:
            raise _wrong(parameter, "takes a time in UTC, YYYY[MM[DD[hh[mm[ss]]]]]")
        yield Between(column, at if how is How.TIME_FROM else None, at if how is How.TIME_TO else None)
    elif how is How.LIKE:
        yield Like(column, values)
    elif "." in parameter.of:
        yield AnyOf(column, tuple(_value(parameter, value) for value in values))
    else:
        yield from (_key(parameter, value) for value in values)


def _value(parameter: Parameter, value: str) -> str:
    if parameter.how is How.CODE and not re.fullmatch(r"[^^]+\^\^[^^]+", value):
        raise _wrong(parameter, "takes codes with their scheme, code^^scheme")
    if parameter.how is How.STATUS:
        if value not in set(Availability):
            raise _wrong(parameter, f"takes {' or '.join(Availability)}")
        return columns.STATUS[Availability(value)]
    if parameter.how is How.OBJECT_TYPE:
        if value not in set(ObjectType):
            raise _wrong(parameter, f"takes {' or '.join(ObjectType)}")
        return columns.OBJECT_TYPE[ObjectType(value)]
    return value


def _key(parameter: Parameter, value: str) -> Any:
    if parameter.how is How.PATIENT:
        patient = patient_id(value)
        if patient is None:
            raise _wrong(parameter, "takes patient ids written number^^^&oid&ISO")
        return patient
    if parameter.how is How.ASSOCIATION_TYPE:
        if value not in set(AssociationType):
            raise _wrong(parameter, f"names no type of association: {value}")
        return AssociationType(value)
    if parameter.how is How.UUID:
        if not re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value.lower()):
            raise _wrong(parameter, "takes ids written urn:uuid:…")
        return value.lower()
    return value


def _complete(query: QueryId, asked: StoredQuery) -> None:
    given = {name for name, slots in asked.parameters.items() if any(slots)}
    pair = [each.name for each in PARAMETERS[query] if each.of in ("ids", "unique_ids")]
    if len(pair) == 2:
        if not given.intersection(pair):
            raise refusal(
                ErrorCode.STORED_QUERY_MISSING_PARAMETER, f"{' or '.join(pair)} is missing", pair[0]
            )
        if given.issuperset(pair):
            context = f"{' and '.join(pair)} are both there: send one of them"
            raise refusal(ErrorCode.STORED_QUERY_PARAMETER_NUMBER, context, pair[0])
    wanted = _ONE_OF.get(query, ())
    if wanted and not given.intersection(wanted):
        context = f"at least one of {', '.join(wanted)} is needed"
        raise refusal(ErrorCode.STORED_QUERY_MISSING_PARAMETER, context, wanted[0])


def _number(parameter: Parameter, what: str) -> RefusedError:
    return refusal(ErrorCode.STORED_QUERY_PARAMETER_NUMBER, f"{parameter.name} {what}", parameter.name)


def _wrong(parameter: Parameter, what: str) -> RefusedError:
    return refusal(ErrorCode.REGISTRY_ERROR, f"{parameter.name} {what}", parameter.name)


def matches(searched: Mapping[str, Any], conditions: tuple[Condition, ...]) -> bool:
    """Whether an object, by its `consortium.documents.columns`, meets every condition."""
    return all(_meets(searched[each.column], each) for each in conditions)


def _meets(value: Any, condition: Condition) -> bool:
    values = value if isinstance(value, list) else [value]
    if isinstance(condition, AnyOf):
        return any(each in condition.values for each in values)
    if isinstance(condition, Like):
        return any(like(each, pattern) for each in values for pattern in condition.patterns)
    since, before = condition.since, condition.before
    return value is not None and (since is None or value >= since) and (before is None or value < before)


def like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern of SQL's LIKE: `%` is any text, `_` one character.

    It goes back to the last `%` alone, so that no pattern costs more than text times pattern.
    """
    at = place = 0
    star, resume = -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == "%":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("_", text[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return not pattern[place:].strip("%")
