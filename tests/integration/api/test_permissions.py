"""Permissions given by name at the console count at once, and are audited."""

from __future__ import annotations

import json

import httpx
import pytest
import sqlalchemy as sa

from bus.access_console import access_main
from consortium.access import audit
from runtime import settings
from tests.integration.api.conftest import As, settings_for


@pytest.fixture(autouse=True)
def known(seeded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console's settings are those of the application."""
    monkeypatch.setattr(settings, "load", lambda: settings_for(seeded_url))


async def test_a_permission_counts_from_the_next_request_until_it_is_taken(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    async def permitted() -> list[str]:
        answer = await client.get("/api/v1/me", headers=as_("ops"))
        found: list[str] = answer.json()["permissions"]
        return found

    change = ("ops", "workflow-payload", "--why", "mend referral-1", "--by", "li.admin")
    assert access_main(["permit", *change]) == 0
    assert await permitted() == ["workflow-payload"]
    assert access_main(["permit", *change]) == 0
    capsys.readouterr()
    assert access_main(["show", "ops", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"username": "ops", "permissions": ["workflow-payload"]}
    assert access_main(["revoke", *change]) == 0
    assert await permitted() == []
    with engine.connect() as connection:
        noted = [one.entry for one in audit.entries(connection, limit=10, username="li.admin")]
        assert audit.verify(connection).broken_at is None
    assert [(one.action, one.resource, one.reason) for one in noted] == [
        ("permission.change", "account ops", "workflow-payload taken: mend referral-1"),
        ("permission.change", "account ops", "workflow-payload given: mend referral-1"),
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["permit", "nobody", "vip", "--why", "x"], 1),
        (["permit", "ops", "everything", "--why", "x"], 2),
        (["permit", "ops", "vip"], 2),
        (["show", "nobody"], 1),
    ],
)
def test_what_is_not_there_is_refused(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert access_main(words) == code
    assert capsys.readouterr().err
