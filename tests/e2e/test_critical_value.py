"""A critical value of the sample day is notified, and acknowledged over the API."""

from __future__ import annotations

import uuid

from tests.e2e.consortium import Consortium, until


def test_a_doctor_acknowledges_a_critical_value(consortium: Consortium) -> None:
    with consortium.client("doctor.main") as client:

        def notified() -> dict[str, object] | None:
            listed = client.get("/api/v1/critical-values", params={"limit": 200}).json()
            open_ones = [v for v in listed["items"] if v["state"] in ("notified", "escalated")]
            return open_ones[0] if open_ones else None

        value = until("a critical value is notified", notified)
        assert value is not None
        url, key = f"/api/v1/critical-values/{value['id']}", str(uuid.uuid4())
        for _ in range(2):
            answer = client.post(
                url + "/acknowledge", json={"note": "已处理"}, headers={"Idempotency-Key": key}
            )
            assert answer.status_code == 200, answer.text
        assert client.get(url).json()["state"] == "acknowledged"
