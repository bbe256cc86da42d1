"""The remote codec protocol: what the Temporal UI sends and gets."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from activities.codec import WORKFLOW, Encryption, KeyRing, workflow_of
from activities.decoding import MOST, UNKNOWN, PayloadsError, decoded, encoded, parse
from consortium.errors import SecurityError

CODEC = Encryption(KeyRing.of("a key"), "default")
REFERRAL = CODEC.with_context(WorkflowSerializationContext("default", "referral-1"))
BYTES = st.binary(max_size=200) | st.text(alphabet="危急值钾𠮷|^~&", max_size=50).map(str.encode)


def request(*payloads: Payload) -> bytes:
    """What the UI would send."""
    shown = [
        {
            "metadata": {k: base64.b64encode(v).decode() for k, v in one.metadata.items()},
            "data": base64.b64encode(one.data).decode(),
        }
        for one in payloads
    ]
    return json.dumps({"payloads": shown}).encode()


def plain(text: str) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode())


@given(st.lists(BYTES, max_size=5))
def test_what_was_encoded_is_decoded_in_the_same_order(texts: list[bytes]) -> None:
    payloads = [Payload(metadata={"encoding": b"json/plain"}, data=text) for text in texts]
    sealed = parse(encoded(CODEC, parse(request(*payloads))).encode())
    assert all(a.data != b.data for a, b in zip(sealed, payloads, strict=True))
    assert parse(decoded(CODEC, sealed).body.encode()) == payloads


def test_the_workflow_of_each_payload_is_counted() -> None:
    sealed = [REFERRAL.seal(plain("a")), REFERRAL.seal(plain("b")), CODEC.seal(plain("c"))]
    found = decoded(CODEC, [*sealed, plain("d")])
    assert found.workflows == {"referral-1": 2, UNKNOWN: 1}
    assert found.clear == 1
    assert [json.loads(one.data) for one in parse(found.body.encode())] == ["a", "b", "c", "d"]


def test_an_activitys_payload_is_its_workflows() -> None:
    context = ActivitySerializationContext(
        "default", "1", "notify", "yilian", "referral-2", "referral", False
    )
    assert workflow_of(CODEC.with_context(context).seal(plain("a"))) == "referral-2"


@pytest.mark.parametrize("other", [b"referral-2", b"", None])
def test_a_payload_moved_to_another_workflow_does_not_open(other: bytes | None) -> None:
    sealed = REFERRAL.seal(plain("a"))
    metadata = {k: v for k, v in sealed.metadata.items() if k != WORKFLOW}
    if other is not None:
        metadata[WORKFLOW] = other
    with pytest.raises(SecurityError, match="does not open"):
        decoded(CODEC, [Payload(metadata=metadata, data=sealed.data)])


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"payloads": 3}', b'{"payloads": [{"data": 3}]}', b"[" * 100_000],
)
def test_what_is_not_of_the_protocol_is_refused_without_repeating_it(body: bytes) -> None:
    with pytest.raises(PayloadsError) as refused:
        parse(body)
    assert str(refused.value).startswith("send JSON such as")


def test_what_a_newer_ui_sends_besides_is_ignored() -> None:
    assert parse(b'{"payloads": [{"data": "YQ==", "externalPayloads": []}], "more": 1}') == [
        Payload(data=b"a")
    ]


def test_too_many_are_refused() -> None:
    with pytest.raises(PayloadsError, match=f"more than {MOST}"):
        parse(request(*[Payload()] * (MOST + 1)))
