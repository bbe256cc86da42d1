"""The routing key of a message: a keyed hash that stands for a patient and gives nothing of them away."""

from __future__ import annotations

from hashlib import blake2b

from consortium.errors import PermanentError

_PATIENT = b"patient"
_MESSAGE = b"message"


def _hash(kind: bytes, facility: str, number: str, key: str | bytes) -> int:
    secret = key.encode() if isinstance(key, str) else key
    if not secret:
        raise PermanentError(
            "the setting routing_key is empty: without it a patient number could be found by trying them all;"
            " run ./yilian up, which generates it, or set YILIAN_ROUTING_KEY"
        )
    if len(secret) > 64:
        secret = blake2b(secret).digest()
    text = f"{facility}\0{number}".encode()
    digest = blake2b(text, digest_size=8, key=secret, person=kind).digest()
    return int.from_bytes(digest, "big", signed=True)


def patient_key(facility: str, number: str, key: str | bytes) -> int:
    """Hash a facility's patient number to a signed 64 bit integer: BLAKE2b keyed with `routing_key`.

    Raises PermanentError when the key is empty.
    """
    return _hash(_PATIENT, facility, number, key)


def message_key(facility: str, control_id: str, key: str | bytes) -> int:
    """Hash a message that names no patient, so that such messages spread over the partitions."""
    return _hash(_MESSAGE, facility, control_id, key)
