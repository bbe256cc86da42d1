"""Whoever holds the settings goes by the campuses that are deployed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bus.campuses.charsets import Charsets
from bus.campuses.following import BELOW, Follower, strangers
from bus.fhir.systems import Domain, Systems
from bus.pix.domains import Domains
from bus.rules.versions.described import in_folder
from runtime.settings import Settings

FIRST = "code: MAIN\nname: 院本部\noid: 1.2.156.10011.99.1\n"
JOINS = "code: SK\nname: 蛇口院区\noid: 1.2.156.10011.99.10\ncharset: GB 18030-2000\n"


def put(rules_dir: Path, name: str, text: str) -> None:
    """Write a campus's file."""
    path = rules_dir / "campuses" / name / "campus.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_campus_that_joins_is_known_to_all_that_were_made_before(tmp_path: Path) -> None:
    put(tmp_path, "main", FIRST)
    settings = Settings(rules_dir=tmp_path)
    follower = Follower(partial(in_folder, tmp_path, BELOW), settings)
    follower.follow()
    charsets, systems, domains = Charsets(settings.roster), Systems(settings), Domains(settings)
    assert "SK" not in charsets
    assert systems.domain("urn:oid:1.2.156.10011.99.10") is None
    put(tmp_path, "shekou", JOINS)
    follower.follow()
    assert charsets["SK"] == "gb18030"
    assert systems.domain("urn:oid:1.2.156.10011.99.10") == Domain("patient", "SK")
    assert systems.domain("urn:oid:1.2.156.10011.99.10.4") == Domain("lab_report", "SK")
    assert systems.campus_name("SK") == "蛇口院区"
    assert domains.named("SK", None, None).oid == "1.2.156.10011.99.10"
    assert [one.namespace for one in domains.answerable] == ["MAIN", "SK", "CONSORTIUM"]


def test_files_that_cannot_be_read_leave_the_campuses_that_are_known(tmp_path: Path) -> None:
    put(tmp_path, "main", FIRST)
    settings = Settings(rules_dir=tmp_path)
    follower = Follower(partial(in_folder, tmp_path, BELOW), settings)
    follower.follow()
    put(tmp_path, "shekou", JOINS.replace("GB 18030-2000", "KLINGON"))
    follower.follow()
    assert [one.code for one in settings.campuses] == ["MAIN"]
    put(tmp_path, "shekou", JOINS)
    follower.follow()
    assert [one.code for one in settings.campuses] == ["MAIN", "SK"]


def test_settings_that_name_no_campus_are_told() -> None:
    tls = {"name": "tls", "port": 2576, "certificate": "a", "key": "a", "client_ca": "a"}
    sender = {"subject": "CN=engine", "campuses": ["HP", "XX"]}
    settings = Settings.model_validate(
        {
            "mllp_endpoints": [tls | {"senders": [sender]}],
            "gateways": [{"name": "front", "account": "a", "campuses": ["YY"]}],
            "pix": {"applications": [{"application": "HIS", "facility": "GROUP"}]},
        }
    )
    found = list(strangers(settings, settings.campuses))
    assert [one.partition(",")[0] for one in found] == [
        "mllp_endpoints.tls names XX",
        "gateways.front names YY",
    ]
