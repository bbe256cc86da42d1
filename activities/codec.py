"""Encrypts whatever Temporal stores: payloads, memos and failures.

AES-256-GCM. Each payload names its key, so that keys can be changed while workflows run (`KeyRing`), and is
bound to its namespace by the associated data. A payload in the clear is refused.
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
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from consortium.errors import SecurityError

ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
NONCE_BYTES = 12


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


class Encryption(PayloadCodec):
    """Payload codec of the platform's one namespace."""

    def __init__(self, ring: KeyRing, namespace: str, nonce: Callable[[int], bytes] = os.urandom) -> None:
        """Encrypt with the ring's current key; `nonce` gives that many fresh random bytes."""
        self._ring = ring
        self._namespace = namespace
        self._nonce = nonce

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload with its metadata."""
        return [self._encrypt(p) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload.

        Raises `SecurityError` for one in the clear, changed, or of another namespace or key.
        """
        return [self._decrypt(p) for p in payloads]

    def _bound(self, key_id: str) -> bytes:
        return f"{key_id}\n{self._namespace}".encode()

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._ring.current
        nonce = self._nonce(NONCE_BYTES)
        sealed = self._ring.keys[key_id].encrypt(nonce, payload.SerializeToString(), self._bound(key_id))
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, "encryption-key-id": key_id.encode()}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if (
            payload.metadata.get("encoding") != ENCODING
            or payload.metadata.get("encryption-cipher") != CIPHER
        ):
            raise SecurityError("a Temporal payload is not encrypted by this platform; it is refused")
        key_id = payload.metadata.get("encryption-key-id", b"").decode("ascii", "replace")
        key = self._ring.keys.get(key_id)
        if key is None:
            raise SecurityError(f"no payload key {key_id}: add it to payload_keys_retired")
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            clear = key.decrypt(nonce, sealed, self._bound(key_id))
        except (InvalidTag, ValueError) as error:
            raise SecurityError(
                f"a Temporal payload does not open under key {key_id} and namespace {self._namespace}"
            ) from error
        return Payload.FromString(clear)


def data_converter(secret: str, retired: Iterable[str], namespace: str) -> DataConverter:
    """Return the converter of every client and worker: Pydantic, encrypted, failures too."""
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        payload_codec=Encryption(KeyRing.of(secret, retired), namespace),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
