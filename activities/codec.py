"""Encrypts whatever Temporal stores: payloads, memos and failures.

AES-256-GCM. Each payload names its key, so that keys can be changed while workflows run (`KeyRing`), and the
workflow that it was written for, where that is known; key, namespace and workflow id are bound to it by the
associated data. A payload in the clear is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from consortium.errors import SecurityError

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
NONCE_BYTES = 12
WORKFLOW = "workflow-id"
"""Metadata: the workflow a payload was written for. Workflow ids are in the clear everywhere, and opaque."""


def derive(secret: str, purpose: str, length: int) -> bytes:
    """Return `length` bytes for one purpose from a generated secret (HKDF-SHA256, RFC 5869)."""
    if not secret:
        raise SecurityError("no payload key is set: run ./yilian up once, or set YILIAN_PAYLOAD_KEY")
    return HKDF(SHA256(), length, salt=None, info=f"yilian temporal {purpose}".encode()).derive(
        secret.encode()
    )


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The key that encrypts and all keys that decrypt, by key id."""

    current: str
    keys: dict[str, AESGCM]

    @classmethod
    def of(cls, secret: str, retired: Iterable[str] = ()) -> Self:
        """Return the ring of the current secret and those retired."""
        ids = {derive(s, "key id", 8).hex(): AESGCM(derive(s, "payload", 32)) for s in (secret, *retired)}
        return cls(derive(secret, "key id", 8).hex(), ids)


class Encryption(PayloadCodec, WithSerializationContext):
    """Payload codec of the platform's one namespace."""

    def __init__(
        self,
        ring: KeyRing,
        namespace: str,
        nonce: Callable[[int], bytes] = os.urandom,
        workflow: str | None = None,
    ) -> None:
        """Encrypt with the ring's current key; `nonce` gives that many fresh random bytes.

        `workflow`: id of the workflow that payloads are written for; None: not known, or for none.
        """
        self._ring = ring
        self._namespace = namespace
        self._nonce = nonce
        self._workflow = workflow

    def with_context(self, context: SerializationContext) -> Self:
        """Return the codec for one workflow; called by the SDK."""
        if not isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            return self
        return type(self)(self._ring, self._namespace, self._nonce, context.workflow_id)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload with its metadata."""
        return [self.seal(p) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload.

        Raises `SecurityError` for one in the clear, changed, or of another namespace or key.
        """
        return [self.open(p) for p in payloads]

    def _bound(self, key_id: str, workflow: bytes | None) -> bytes:
        bound = f"{key_id}\n{self._namespace}".encode()
        return bound if workflow is None else b"%s\n%s" % (bound, workflow)

    def seal(self, payload: Payload) -> Payload:
        """Encrypt one payload with its metadata."""
        key_id = self._ring.current
        workflow = None if self._workflow is None else self._workflow.encode()
        nonce = self._nonce(NONCE_BYTES)
        clear = payload.SerializeToString()
        sealed = self._ring.keys[key_id].encrypt(nonce, clear, self._bound(key_id, workflow))
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": key_id.encode()}
        if workflow is not None:
            metadata[WORKFLOW] = workflow
        return Payload(metadata=metadata, data=nonce + sealed)

    def open(self, payload: Payload) -> Payload:
        """Decrypt one payload; raises `SecurityError` as `decode` does."""
        if not encrypted(payload):
            raise SecurityError("a Temporal payload is not encrypted by this platform; it is refused")
        key_id = payload.metadata.get("encryption-key-id", b"").decode("ascii", "replace")
        key = self._ring.keys.get(key_id)
        if key is None:
            raise SecurityError(f"no payload key {key_id}: add it to payload_keys_retired")
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            clear = key.decrypt(nonce, sealed, self._bound(key_id, payload.metadata.get(WORKFLOW)))
        except (InvalidTag, ValueError) as error:
            raise SecurityError(
                f"a Temporal payload does not open under key {key_id} and namespace {self._namespace}"
            ) from error
        return Payload.FromString(clear)


def encrypted(payload: Payload) -> bool:
    """Tell whether a payload says that this codec wrote it."""
    metadata = payload.metadata
    return metadata.get("encoding") == ENCODING and metadata.get("encryption-cipher") == CIPHER


def workflow_of(payload: Payload) -> str | None:
    """Return the workflow that an encrypted payload was written for; proven once it has been opened."""
    written = payload.metadata.get(WORKFLOW)
    return None if written is None else written.decode("utf-8", "replace")


def data_converter(secret: str, retired: Iterable[str], namespace: str) -> DataConverter:
    """Return the converter of every client and worker: Pydantic, encrypted, failures too."""
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        payload_codec=Encryption(KeyRing.of(secret, retired), namespace),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
