"""Who calls the hub: a client certificate, a system account, or both, as the settings ask of each gateway."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from adapters.credentials import Basic, Credentials
from adapters.gateway.ledger import Speaker
from adapters.tls import holder, subject
from consortium.access import audit, policy
from consortium.access.errors import LockedOutError, NotSignedInError
from consortium.access.model import USUAL_PURPOSE, Action, Decision, Resource, Role, User
from consortium.access.sign_in import Remembered
from consortium.errors import SecurityError
from runtime.gateway import Gateway

RESOURCE = "gateway"
"""What the audit names."""


class Callers:
    """Knows the gateways. Raises TlsSettingError at the start for a subject that is none."""

    def __init__(
        self,
        gateways: Sequence[Gateway],
        engine: sa.Engine,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._subjects = {one.name: subject(one.subject) for one in gateways if one.subject}
        self._engine = engine
        self._remembered = Remembered()
        self._now = now

    def known(
        self, name: str, certificate: bytes | None, credentials: Credentials | None, peer: str
    ) -> Speaker:
        """Return the gateway of that name, if the caller is it. Raises SecurityError saying what lacks."""
        gateway = self._gateways.get(name)
        if gateway is None:
            raise SecurityError(
                f"the hub's setting gateways names no {name}: add it there, or correct name here"
            )
        if gateway.subject:
            self._certified(gateway, certificate)
        user = self._signed_in(gateway, credentials, peer) if gateway.account else None
        decisions = {campus: _decide(user or _program(name, campus), campus) for campus in gateway.campuses}
        allowed = frozenset(campus for campus, decision in decisions.items() if decision.allow)
        if not allowed:
            campus, decision = next(iter(decisions.items()))
            self._note(user or _program(name, campus), decision)
            raise SecurityError(f"{gateway.account or name} may upload for no campus of this gateway")
        return Speaker(name, allowed)

    def refuse(self, speaker: Speaker, campus: str) -> None:
        """Put into the audit that a gateway spoke for a campus that is not its own."""
        user = _program(speaker.name, campus)
        reason = f"the gateway {speaker.name} may speak for {', '.join(sorted(speaker.campuses))} alone"
        self._note(user, Decision(False, reason))

    def _certified(self, gateway: Gateway, certificate: bytes | None) -> None:
        if certificate is None:
            raise SecurityError(f"the gateway {gateway.name} shows no client certificate, and must")
        written, attributes = holder(certificate)
        if attributes != self._subjects[gateway.name]:
            raise SecurityError(
                f"this certificate is {written}'s, and the gateway {gateway.name} is known by another"
            )

    def _signed_in(self, gateway: Gateway, credentials: Credentials | None, peer: str) -> User:
        if not isinstance(credentials, Basic) or credentials.user != gateway.account:
            raise SecurityError(f"sign in as {gateway.account}, the system account of {gateway.name}")
        try:
            return self._remembered.by_password(
                self._engine, credentials.user, credentials.password, peer, uuid.uuid4().hex, self._now()
            )
        except (NotSignedInError, LockedOutError) as error:
            raise SecurityError(str(error)) from error

    def _note(self, user: User, decision: Decision) -> None:
        purpose = USUAL_PURPOSE[user.role]
        entry = audit.entry(
            user, Action.UPLOAD, purpose, RESOURCE, "refused", decision.reason, request_id=uuid.uuid4().hex
        )
        with self._engine.begin() as connection:
            audit.append(connection, entry)


def _decide(user: User, campus: str) -> Decision:
    return policy.decide(user, Action.UPLOAD, Resource(organisation=campus), USUAL_PURPOSE[user.role])


def _program(name: str, campus: str) -> User:
    """Return what a certificate alone makes of a gateway: a program of the campus that it speaks for."""
    return User(f"gateway.{name}", name, Role.SYSTEM, campus)
