"""The statements of identity: loading source patients with their links, and writing what was decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity.decide import FACTS, FORMER
from consortium.identity.model import Facts, Former, Golden, Link, Observed, Score, SourcePatient
from consortium.identity.pipeline import Answer, Question, ask

_COLUMNS = """
SELECT s.id, s.facility, s.number, s.name, s.sex, s.birth_date, s.id_card, s.phone, s.address, s.deceased,
       s.vip, s.card, s.name_key, s.evidence, s.merged_into, s.survivor, s.version, s.message_id,
       s.source_version, s.changed_at, s.former,
       l.person_id, l.origin, l.rule, l.rule_version, l.weight, l.model_version, l.evidence AS waterfall
  FROM identity.source_patient s LEFT JOIN identity.link l ON l.source_patient_id = s.id
"""
# S608 below: two constants of this module are joined.
_BY_NUMBER = (
    _COLUMNS  # noqa: S608
    + """
 WHERE (s.facility, s.number) IN (SELECT * FROM unnest(%(facilities)s::text[], %(numbers)s::text[]))
 ORDER BY s.id FOR NO KEY UPDATE OF s
"""
)
_BY_ID = (
    _COLUMNS
    + """
 WHERE s.id = ANY(%(ids)s) ORDER BY s.id FOR NO KEY UPDATE OF s
"""
)
_RELATED = (
    _COLUMNS  # noqa: S608
    + """
 WHERE s.id IN (
   SELECT id FROM identity.source_patient WHERE card = ANY(%(cards)s)
   UNION SELECT id FROM identity.source_patient WHERE merged_into = ANY(%(ids)s)
   UNION SELECT source_patient_id FROM identity.link WHERE person_id = ANY(%(persons)s)
   UNION SELECT id FROM identity.source_patient
           JOIN unnest(%(facilities)s::text[], %(numbers)s::text[]) AS n(facility, number)
          USING (facility, number)
   UNION SELECT unnest(%(ids)s::bigint[]))
"""
)
_UNLOCKED = (
    _COLUMNS
    + """
 WHERE s.id = ANY(%(ids)s) ORDER BY s.id
"""
)
_LOCK = (
    "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(%(keys)s::bigint[]) AS key ORDER BY 1) AS sorted"
)
_NEXT_IDS = "SELECT nextval('identity.source_patient_id') FROM generate_series(1, %(count)s)"
_INSERT = """
INSERT INTO identity.source_patient
SELECT * FROM json_populate_recordset(NULL::identity.source_patient, %(rows)s::json)
"""
_UPDATE = """
WITH n AS MATERIALIZED (
  SELECT * FROM json_populate_recordset(NULL::identity.source_patient, %(rows)s::json)
), brought_back AS (
  INSERT INTO identity.retirement (source_patient_id, merged_into, message_id)
  SELECT n.id, NULL, n.message_id FROM n JOIN identity.source_patient s ON s.id = n.id
    JOIN identity.removal r ON r.source_patient_id = n.id
   WHERE n.merged_into IS NULL AND r.message_id >= s.message_id AND r.message_id < n.message_id
)
UPDATE identity.source_patient s
   SET name = n.name, sex = n.sex, birth_date = n.birth_date, id_card = n.id_card, phone = n.phone,
       address = n.address, deceased = n.deceased, vip = n.vip, card = n.card, name_key = n.name_key,
       evidence = n.evidence,
       merged_into = n.merged_into, survivor = n.survivor, version = n.version, message_id = n.message_id,
       source_version = n.source_version, changed_at = n.changed_at, former = n.former
  FROM n WHERE s.id = n.id
"""
_HISTORY = """
INSERT INTO identity.source_patient_history
SELECT * FROM json_populate_recordset(NULL::identity.source_patient_history, %(rows)s::json)
"""
_PERSONS = """
INSERT INTO identity.person SELECT * FROM json_populate_recordset(NULL::identity.person, %(rows)s::json)
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, sex = excluded.sex, birth_date = excluded.birth_date, id_card = excluded.id_card,
       phone = excluded.phone, address = excluded.address, deceased = excluded.deceased,
       vip = excluded.vip, active = excluded.active,
       changed_at = excluded.changed_at
