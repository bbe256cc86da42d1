"""Files in, from a folder and over SFTP alike: each complete file once, each record once, nothing lost."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import Any

import psycopg
import pytest

from adapters.files.settings import Source
from simulators.cda.samples import document
from tests.integration.adapters.files.conftest import HEADER, Desk, ids, ledger, refusals
from tests.unit.adapters.files.reading import csv_source


def test_a_file_becomes_messages_and_goes_to_the_archive(desk: Desk, database: psycopg.Connection) -> None:
    desk.drop.put("a.csv", "no,patient,name\n1,P1,珅\n2,P2,李\n".encode())
    assert desk.run() == ["archived"]
    row = database.execute(
        "SELECT facility, sender, control_id, message_type, protocol, endpoint, charset, patient_number,"
        " convert_from(body, 'UTF8') FROM bus.message ORDER BY id LIMIT 1"
    ).fetchone()
    body = '{"name":"珅","no":"1","patient":"P1"}'
    assert row == ("NS", "LIS", "1@1", "csv:lab", "files", "ns_lab", "utf-8", "P1", body)
    assert ids(database) == ["1@1", "2@1"]
    assert database.execute("SELECT count(*) FROM bus.work").fetchone() == (2,)
    assert (desk.drop.names, desk.drop.tree("archive"), desk.drop.tree("claimed")) == ([], ["a.csv"], [])
    assert ledger(database, "a.csv") == ("taken", 2, 2, 0, [], 1, True)
    traced = database.execute("SELECT step, detail FROM bus.trace ORDER BY message_id").fetchall()
    assert traced[1] == ("read", {"file": 1, "line": 3, "record": 2})


def test_a_clinical_document_is_one_message_and_a_bad_one_goes_back(
    desk: Desk, database: psycopg.Connection
) -> None:
    told = {"name": "hp_cda", "facility": "HP", "sender": "EMR", "pattern": "*.xml", "settle": 10, "cda": {}}
    source = Source.model_validate(told)
    sample = document(20261120, date(2026, 11, 20), "summary")
    desk.drop.put("good.xml", sample.body)
    desk.drop.put("bad.xml", sample.body.replace(b"<title>", b"<titel/><title>"))
    assert sorted(desk.run(source)) == ["archived", "rejected"]
    select = "SELECT control_id, message_type, patient_number, body FROM bus.message"
    row = database.execute(select).fetchall()
    assert row == [(sample.number, "cda:C0001", sample.patient, sample.body)]
    assert desk.drop.tree("archive") == ["good.xml"]
    assert desk.drop.tree("reject") == ["bad.xml", "bad.xml.reason"]
    assert [code for code, *_ in refusals(database)] == ["schema"]


def test_only_a_file_that_stands_still_is_taken(desk: Desk, database: psycopg.Connection) -> None:
    poller = desk.poller()
    with closing(poller._ledger):
        for rows in (["1,P1,a"], ["1,P1,a", "2,P2,b"], ["1,P1,a", "2,P2,b", "3,P3"]):
            desk.drop.rows("a.csv", *rows)
            assert poller.cycle() == []
            desk.clock.now += 9
        assert poller.detail()["files_waiting"] == 1
        desk.drop.rows("a.csv", "1,P1,a", "2,P2,b", "3,P3,c")
        assert poller.cycle() == []
        desk.clock.now += 10
        assert [taken.outcome for taken in poller.cycle()] == ["archived"]
    assert ids(database) == ["1@1", "2@1", "3@1"]


def test_a_done_file_tells_that_a_file_is_complete(desk: Desk, database: psycopg.Connection) -> None:
    source = csv_source(complete="done", pattern="*")
    desk.drop.rows("a.csv", "1,P1,a")
    assert desk.run(source) == []
    desk.drop.put("a.csv.done", "")
    assert desk.run(source) == ["archived"]
    assert desk.drop.names == []
    desk.drop.rows("a.csv", "2,P2,b")
    assert desk.run(source) == []
    assert ids(database) == ["1@1"]


def test_a_marker_that_outlived_its_file_does_not_make_the_next_one_complete(
    desk: Desk, database: psycopg.Connection
) -> None:
    source = csv_source(complete="done", pattern="*")
    desk.drop.rows("a.csv", "1,P1,a")
    desk.place.move("a.csv", "claimed/a.csv")  # and then the process was killed
    desk.drop.put("a.csv.done", "")
    assert desk.run(source) == ["archived"]
    assert desk.drop.names == []


def test_a_renamed_file_is_taken_at_once(desk: Desk, database: psycopg.Connection) -> None:
    source = csv_source(complete="rename")
    desk.drop.rows("a.csv.tmp", "1,P1,a")
    poller = desk.poller(source)
    with closing(poller._ledger):
        assert poller.cycle() == []
        (desk.drop.root / "a.csv.tmp").rename(desk.drop.root / "a.csv")
        assert [taken.outcome for taken in poller.cycle()] == ["archived"]


def test_the_same_file_again_is_told_and_has_no_second_effect(
    desk: Desk, database: psycopg.Connection
) -> None:
    desk.drop.rows("a.csv", "1,P1,a")
    assert desk.run() == ["archived"]
    desk.drop.rows("b.csv", "1,P1,a")
    poller = desk.poller(csv_source(complete="rename"))
    with closing(poller._ledger):
        assert [taken.outcome for taken in poller.cycle()] == ["again"]
        assert poller.detail()["files_again"] == 1
    assert ids(database) == ["1@1"]
    assert ledger(database, "b.csv") == ("taken", 1, 1, 0, [], 2, True)
    assert desk.drop.tree("archive") == ["a.csv", "b.csv"]


def test_late_edits_are_new_versions_and_what_is_unchanged_is_not_sent_again(
    desk: Desk, database: psycopg.Connection
) -> None:
    for number, name in enumerate(["first", "second", "first"]):
        desk.drop.rows(f"{number}.csv", "1,P1,same", f"2,P2,{name}", f"day {number},,")
    assert desk.run() == ["archived"] * 3
    about_p2 = "SELECT control_id, body FROM bus.message WHERE patient_number = 'P2' ORDER BY id"
    (first, one), (second, two), (third, three) = database.execute(about_p2).fetchall()
    assert (first, second, third) == ("2@1", "2@2", "2@3")
    assert one == three != two
    assert ids(database).count("1@1") == 1
    assert ledger(database, "1.csv") == ("taken", 3, 2, 1, [], 1, True)


def test_an_edited_record_is_held_where_the_source_says_that_none_changes(
    desk: Desk, database: psycopg.Connection
) -> None:
    source = csv_source(edits="conflict")
    desk.drop.rows("a.csv", "1,P1,a")
    desk.drop.rows("b.csv", "1,P1,b", "1,P1,b")
    assert desk.run(source) == ["archived"] * 2
    assert ids(database) == ["1", "1"]
    assert database.execute("SELECT code FROM bus.held").fetchall() == [("control_id_conflict",)]


def test_a_record_that_cannot_be_taken_is_refused_with_its_line_and_the_rest_goes_on(
    desk: Desk, database: psycopg.Connection
) -> None:
    desk.drop.put("a.csv", HEADER.encode() + b"1,P1,a\n2\n3,P3,\xff\n4,P4,d\n")
    assert desk.run() == ["archived"]
    assert ids(database) == ["1@1", "4@1"]
    assert refusals(database) == [("wrong_number_of_fields", "a.csv:3"), ("wrong_charset", "a.csv:4")]
    row = database.execute("SELECT facility, endpoint, reason, body, size FROM bus.refusal").fetchone()
    reason = "line 3, record 2 of file 1: the row has 1 fields, and the file 3 columns"
    assert row == ("NS", "ns_lab", reason, b"2\n", 2)
    assert ledger(database, "a.csv") == ("taken", 4, 2, 0, [2, 3], 1, True)


def test_when_the_source_is_mended_the_same_file_brings_only_what_was_refused(
    desk: Desk, database: psycopg.Connection
) -> None:
    old = HEADER.encode() + "1,P1,a\n2,P2,珅\n".encode("gb18030")
    desk.drop.put("a.csv", old)
    assert desk.run() == ["archived"]
    desk.drop.rows("b.csv", "1,P1,newer")
    assert desk.run() == ["archived"]
    desk.drop.put("a.csv", old)
    assert desk.run(csv_source({"charset": "GB18030"}, settle=10)) == ["again"]
    assert ids(database) == ["1@1", "1@2", "2@1"]
    assert ledger(database, "a.csv") == ("taken", 2, 2, 0, [], 2, True)
    desk.drop.put("a.csv", old)
    assert desk.run() == ["again"]
    assert ids(database) == ["1@1", "1@2", "2@1"]


def test_too_many_bad_records_reject_the_file_before_anything_of_it_is_stored(
    desk: Desk, database: psycopg.Connection
) -> None:
    body = HEADER + "1,P1,a\n" + "x\n" * 3
    desk.drop.put("a.csv", body)
    assert desk.run(csv_source(most_bad=2)) == ["rejected"]
    assert ids(database) == []
    assert refusals(database) == [("too_many_bad", "a.csv")]
    assert desk.drop.tree("reject") == ["a.csv", "a.csv.reason"]
    (reason,) = desk.drop.root.glob("reject/*/*.reason")
    assert "too_many_bad: 3 records" in reason.read_text(encoding="utf-8")
    assert "line 5: wrong_number_of_fields" in reason.read_text(encoding="utf-8")
    desk.drop.put("a.csv", body)
    assert desk.run(csv_source(most_bad=3)) == ["archived"]
    assert ids(database) == ["1@1"]


@pytest.mark.parametrize(
    ("body", "told", "code"),
    [
        (b"", {}, "empty_file"),
        (b"a,b\n1,2\n", {}, "missing_column"),
        (b"no,patient\n" + b"1,P1\n" * 50, {"file_limit": 100}, "too_large"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_and_put_aside(
    desk: Desk, database: psycopg.Connection, body: bytes, told: dict[str, Any], code: str
) -> None:
    desk.drop.put("a.csv", body)
    assert desk.run(csv_source(**told)) == ["rejected"]
    assert refusals(database) == [(code, "a.csv")]
    assert len(desk.drop.tree("reject")) == 2
    assert desk.drop.names == []


def test_a_link_is_not_followed(desk: Desk, database: psycopg.Connection) -> None:
    outside = desk.drop.root.parent / "secret.csv"
    outside.write_text("no,patient\n1,P1\n")
    (desk.drop.root / "a.csv").symlink_to("../secret.csv")
    assert desk.run(csv_source(complete="rename")) == ["rejected"]
    assert refusals(database) == [("not_a_file", "a.csv")]
    assert outside.exists()
    assert ids(database) == []


def test_a_name_that_cannot_be_used_is_counted_and_left(desk: Desk, database: psycopg.Connection) -> None:
    desk.drop.rows("a\\b.csv", "1,P1,a")
    desk.drop.rows("a\n.csv", "1,P1,a")
    poller = desk.poller(csv_source(complete="rename"))
    with closing(poller._ledger):
        assert poller.cycle() == []
        assert poller.detail()["files_unusable"] == 2


def test_a_name_that_is_not_utf_8_is_read_as_gb18030(desk: Desk, database: psycopg.Connection) -> None:
    path = bytes(desk.drop.root) + b"/" + "珅.csv".encode("gb18030")
    with open(path, "w") as file:  # noqa: PTH123 - a path of bytes
        file.write("no,patient\n1,P1\n")
    assert desk.run() == ["archived"]
    assert ledger(database, "珅.csv")[0] == "taken"


def test_a_file_that_is_written_on_while_it_is_read_comes_again(
    desk: Desk, database: psycopg.Connection
) -> None:
    source = csv_source(page=1)
    desk.drop.rows("a.csv", "1,P1,a", "2,P2,b")
    poller = desk.poller(source)
    store = poller._ledger.store

    def late(*arguments):
        if len(ids(database)) == 0:
            with (desk.drop.root / "claimed" / "a.csv").open("a") as file:
                file.write("3,P3,c\n")
        return store(*arguments)

    poller._ledger.store = late  # type: ignore[method-assign]
    with closing(poller._ledger):
        poller.cycle()
        desk.clock.now += 20
        assert [taken.outcome for taken in poller.cycle()] == ["put_back"]
        assert desk.drop.names == ["a.csv"]
        poller.cycle()
        desk.clock.now += 20
        assert [taken.outcome for taken in poller.cycle()] == ["archived"]
    assert ids(database) == ["1@1", "2@1", "3@1"]


def test_a_record_that_the_database_cannot_hold_is_refused_alone(
    desk: Desk, database: psycopg.Connection
) -> None:
    database.execute("ALTER TABLE bus.inbox ADD CONSTRAINT no_p2 CHECK (patient_number <> 'P2') NOT VALID")
    try:
        desk.drop.rows("a.csv", "1,P1,a", "2,P2,b", "3,P3,c")
        assert desk.run() == ["archived"]
    finally:
        database.execute("ALTER TABLE bus.inbox DROP CONSTRAINT no_p2")
    assert ids(database) == ["1@1", "3@1"]
    assert refusals(database) == [("not_storable", "a.csv:3")]
    assert ledger(database, "a.csv") == ("taken", 3, 2, 0, [2], 1, True)
