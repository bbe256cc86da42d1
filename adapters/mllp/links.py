"""Connections to one receiver, each used again while it is fresh, and the answers that come on them."""

from __future__ import annotations

import ssl
from asyncio import timeout
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from adapters.mllp.framing import Broken
from adapters.mllp.wire import Wire
from adapters.outgoing_tls import client_context
from bus.delivery.transport import Answer, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.hl7.msh import first_segment
from bus.rules.destinations import Acknowledgement, MllpDestination

_LIMIT = 1024 * 1024
"""Largest answer, bytes."""
_ORIGINAL = {
    b"AA": Verdict.TAKEN,
    b"AE": Verdict.LATER,
    b"AR": Verdict.NEVER,
    b"CE": Verdict.LATER,
    b"CR": Verdict.NEVER,
}
_ENHANCED = {**_ORIGINAL, b"CA": Verdict.TAKEN}


def verdicts(mode: Acknowledgement) -> Mapping[bytes, Verdict]:
    """Return what each answer (MSA-1) means that ends a delivery in a mode."""
    return _ENHANCED if mode is Acknowledgement.ENHANCED else _ORIGINAL


@dataclass(frozen=True, slots=True)
class Msa:
    """What an acknowledgement says, in bytes: control ids are compared as they were sent."""

    code: bytes
    control_id: bytes
    expected: bytes = b""
    """MSA-4, of the sequence number protocol."""


def read_msa(frame: bytes) -> Msa | None:
    """Return what MSA says; None for what is no acknowledgement."""
    if not frame.startswith(b"MSH") or len(frame) < 8:
        return None
    separator = frame[3:4]
    for line in frame.replace(b"\n", b"\r").split(b"\r"):
        if line.startswith(b"MSA" + separator):
            fields = [field.strip() for field in line.split(separator)] + [b""] * 2
            return Msa(fields[1], fields[2], fields[4]) if len(fields) > 4 else None
    return None


def control_id(message: bytes) -> bytes:
    """Return MSH-10 as written. Raises UnsendableError for what is no HL7 v2, or has none."""
    if not message.startswith(b"MSH") or len(message) < 8:
        raise UnsendableError("not_hl7", "it is no HL7 v2 message: send it to a webhook, or leave it out")
    fields = first_segment(message).split(message[3:4])
    found = fields[9].strip() if len(fields) > 9 else b""
    if not found:
        raise UnsendableError("no_control_id", "MSH-10 is empty: no answer could be matched with it")
    return found


class Links:
    """Connections to a receiver."""

    def __init__(self, spec: MllpDestination) -> None:
        """Raises PermanentError when the TLS files cannot be read."""
        self._spec = spec
        self._tls = client_context(spec.tls)
        self._idle: list[Wire] = []
        self.verdicts: Mapping[bytes, Verdict] = verdicts(spec.acknowledgement)
        """By MSA-1, the answers that end a delivery in the mode that is waited for."""

    async def take(self) -> Wire:
        """Return a connection that nobody else uses. Raises NotSentError."""
        while self._idle:
            known = self._idle.pop()
            if known.alive and monotonic() - known.used < self._spec.keep_seconds:
                return known
            known.drop()
        try:
            async with timeout(self._spec.timeout_seconds):
                return await Wire.open(self._spec.host, self._spec.port, _LIMIT, tls=self._tls)
        except (OSError, TimeoutError) as error:
            what = "TLS was not agreed" if isinstance(error, ssl.SSLError) else "no connection"
            raise NotSentError(f"{what} with {self._spec.address} ({type(error).__name__})") from error

    async def exchange(self, wire: Wire, message: bytes, wanted: bytes) -> Answer:
        """Send a message and return the answer that ends it. Raises UnansweredError: drop the connection."""
        others: list[bytes] = []
        try:
            async with timeout(self._spec.timeout_seconds):
                await wire.write(message)
                return await self._answer(wire, wanted, others)
        except TimeoutError as error:
            reason = f"no answer to it within {self._spec.timeout_seconds:g} s{_besides(others)}"
            raise UnansweredError(reason, others[-1] if others else None) from error
        except OSError as error:
            reason = f"the connection was lost before its answer came{_besides(others)}"
            raise UnansweredError(reason, others[-1] if others else None) from error

    async def _answer(self, wire: Wire, wanted: bytes, others: list[bytes]) -> Answer:
        """Read until the answer that ends it: MSA-2 is its control id, MSA-1 of the mode that is waited
        for.
        """
        while True:
            frame = await wire.frame()
            if isinstance(frame, Broken):
                raise UnansweredError("what came back is no MLLP frame", frame.body)
            msa = read_msa(frame)
            verdict = self.verdicts.get(msa.code) if msa and msa.control_id == wanted else None
            if msa is not None and verdict is not None:
                return Answer(verdict, msa.code.decode("ascii"), frame)
            others.append(frame)
            del others[:-1]

    def give_back(self, wire: Wire) -> None:
        """Keep a connection on which nothing is waited for."""
        wire.used = monotonic()
        self._idle.append(wire)

    def close(self) -> None:
        """Let all idle connections go."""
        while self._idle:
            self._idle.pop().drop()


def _besides(others: list[bytes]) -> str:
    return "; what came was no such answer (its last is kept)" if others else ""
