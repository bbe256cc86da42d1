"""/xds/repository: Provide and Register Document Set-b (ITI-41), Retrieve Document Set (ITI-43)."""

from __future__ import annotations

from lxml import etree
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.ihe.server import Call
from api.caller import Caller
from api.ihe import SignedIn, Transaction
from api.xds.fate import fate
from api.xds.registry import BUSY
from api.xds.retrieval import retrieved
from bus.ihe.document_sets import read_provided, read_wanted, written_retrieved
from bus.ihe.ebrim.responses import registry_response
from consortium.access.model import Action, Purpose, Resource
from consortium.documents.content import StoreAwayError
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.provide import provide


def _provide(caller: Caller, call: Call[SignedIn]) -> etree._Element:
    decision = caller.allow(Resource(organisation=caller.user.organisation))
    parts = caller.parts
    try:
        submission, contents = read_provided(call.message.payload, call.message.content_of)
        done = provide(
            parts.engine,
            parts.contents,
            parts.registry,
            submission,
            contents,
            caller.user,
            parts.now(),
            lambda connection, done: caller.note_in(connection, decision.reason, [done.person]),
        )
    except RefusedError as error:
        return _failed(caller, error.errors)
    except StoreAwayError as error:
        return _failed(caller, (RegistryError(ErrorCode.REPOSITORY_BUSY, f"{error}; send it again"),))
    except (OperationalError, PoolTimeoutError):
        return _failed(caller, (BUSY,))
    return registry_response(done.warnings)


async def _retrieve(caller: Caller, call: Call[SignedIn]) -> etree._Element:
    try:
        wanted = read_wanted(call.message.payload)
    except RefusedError as error:
        caller.note_failure(_codes(error.errors))
        return written_retrieved((), error.errors, call.parts.put)
    found, errors = await retrieved(caller, wanted)
    return written_retrieved(found, errors, call.parts.put)


def _failed(caller: Caller, errors: tuple[RegistryError, ...]) -> etree._Element:
    caller.note_failure(_codes(errors))
    return registry_response(errors)


def _codes(errors: tuple[RegistryError, ...]) -> str:
    return ", ".join(sorted({error.code.value for error in errors}))


TRANSACTIONS = (
    Transaction(
        "ITI-41",
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse",
        Action.DOCUMENT_SUBMIT,
        Purpose.OPERATIONS,
        does=_provide,
        fate=fate,
    ),
    Transaction(
        "ITI-43",
        "urn:ihe:iti:2007:RetrieveDocumentSet",
        "urn:ihe:iti:2007:RetrieveDocumentSetResponse",
        Action.DOCUMENT_READ,
        Purpose.TREATMENT,
        does_async=_retrieve,
    ),
)
