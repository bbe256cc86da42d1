"""Payloads as the Temporal UI and the CLI send them to be read by people: Temporal's remote codec protocol.

https://docs.temporal.io/codec-server: JSON protobuf `temporal.api.common.v1.Payloads` in and out, as many and
in the same order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload, Payloads

from activities.codec import Encryption, encrypted, workflow_of
from consortium.errors import PermanentError

MOST = 2000
"""Payloads in one request."""
UNKNOWN = "-"
"""Stands for the workflow of a payload that does not name one."""


class PayloadsError(PermanentError):
    """A request that is not of the protocol; nothing of it is repeated."""

    code = "payloads"


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out, and what the audit says of it."""

    body: str
    workflows: Mapping[str, int]
    """Workflow id, or UNKNOWN, to the number of payloads opened."""
    clear: int
    """Payloads that were not encrypted, and go back as they came."""


def parse(body: bytes) -> list[Payload]:
    """Return the payloads of a request. Raises PayloadsError."""
    try:
        told = json.loads(body)
        if not isinstance(told, dict):
            raise ParseError("no object")
        message = ParseDict(told, Payloads(), ignore_unknown_fields=True)
    except (ParseError, DecodeError, ValueError, RecursionError) as error:
        raise PayloadsError('send JSON such as {"payloads": [{"metadata": {…}, "data": "…"}]}') from error
    if len(message.payloads) > MOST:
        raise PayloadsError(f"more than {MOST} payloads in one request; send them in parts")
    return list(message.payloads)


def decoded(codec: Encryption, payloads: list[Payload]) -> Decoded:
    """Open what is encrypted and leave what is not as it is, as the protocol asks.

    Raises SecurityError for one that does not open.
    """
    opened = [codec.open(one) if encrypted(one) else one for one in payloads]
    workflows = Counter(workflow_of(one) or UNKNOWN for one in payloads if encrypted(one))
    return Decoded(_json(opened), workflows, len(payloads) - workflows.total())


def encoded(codec: Encryption, payloads: list[Payload]) -> str:
    """Encrypt each."""
    return _json([codec.seal(one) for one in payloads])


def _json(payloads: list[Payload]) -> str:
    return MessageToJson(Payloads(payloads=payloads), indent=None)
