"""What the SOAP faces of IHE share here: sign-in, the question whether one may, and the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lxml import etree
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.routing import Route

from adapters.credentials import Basic, parse
from adapters.ihe.counts import Fate
from adapters.ihe.faults import Blame, Fault, FaultError
from adapters.ihe.server import Call, Endpoint, Limits, Operation, Seen
from api.caller import Caller
from api.platform import Platform, peer, request_id
from consortium.access import audit, policy, sign_in
from consortium.access.errors import NotSignedInError
from consortium.access.model import USUAL_PURPOSE, Action, Purpose, Role, User
from consortium.errors import RetryableError

PURPOSE = "X-Purpose-Of-Use"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who sent a request; what they want is not read yet."""

    user: User
    purpose: Purpose | None
    """As stated; None: that of the transaction."""
    request_id: str
    address: str
    peer: str
    parts: Platform


Found = TypeVar("Found")
Keep = Callable[[SignedIn, bytes, Fault], None]
"""Keeps a request that was answered by a fault, so that it can be found again."""
Does = Callable[[Caller, Call[SignedIn]], etree._Element]  # noqa: SLF001 - lxml names its type so
DoesAsync = Callable[[Caller, Call[SignedIn]], Awaitable[etree._Element]]  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction at an address."""

    name: str
    """As the profile calls it: ITI-41."""
    action: str
    """wsa:Action of the request."""
    answer_action: str | None
    """None: the answer's name, as HL7 v3 has it."""
    access: Action
    """What one must be allowed."""
    purpose: Purpose
    """For which, where a program states none: many cannot set the header. People have their usual one."""
    does: Does | None = None
    """Runs in a thread."""
    does_async: DoesAsync | None = None
    """For what waits for other systems; given instead of `does`."""
    fate: Callable[[etree._Element], Fate] | None = None
    """Reads in an answer what became of the content that was sent; None: a question."""
    resource: str | None = None
    """What the audit calls it; None: its name and address."""

    def at(self, address: str) -> str:
        """Return what the audit calls it."""
        return self.resource or f"{self.name} {address}"


def route(
    parts: Platform,
    path: str,
    transactions: Sequence[Transaction],
    limits: Limits,
    *,
    address: str | None = None,
    keep: Keep | None = None,
    unaddressed: bool = False,
) -> Route:
    """Return the route of an address with its transactions.

    `address` is what the audit calls it, where that is not its path; `keep` keeps what is refused by a fault;
    `unaddressed`: requests without WS-Addressing are taken too.
    """
    operations = {one.action: _operation(one) for one in transactions}
    named = {one.action: one for one in transactions}

    async def signed_in(request: Request) -> SignedIn:
        return await _database_there(run_in_threadpool(_signed_in, parts, address or path, request))

    async def failed(seen: Seen[SignedIn], fault: Fault) -> None:
        if seen.caller is None or fault.code in _NO_REFUSAL:
            return
        if keep is not None and seen.body is not None and fault.blame is not Blame.RECEIVER:
            await run_in_threadpool(keep, seen.caller, seen.body, fault)
        await run_in_threadpool(_note_fault, seen.caller, named.get(seen.action or ""), fault)

    endpoint = Endpoint(
        operations, signed_in, limits, failed, unaddressed=unaddressed, counts=parts.ihe_counts
    )
    return endpoint.route(path)


_NO_REFUSAL = {"forbidden", "unavailable"}
"""Faults that are in the audit already, or refuse nothing: the same may be sent again."""


async def _database_there(work: Awaitable[Found]) -> Found:
    """Return what work gives. Raises RetryableError where the database cannot be had."""
    try:
        return await work
    except (OperationalError, PoolTimeoutError) as error:
        raise RetryableError(f"the database cannot answer now ({type(error).__name__})") from error


def _operation(transaction: Transaction) -> Operation[SignedIn]:
    async def handle(call: Call[SignedIn]) -> etree._Element:
        caller = await run_in_threadpool(_caller, transaction, call.caller)
        if transaction.does_async is not None:
            return await transaction.does_async(caller, call)
        assert transaction.does is not None  # noqa: S101 - one of the two is given
        return await run_in_threadpool(transaction.does, caller, call)

    return Operation(transaction.answer_action, lambda call: _database_there(handle(call)), transaction.fate)


def _caller(transaction: Transaction, who: SignedIn) -> Caller:
    """Return the caller, as those of other routes are. Raises ForbiddenError."""
    caller = Caller(
        who.user,
        transaction.access,
        who.purpose or _usual(transaction, who.user),
        who.request_id,
        transaction.at(who.address),
        who.parts,
    )
    decision = policy.conceivable(caller.user, caller.action, caller.purpose)
    if not decision.allow:
        caller.refuse(decision)
    return caller


def _usual(transaction: Transaction | None, user: User) -> Purpose:
    if transaction is not None and user.role is Role.SYSTEM:
        return transaction.purpose
    return USUAL_PURPOSE[user.role]


def _signed_in(parts: Platform, address: str, request: Request) -> SignedIn:
    credentials = parse(request.headers.get("authorization"))
    id_ = request_id(request)
    if credentials is None:
        raise NotSignedInError("send the Basic or Bearer credentials of a user or system account")
    if isinstance(credentials, Basic):
        user = parts.remembered.by_password(
            parts.engine, credentials.user, credentials.password, peer(request), id_, parts.now()
        )
    else:
        user = sign_in.by_token(parts.statements, credentials.token, parts.settings.token_key)
    return SignedIn(user, _purpose(request), id_, address, peer(request), parts)


def _purpose(request: Request) -> Purpose | None:
    stated = request.headers.get(PURPOSE)
    try:
        return None if stated is None else Purpose(stated)
    except ValueError:
        known = ", ".join(purpose.value for purpose in Purpose)
        english = f"{PURPOSE} is none of: {known}"
        raise FaultError(Fault("purpose", f"{PURPOSE} 应为: {known}", english)) from None


def _note_fault(who: SignedIn, transaction: Transaction | None, fault: Fault) -> None:
    entry = audit.entry(
        who.user,
        transaction.access if transaction else "ihe",
        who.purpose or _usual(transaction, who.user),
        transaction.at(who.address) if transaction else f"POST {who.address}",
        "refused",
        f"{fault.code}: {fault.english}",
        request_id=who.request_id,
    )
    with who.parts.statements.connect() as connection:
        audit.append(connection, entry)
