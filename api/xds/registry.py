"""/xds/registry: Register Document Set-b (ITI-42), Stored Query (ITI-18) and Multi-Patient Query (ITI-51)."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from lxml import etree
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.ihe.server import Call
from api.caller import Caller
from api.ihe import SignedIn, Transaction
from api.xds.fate import fate
from bus.ihe.ebrim import query, submission
from bus.ihe.ebrim.responses import query_response, registry_response
from consortium.access.model import Action, Purpose, Resource
from consortium.documents import service
from consortium.documents.asking import Return
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import Found

BUSY = RegistryError(
    ErrorCode.REGISTRY_BUSY, "too much is going on in the registry: send the same again in a while"
)


def _register(caller: Caller, call: Call[SignedIn]) -> etree._Element:
    decision = caller.allow(Resource(organisation=caller.user.organisation))
    parts = caller.parts
    try:
        asked = submission.read(call.message.payload)
        with parts.engine.begin() as connection:
            done = service.register(connection, parts.registry, asked, caller.user, parts.now())
            caller.note_in(connection, decision.reason, [done.person])
    except RefusedError as error:
        return registry_response(_failed(caller, error.errors))
    except (OperationalError, PoolTimeoutError):
        return registry_response(_failed(caller, (BUSY,)))
    return registry_response(done.warnings)


def _find(caller: Caller, call: Call[SignedIn]) -> etree._Element:
    returns = Return.OBJECT_REF
    try:
        asked = query.read(call.message.payload)
        returns = asked.returns
        with caller.parts.statements.connect() as connection:
            found = service.find(connection, caller.parts.registry, asked)
    except RefusedError as error:
        return query_response(Found(), returns, _failed(caller, error.errors))
    except (OperationalError, PoolTimeoutError):
        return query_response(Found(), returns, _failed(caller, (BUSY,)))
    caller.note(_allowed(caller, found.persons), sorted(found.persons))
    return query_response(found, returns)


def _allowed(caller: Caller, persons: Collection[UUID]) -> str:
    """Return why the caller may see these people's documents. Raises ForbiddenError."""
    decisions = [caller.allow(Resource(person_id=person)) for person in persons]
    return decisions[0].reason if decisions else "nothing was found"


def _failed(caller: Caller, errors: tuple[RegistryError, ...]) -> tuple[RegistryError, ...]:
    caller.note_failure(", ".join(sorted({error.code.value for error in errors})))
    return errors


TRANSACTIONS = (
    Transaction(
        "ITI-42",
        "urn:ihe:iti:2007:RegisterDocumentSet-b",
        "urn:ihe:iti:2007:RegisterDocumentSet-bResponse",
        Action.DOCUMENT_SUBMIT,
        Purpose.OPERATIONS,
        does=_register,
        fate=fate,
    ),
    Transaction(
        "ITI-18",
        "urn:ihe:iti:2007:RegistryStoredQuery",
        "urn:ihe:iti:2007:RegistryStoredQueryResponse",
        Action.DOCUMENT_READ,
        Purpose.TREATMENT,
        does=_find,
    ),
    Transaction(
        "ITI-51",
        "urn:ihe:iti:2009:MultiPatientStoredQuery",
        "urn:ihe:iti:2009:MultiPatientStoredQueryResponse",
        Action.DOCUMENT_READ,
        Purpose.TREATMENT,
        does=_find,
    ),
)