"""
_LINKS = """
WITH moved AS MATERIALIZED (
  SELECT * FROM json_populate_recordset(NULL::identity.ledger, %(rows)s::json)
), noted AS (
  INSERT INTO identity.ledger
    (source_patient_id, from_person, to_person, origin, rule, rule_version, at, message_id, by_user, reason,
     weight, model_version, evidence)
  SELECT source_patient_id, from_person, to_person, CASE WHEN by_user IS NULL THEN origin ELSE 'manual' END,
         rule, rule_version, at, message_id, by_user, reason, weight, model_version, evidence
    FROM moved ORDER BY source_patient_id
)
INSERT INTO identity.link
  (source_patient_id, person_id, origin, rule, rule_version, at, message_id, weight, model_version, evidence)
SELECT source_patient_id, to_person, origin, rule, rule_version, at, message_id, weight, model_version,
       evidence
  FROM moved
ON CONFLICT (source_patient_id) DO UPDATE
   SET person_id = excluded.person_id, origin = excluded.origin, rule = excluded.rule,
       rule_version = excluded.rule_version, at = excluded.at, message_id = excluded.message_id,
       weight = excluded.weight, model_version = excluded.model_version, evidence = excluded.evidence
"""

_SURVIVOR = """
WITH RECURSIVE chain AS (
  SELECT id, merged_into FROM identity.source_patient WHERE id = %(id)s
  UNION SELECT s.id, s.merged_into FROM identity.source_patient s JOIN chain c ON s.id = c.merged_into)
