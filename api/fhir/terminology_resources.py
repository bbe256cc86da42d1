"""ConceptMap, CodeSystem and ValueSet (R4 sections 4.10, 4.8, 4.9)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from api.fhir.code_maps import CODES, MAP, VALUES, Match, Row
from bus.fhir.shapes import Resource, without_empty
from consortium.documents.affinity import CodeList
from consortium.documents.hl7types import is_oid
from consortium.terminology.model import Entry, Kind

MASTER = "urn:yilian:master-data:"
VALIDITY = "urn:yilian:extension:validity"
"""First and last day on which a target of a map holds; without it always."""
OWNER = "urn:yilian:extension:owner"
"""Who answers for a target of a map; without it the campus."""
AFFINITY = "xds-"
"""What the names of the affinity domain's value sets begin with."""
_SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "1.2.840.10008.2.6.1": "http://dicom.nema.org/resources/ontology/DCM",
}


def concept_map(table: str, rows: Sequence[Row]) -> Resource:
    """Make the ConceptMap of a code table: a group for each campus and target system."""
    by_systems = sorted(rows, key=lambda row: (row.source, row.system, row.code, row.valid_from or date.min))
    groups = [
        {"source": source, "target": system, "element": _elements(found)}
        for (source, system), found in groupby(by_systems, key=lambda row: (row.source, row.system))
    ]
    body = {"targetUri": VALUES + table, "group": groups}
    return _canonical("ConceptMap", table, MAP + table, body)


def _elements(rows: Iterable[Row]) -> list[Resource]:
    """Return one element for each code, with a target for each of its periods."""
    return [
        {"code": code, "target": [_target(row) for row in found]}
        for code, found in groupby(rows, key=lambda row: row.code)
    ]


def _target(row: Row) -> Resource:
    target = {"code": row.target, "display": row.display, "equivalence": row.equivalence}
    return without_empty({"extension": list(_extensions(row)), **target})


def _extensions(row: Row) -> Iterator[Resource]:
    """Give on which days a target holds, and who answers for it, where the entry says so: R4 has no element
    for either on one target.
    """
    days = {"start": row.valid_from and str(row.valid_from), "end": row.valid_to and str(row.valid_to)}
    if any(days.values()):
        yield {"url": VALIDITY, "valuePeriod": without_empty(days)}
    if row.owner:
        yield {"url": OWNER, "valueString": row.owner}


def table_code_system(table: str, rows: Iterable[Row]) -> Resource | None:
    """Make the CodeSystem of a table's targets that have no other system; None: all have one."""
    own = {row.target: row.display for row in rows if row.system == CODES + table}
    concepts = [without_empty({"code": code, "display": name}) for code, name in sorted(own.items())]
    return _code_system(table, CODES + table, concepts) if concepts else None


def master_code_system(kind: Kind, owner: str, entries: Iterable[Entry]) -> Resource:
    """Make the CodeSystem of an owner's entries in force; what is of another code system is not in it."""
    own = [entry for entry in entries if not entry.attributes.get("system")]
    concepts = [{"code": entry.code, "display": entry.name} for entry in own]
    return _code_system(f"{kind.value}.{owner}", f"{MASTER}{kind.value}:{owner}", concepts)


def _code_system(id_: str, url: str, concepts: Sequence[Resource]) -> Resource:
    body = {"caseSensitive": True, "content": "complete", "count": len(concepts), "concept": concepts}
    return _canonical("CodeSystem", id_, url, body)


def value_set(table: str, rows: Iterable[Row]) -> Resource:
    """Make the ValueSet of a table's targets."""
    found = sorted({(row.system, row.target): row.display for row in rows}.items())
    include = [
        {
            "system": system,
            "concept": [without_empty({"code": code, "display": name}) for (_, code), name in group],
        }
        for system, group in groupby(found, key=lambda item: item[0][0])
    ]
    return _canonical("ValueSet", table, VALUES + table, {"compose": {"include": include}} if include else {})


def affinity_value_set(name: str, listed: CodeList) -> Resource:
    """Make the ValueSet of a list of the affinity domain, in Chinese with English designations."""
    by_system: dict[str, list[Resource]] = {}
    for code, concept in listed.coded():
        shown = {"code": code.code, "display": concept.zh, "designation": [_english(concept.en)]}
        by_system.setdefault(_system_uri(code.scheme), []).append(shown)
    include = [{"system": system, "concept": found} for system, found in by_system.items()]
    table = f"{AFFINITY}{name.replace('_', '-')}"
    made = _canonical("ValueSet", table, VALUES + table, {"compose": {"include": include}})
    extensible = "codes beside these are taken" if listed.open else "no other code is taken"
    return made | {"title": listed.zh, "description": f"{listed.en}; {extensible}", "immutable": False}


def _english(text: str) -> Resource:
    return {"language": "en", "value": text}


def _system_uri(scheme: str) -> str:
    """Return what FHIR calls the coding scheme of metadata."""
    known = _SYSTEMS.get(scheme)
    return known or (f"urn:oid:{scheme}" if is_oid(scheme) else scheme)


def _canonical(kind: str, id_: str, url: str, body: dict[str, Any]) -> Resource:
    body = without_empty(body)
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = "".join(part.capitalize() for part in id_.replace(".", "-").split("-"))
    return {
        "resourceType": kind,
        "id": id_,
        "meta": {"versionId": version},
        "url": url,
        "version": version,
        "name": name,
        "title": id_,
        "status": "active",
        **body,
    }


def translation(matches: Sequence[Match], code: str) -> Resource:
    """Make the answer of `$translate` (R4 section 4.10.17.1, out parameters)."""
    parameters: list[Resource] = [{"name": "result", "valueBoolean": bool(matches)}]
    if not matches:
        message = f"no map knows the code {code}; see the worklist /api/v1/codes/unmapped"
        parameters.append({"name": "message", "valueString": message})
    parameters += [{"name": "match", "part": _parts(match)} for match in matches]
    return {"resourceType": "Parameters", "parameter": parameters}


def _parts(match: Match) -> list[Resource]:
    concept = without_empty({"system": match.system, "code": match.code, "display": match.display})
    return [
        {"name": "equivalence", "valueCode": match.equivalence},
        {"name": "concept", "valueCoding": concept},
        {"name": "source", "valueUri": MAP + match.table},
    ]
