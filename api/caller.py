"""The gate of every route: who calls, for which purpose, may they, and what goes into the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection

from api.failures import Failure, FailureError
from api.platform import Platform, platform, request_id
from consortium.access import audit, policy, sign_in
from consortium.access.errors import ForbiddenError, NotSignedInError
from consortium.access.model import SHARED, USUAL_PURPOSE, Action, Decision, Purpose, Resource, User
from consortium.errors import PermanentError

bearer = HTTPBearer(
    auto_error=False,
    description="Token from `POST /api/v1/sign-in` or `./yilian token --user NAME`; lives 15 minutes.",
)


@dataclass(frozen=True)
class Caller:
    """Whoever passed a route's gate: signed in, and allowed its action on some resource."""

    user: User
    action: Action
    purpose: Purpose
    request_id: str
    resource: str
    """The route asked, for the audit: its pattern, which names nobody."""
    parts: Platform

    def allow(self, resource: Resource, action: Action | None = None) -> Decision:
        """Decide about one resource. Raises ForbiddenError, and puts that in the audit."""
        decision = policy.decide(self.user, action or self.action, resource, self.purpose)
        if not decision.allow:
            persons = [resource.person_id] if resource.person_id else []
            self.refuse(decision, persons, action)
        return decision

    def reach(self) -> policy.Reach:
        """Tell how far a search over persons may go. Raises ForbiddenError when nowhere."""
        reach, decision = policy.reach(self.user, self.action, self.purpose)
        if reach is policy.Reach.NONE:
            self.refuse(decision)
        return reach

    def finds_vips(self) -> bool:
        """Whether a search by this user finds VIPs by what describes them; no is no refusal."""
        return policy.decide(self.user, Action.VIP_FIND, SHARED, self.purpose).allow

    def refuse(self, decision: Decision, persons: Sequence[UUID] = (), action: Action | None = None) -> None:
        """Put a refusal in the audit and raise ForbiddenError."""
        self._note(action or self.action, "refused", decision.reason, persons)
        raise ForbiddenError(decision.reason)

    def note(
        self,
        reason: str,
        persons: Sequence[UUID] = (),
        *,
        action: Action | None = None,
        what: str | None = None,
    ) -> None:
        """Put a read of persons, or a change, in the audit; committed before the answer goes out."""
        self._note(action or self.action, "allowed", reason, persons, what)

    def note_failure(self, reason: str, persons: Sequence[UUID] = ()) -> None:
        """Put in the audit that what was asked is answered by an error of its profile."""
        self._note(self.action, "refused", reason, persons)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Put in the audit, by its code, that what is asked in the block has no answer; the error goes on.

        A denial is there already, and a service that is away refuses nothing.
        """
        try:
            yield
        except FailureError as error:
            if error.failure.status < 500:
                self.note_failure(f"not answered: {error.failure.code}")
            raise
        except PermanentError as error:
            self.note_failure(f"not answered: {getattr(error, 'code', 'refused')}")
            raise

    def note_in(
        self, connection: Connection, reason: str, persons: Sequence[UUID], what: str | None = None
    ) -> None:
        """Put a change in the audit in the change's own transaction, as its last statement: others wait."""
        audit.append(connection, self._entry(self.action, "allowed", reason, persons, what))

    def _note(
        self,
        action: Action,
        outcome: audit.Outcome,
        reason: str,
        persons: Sequence[UUID],
        what: str | None = None,
    ) -> None:
        with self.parts.statements.connect() as connection:
            audit.append(connection, self._entry(action, outcome, reason, persons, what))

    def _entry(
        self,
        action: Action,
        outcome: audit.Outcome,
        reason: str,
        persons: Sequence[UUID],
        what: str | None,
    ) -> audit.Entry:
        return audit.entry(
            self.user,
            action,
            self.purpose,
            what or self.resource,
            outcome,
            reason,
            request_id=self.request_id,
            persons=persons,
        )


class Gate:
    """A FastAPI dependency that lets in whoever may do an action; routes name it, and a test walks them."""

    def __init__(self, action: Action, purpose: Purpose | None = None) -> None:
        """`purpose`: that of a request that states none; None: the usual one of the caller's role."""
        self.action = action
        self.purpose = purpose

    def __call__(
        self,
        request: Request,
        parts: Annotated[Platform, Depends(platform)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        stated: Annotated[
            str | None,
            Header(
                alias="X-Purpose-Of-Use", description="treatment, operations, administration, audit or own"
            ),
        ] = None,
    ) -> Caller:
        """Return the caller. Raises NotSignedInError, ForbiddenError."""
        if credentials is None:
            raise NotSignedInError("send a bearer token in the Authorization header; sign in to get one")
        user = sign_in.by_token(parts.statements, credentials.credentials, parts.settings.token_key)
        return self.admit(request, parts, user, stated)

    def admit(self, request: Request, parts: Platform, user: User, stated: str | None) -> Caller:
        """Return the caller, where some resource could be allowed to that user. Raises ForbiddenError."""
        purpose = _purpose(stated) or self.purpose or USUAL_PURPOSE[user.role]
        caller = Caller(user, self.action, purpose, request_id(request), _resource(request), parts)
        decision = policy.conceivable(user, self.action, purpose)
        if not decision.allow:
            caller.refuse(decision)
        return caller


def _purpose(stated: str | None) -> Purpose | None:
    if stated is None:
        return None
    try:
        return Purpose(stated)
    except ValueError:
        known = ", ".join(purpose.value for purpose in Purpose)
        raise FailureError(Failure(400, "unknown-purpose", f"X-Purpose-Of-Use is none of: {known}")) from None


def _resource(request: Request) -> str:
    path = getattr(request.scope.get("route"), "path", "unmatched")
    return f"{request.method} {path}"


def gate(action: Action, purpose: Purpose | None = None) -> Callable[..., Caller]:
    """Return the gate for an action."""
    return Gate(action, purpose)