SELECT id FROM chain WHERE merged_into IS NULL
"""

_OBSERVED = tuple(each.name for each in fields(Observed))
_OWN = tuple(e.name for e in fields(SourcePatient) if e.name not in {"facts", "observed", "former", "link"})

Number = tuple[str, str]
"""Facility and patient number."""


def by_number(connection: sa.Connection, numbers: Collection[Number]) -> list[SourcePatient]:
    """Load and lock the source patients of those numbers, in one order."""
    [found] = ask(connection, [Question(_BY_NUMBER, _numbers(numbers))])  # with the transaction's beginning
    return patients(found)


def by_id(connection: sa.Connection, ids: Collection[int]) -> list[SourcePatient]:
    """Load and lock source patients, in one order."""
    return _load(connection, _BY_ID, {"ids": list(ids)})


def as_they_are(connection: sa.Connection, ids: Collection[int]) -> list[SourcePatient]:
    """Load source patients without a lock."""
    return _load(connection, _UNLOCKED, {"ids": list(ids)}) if ids else []


def related(
    numbers: Collection[Number], ids: Collection[int], cards: Collection[str], persons: Collection[UUID]
) -> Question:
    """Ask for the source patients of those numbers and ids, merged into them, with those cards, or of those
    people; `patients` reads the answer.
    """
    extra = {"ids": list(ids), "cards": list(cards), "persons": list(persons)}
    return Question(_RELATED, _numbers(numbers) | extra)


def patients(answer: Answer) -> list[SourcePatient]:
    """Read source patients."""
    return [_patient(row) for row in answer.mappings()]


def survivor_of(connection: sa.Connection, source_patient_id: int) -> int:
    """Return the id of the number that stands for a source patient after all merges."""
    found: int = connection.exec_driver_sql(_SURVIVOR, {"id": source_patient_id}).scalar_one()
    return found


def lock(names: Iterable[Sequence[str]]) -> Question:
    """Wait until this transaction alone decides about those numbers, cards and people."""
    return Question(_LOCK, {"keys": sorted({_lock_key(name) for name in names})})


def next_ids(count: int) -> Question:
    """Ask for ids for new source patients, a row each."""
    return Question(_NEXT_IDS, {"count": count})


def insert(connection: sa.Connection, patients: Sequence[SourcePatient]) -> None:
    """Write new source patients."""
    _write(connection, _INSERT, [_row(p) for p in patients])


def update(connection: sa.Connection, patients: Sequence[SourcePatient]) -> None:
    """Write known source patients anew; notes which numbers are in use again that their campus took back."""
    _write(connection, _UPDATE, [_row(p) for p in patients])


def keep(connection: sa.Connection, replaced: Sequence[tuple[SourcePatient, SourcePatient]]) -> None:
    """Keep versions of source patients, each with the one that replaced it."""
    rows = [
        {
            "source_patient_id": old.id,
            "version": old.version,
            "facts": _row(old),
            "message_id": new.message_id,
            "replaced_at": new.changed_at,
        }
        for old, new in replaced
    ]
    _write(connection, _HISTORY, rows)


def write_persons(connection: sa.Connection, people: Sequence[Golden]) -> None:
    """Write golden records as they were computed."""
    rows = [
        {"id": p.id, "active": p.active, "changed_at": p.changed_at} | _values(p.facts, FACTS) for p in people
    ]
    _write(connection, _PERSONS, rows)


def write_links(connection: sa.Connection, moves: Sequence[Mapping[str, Any]]) -> None:
    """Write links and, in the same statement, the ledger of what moved; rows as in `identity.ledger`."""
    _write(connection, _LINKS, moves)


def _load(connection: sa.Connection, statement: str, parameters: dict[str, Any]) -> list[SourcePatient]:
    return [_patient(dict(row)) for row in connection.exec_driver_sql(statement, parameters).mappings()]


def _patient(row: Mapping[str, Any]) -> SourcePatient:
    person = row["person_id"]
    link = (
        None if person is None else Link(person, row["origin"], row["rule"], row["rule_version"], _score(row))
    )
    return SourcePatient(
        id=row["id"],
        facility=row["facility"],
        number=row["number"],
        message_id=row["message_id"],
        changed_at=row["changed_at"],
        facts=Facts(**{name: row[name] for name in FACTS}),
        observed=Observed(row["card"], row["name_key"], tuple(row["evidence"])),
        former=_former(row["former"]),
        merged_into=row["merged_into"],
        survivor=row["survivor"],
        version=row["version"],
        source_version=row["source_version"],
        link=link,
    )


def _score(row: Mapping[str, Any]) -> Score | None:
    if row["weight"] is None:
        return None
    steps = tuple((step["field"], step["level"], step["weight"]) for step in row["waterfall"])
    return Score(row["weight"], row["model_version"], steps)


def _former(said: Mapping[str, Sequence[str]]) -> Former:
    names, cards, phones, addresses = (
        tuple(said.get(fact, ())) for fact in ("name", "id_card", "phone", "address")
    )
    born = tuple(map(date.fromisoformat, said.get("birth_date", ())))
    return Former(names, born, cards, phones, addresses)


def _row(patient: SourcePatient) -> dict[str, Any]:
    own, observed = _values(patient, _OWN), _values(patient.observed, _OBSERVED)
    former = {name: values for name in FORMER if (values := getattr(patient.former, name))}
    return own | _values(patient.facts, FACTS) | observed | {"former": former}


def _values(of: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(of, name) for name in names}


def _numbers(numbers: Collection[Number]) -> dict[str, Any]:
    return {"facilities": [f for f, _ in numbers], "numbers": [n for _, n in numbers]}


def _lock_key(name: Sequence[str]) -> int:
    digest = hashlib.blake2b("\x1f".join(name).encode(), digest_size=8, person=b"yilian.identity").digest()
    return int.from_bytes(digest, signed=True)


def _write(connection: sa.Connection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        text = json.dumps(rows, default=_plain, ensure_ascii=False)
        connection.exec_driver_sql(statement, {"rows": text})


def _plain(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"no column takes a {type(value).__name__}")
