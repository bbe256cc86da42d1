"""From a JSON upload to an arrival."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest import codec
from adapters.rest.examples import EXAMPLES
from adapters.rest.models import UPLOADS, PatientUpload
from adapters.rest.problem import ProblemError

HEADING = codec.Heading("HP", "patient", "H-1", "HIS")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("kind", list(UPLOADS))
def test_every_example_fits_its_interface(kind: str) -> None:
    body = json.dumps(EXAMPLES[kind]).encode()
    arrival = codec.arrival(body, codec.Heading("HP", kind, "H-1", "HIS"), UPLOADS[kind])
    assert arrival.body == body
    assert arrival.message_type == f"rest:{kind}"
    assert arrival.patient_number == "HP000123"
    assert arrival.visit_number == (None if kind == "patient" else "HPV20261120001")


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=4),
    st.randoms(),
)
def test_the_digest_does_not_know_the_order_of_keys_the_blanks_or_sent_at(
    value: dict[str, Any], rng: Any
) -> None:
    keys = list(value)
    rng.shuffle(keys)
    written = json.dumps({"sent_at": "x", **{key: value[key] for key in keys}}, indent=rng.choice([None, 2]))
    assert codec.digest(codec.load(written.encode())) == codec.digest(
        {k: v for k, v in value.items() if k != "sent_at"}
    )


def test_the_digest_knows_a_changed_value() -> None:
    assert codec.digest({"a": 1}) != codec.digest({"a": 2})
    assert codec.digest({"a": 1}) != codec.digest({"a": "1"})


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_problem_and_never_an_error(body: bytes) -> None:
    with pytest.raises(ProblemError) as refused:
        codec.arrival(body, HEADING, PatientUpload)
    assert refused.value.problem.status in (400, 422)


@given(st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=50))
def test_a_name_survives(name: str) -> None:
    body = json.dumps({"patient": {"number": "1", "name": name}}, ensure_ascii=False).encode()
    arrival = codec.arrival(body, HEADING, PatientUpload)
    assert json.loads(arrival.body)["patient"]["name"] == name
