"""The forms that are kept, and those made anew: by the rules of now, and by those that decided then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus import trace
from bus.forms import CurrentRules, forms
from bus.rules.versions import store as versions
from bus.rules.versions.folder import digest_of, read_folder
from bus.rules.versions.model import SHORT
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, lab, store

RULES = CHECKOUT / "rules"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The rules, the one of lab reports under another name."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder)
    [path] = [one for one in folder.rglob("*.yaml") if "name: main-lab-report\n" in one.read_text("utf-8")]
    text = path.read_text("utf-8")
    path.write_text(text.replace("main-lab-report", "main-lab-report-of-now"), "utf-8")
    return folder


def test_a_message_is_shown_by_the_version_that_decided_it_too(database_url: str, changed: Path) -> None:
    [id_] = store(database_url, lab("M1"))
    files = read_folder(RULES)
    digest, engine = digest_of(files), engine_of(database_url)
    with engine.begin() as connection:
        versions.save(connection, digest, files, author="chen", note="", rules=1, tests=1)
        trace.write(connection, [trace.Step(id_, trace.RECORDED, {"rules": digest[:SHORT]})])
        connection.execute(
            sa.text(
                "INSERT INTO bus.delivery (destination, message_id, patient_key, form, state, body, answer)"
                " VALUES ('ward', :id, 1, 'canonical', 'parked', 'sent', 'answered')"
            ),
            {"id": id_},
        )
    with engine.connect() as connection:
        shown = forms(connection, str(id_), CurrentRules(changed), lambda _name, message: message.as_it_is)
    assert shown is not None
    assert shown.decision is not None
    assert shown.then is not None
    assert (shown.decision.rule, shown.then.rule) == ("main-lab-report-of-now", "main-lab-report")
    assert shown.then.outcome == shown.decision.outcome
    assert shown.rules_then == digest[:SHORT]
    assert [(one.destination, one.body, one.answer) for one in shown.sent] == [("ward", b"sent", b"answered")]


def test_a_version_that_is_not_stored_is_named_and_not_made_up(database_url: str) -> None:
    [id_] = store(database_url, lab("M1"))
    with engine_of(database_url).begin() as connection:
        trace.write(connection, [trace.Step(id_, trace.RECORDED, {"rules": "0123456789ab"})])
        shown = forms(connection, str(id_), CurrentRules(RULES), lambda _name, message: message.as_it_is)
    assert shown is not None
    assert (shown.rules_then, shown.then) == ("0123456789ab", None)
