"""SMS (短信) over a gateway's HTTP interface, in the shape that the settings say. Alerts go by it, too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from bus.delivery.statuses import verdict
from bus.delivery.transport import Answer, Found, Verdict
from bus.notifying.port import PATIENCE, Answered, Outgoing
from bus.notifying.posting import Poster, Reply
from runtime.notifications import SmsShape

_PLACE = re.compile(r"\{(to|text|key|time|nonce|body|reference)\}")


class SmsPort:
    """`bus.notifying.port.Port` and `Asking`."""

    def __init__(
        self,
        url: str,
        token: str,
        shape: SmsShape | None = None,
        secret: str = "",
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(8),
        patience: float = PATIENCE,
    ) -> None:
        """`token`: bearer token, "" for none; `secret`: signs where the shape says what is signed."""
        self._url, self._token, self._secret = url, token, secret
        self._shape = shape or SmsShape()
        self._clock, self._nonce = clock, nonce
        self._poster = Poster(patience)

    @property
    def keys_seconds(self) -> float:
        """How long a repeated key is taken once alone."""
        return self._shape.keys_hours * 3600

    @property
    def asks(self) -> bool:
        """Whether the gateway says what it has."""
        return bool(self._shape.status_address)

    def send(self, message: Outgoing) -> Answered:
        """Hand one text over; see `Port`."""
        return self.send_to((message.address,), message.parts["text"], message.key)

    def send_to(self, numbers: Sequence[str], text: str, key: str) -> Answered:
        """Hand one text to several numbers over. Raises NotSentError, UnansweredError."""
        known = {"text": text, "key": key, "time": str(int(self._clock())), "nonce": self._nonce()}
        body = self._body(numbers, known)
        headers = self._headers(known, numbers, body)
        reply = self._poster.exchange("POST", self._url, body, headers)
        return Answered(self._read(reply), self._reference(reply))

    def arrived(self, key: str, reference: str | None) -> Found:
        """Ask whether the gateway has a text; see `Asking`."""
        address = self._shape.status_address
        if "{reference}" in address and not reference:
            return Found.UNTOLD
        url = _filled(address, {"key": quote(key, safe=""), "reference": quote(reference or "", safe="")})
        match self._poster.exchange("GET", url, headers=self._signed_in()).status:
            case 200:
                return Found.THERE
            case 404:
                return Found.NOT_THERE
            case _:
                return Found.UNTOLD

    def close(self) -> None:
        """Close connections."""
        self._poster.close()

    def _body(self, numbers: Sequence[str], known: Mapping[str, str]) -> bytes:
        joined = {**known, "to": ",".join(numbers)}
        fields: dict[str, Any] = {name: _filled(said, joined) for name, said in self._shape.fields.items()}
        if self._shape.body == "form":
            return urlencode(fields).encode()
        if self._shape.to_list:
            alone = [name for name, said in self._shape.fields.items() if said == "{to}"]
            fields |= {name: list(numbers) for name in alone}
        return json.dumps(fields, ensure_ascii=False).encode()

    def _headers(self, known: Mapping[str, str], numbers: Sequence[str], body: bytes) -> dict[str, str]:
        form = "application/x-www-form-urlencoded" if self._shape.body == "form" else "application/json"
        said = {name: _filled(value, known) for name, value in self._shape.headers.items()}
        headers = {"Content-Type": form, **said, **self._signed_in()}
        if self._shape.signed:
            text = _filled(self._shape.signed, {**known, "to": ",".join(numbers), "body": body.decode()})
            digest = hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).digest()
            hexed = self._shape.signature_form == "hex"
            headers[self._shape.signature_header] = (
                digest.hex() if hexed else base64.b64encode(digest).decode()
            )
        return headers

    def _signed_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _read(self, reply: Reply) -> Answer:
        status, shape = verdict(reply.status), self._shape
        code = str(reply.status)
        if status is Verdict.TAKEN and shape.code_field:
            said = reply.member(shape.code_field)
            status, code = self._said(said), f"{reply.status} {_code(said)}"
        return Answer(status, code, reply.body, reply.retry_after)

    def _said(self, said: str | None) -> Verdict:
        """Judge an answer by its own code: one without any says nothing."""
        if said is None:
            return Verdict.UNSURE
        if said in self._shape.later:
            return Verdict.LATER
        return Verdict.TAKEN if not self._shape.taken or said in self._shape.taken else Verdict.NEVER

    def _reference(self, reply: Reply) -> str | None:
        found = reply.member(self._shape.reference_field) if self._shape.reference_field else None
        return None if found is None else found[:200]


def _code(said: str | None) -> str:
    """Return a code as it may be shown: what is no code is not repeated."""
    return said if said and len(said) <= 40 and said.isascii() and said.isprintable() else "without a code"


def _filled(said: str, known: Mapping[str, str]) -> str:
    """Put what is known into a text, once; other braces, as JSON has them, stay."""
    return _PLACE.sub(lambda found: known.get(found[1], found[0]), said)
