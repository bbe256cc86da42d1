"""The places themselves: sign-in, a broken line, links, and files out."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import psycopg
import pytest

from adapters.files.client import open_place, opened, write_file
from adapters.files.place import Place, PlaceDownError, PlaceError
from adapters.waiting import LONGEST
from consortium.errors import PermanentError
from runtime.settings import FilePlace
from tests.integration.adapters.files.conftest import Desk, Drop, ids
from tests.integration.adapters.files.sftp_server import Server, serving
from tests.unit.adapters.files.reading import csv_source


def test_a_file_out_is_whole_under_its_name_and_leaves_nothing_else(place: Place, drop: Drop) -> None:
    body = os.urandom(3_000_000)
    assert write_file(place, "17.hl7", body) is True
    assert (drop.root / "17.hl7").read_bytes() == body
    assert drop.names == ["17.hl7"]


def test_writing_again_has_no_second_effect_and_never_writes_over_another(place: Place, drop: Drop) -> None:
    write_file(place, "17.hl7", b"MSH")
    before = (drop.root / "17.hl7").stat()
    assert write_file(place, "17.hl7", b"MSH") is False
    assert (drop.root / "17.hl7").stat().st_ino == before.st_ino
    for other in (b"msh", b"MSH|"):
        with pytest.raises(PlaceError, match="another file"):
            write_file(place, "17.hl7", other)
    assert (drop.root / "17.hl7").read_bytes() == b"MSH"


def test_half_a_file_that_a_kill_left_is_replaced(place: Place, drop: Drop) -> None:
    (drop.root / ".17.hl7.tmp").write_bytes(b"half of it, and longer than the whole")
    write_file(place, "17.hl7", b"MSH")
    assert drop.names == ["17.hl7"]
    assert (drop.root / "17.hl7").read_bytes() == b"MSH"


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ".a", "", "a\0", "a\\b", "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(place: Place, drop: Drop, name: str) -> None:
    with pytest.raises(PlaceError):
        write_file(place, name, b"MSH")
    assert drop.names == []


def test_a_folder_of_ours_that_is_a_link_is_not_followed(place: Place, drop: Drop) -> None:
    outside = drop.root.parent / "outside"
    outside.mkdir()
    (drop.root / "archive").symlink_to("../outside")
    drop.rows("a.csv", "1,P1,a")
    with pytest.raises(PlaceError, match="link"):
        place.move("a.csv", "archive/2026-11-24/a.csv")
    assert list(outside.iterdir()) == []
    assert drop.names == ["a.csv", "archive"]


def test_a_place_that_is_not_there_says_what_to_do(drop: Drop, sftp: Server) -> None:
    drop.root.rmdir()
    for told in (FilePlace(url=str(drop.root)), sftp.place()):
        with opened(told) as place, pytest.raises(PlaceError, match="mend file_places"):
            place.entries()


def test_a_key_with_a_passphrase_signs_in(drop: Drop, sftp: Server) -> None:
    drop.rows("a.csv", "1,P1,a")
    told = sftp.place(password="", key_file=sftp.client_key, key_passphrase="key phrase")
    with opened(told) as place:
        assert [entry.name for entry in place.entries()] == ["a.csv"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda _server: {"password": "guess"}, "does not take user yilian"),
        (lambda server: {"key_file": server.client_key, "key_passphrase": "x"}, "KeyEncryptionError"),
        (lambda _server: {"key_file": "/nowhere"}, "key_file /nowhere cannot be read"),
        (lambda _server: {"host_key": other_key()}, "shows another host key than the pinned one"),
    ],
)
def test_a_sign_in_that_fails_says_why_and_tells_no_secret(
    sftp: Server, wrong: Callable[[Server], dict[str, Any]], named: str
) -> None:
    with opened(sftp.place(**wrong(sftp))) as place, pytest.raises(PlaceError, match=named) as error:
        place.entries()
    assert "guess" not in str(error.value)
    assert "guess" not in repr(sftp.place(**wrong(sftp)))


def other_key() -> str:
    """The public key of a server that nobody runs."""
    return asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"url": "drop"}, "whole path"),
        ({"url": "sftp://host/drop"}, "sftp://user@host"),
        ({"url": "sftp://u:p@host/drop"}, "sftp://user@host"),
        ({"url": "sftp://u@host/drop"}, "ssh-keyscan host"),
        ({"url": "sftp://u@host/drop", "host_key": "ssh-ed25519 AAAA"}, "password or a key_file"),
        ({"url": "sftp://u@host/drop", "host_key": "what", "password": "p"}, "no SSH public key"),
    ],
)
def test_a_wrong_setting_is_named(told: dict[str, Any], named: str) -> None:
    with pytest.raises(PermanentError, match=named):
        open_place(FilePlace.model_validate(told))


def test_what_ssh_keyscan_prints_is_taken(sftp: Server) -> None:
    told = sftp.place(host_key=f"127.0.0.1 {sftp.host_key}")
    with opened(told) as place:
        assert place.entries() == []


def failure(place: Place) -> str:
    """Look once; return why that failed, or nothing."""
    try:
        place.entries()
    except PlaceDownError as error:
        return str(error)
    return ""


def test_a_line_that_breaks_is_connected_again(sftp: Server, drop: Drop) -> None:
    drop.rows("a.csv", "1,P1,a")
    with opened(sftp.place()) as place:
        assert len(place.entries()) == 1
        sftp.cut()
        while not (told := failure(place)):  # until the break has come through
            pass
        assert told.startswith(f"127.0.0.1:{sftp.port} does not answer")
        assert len(place.entries()) == 1


def test_a_server_that_is_away_is_waited_for_longer_and_longer(
    drop: Drop, tmp_path: Path, desk: Desk, database: psycopg.Connection
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with serving(drop.root.parent, folder) as server:
        told = server.place()
    drop.rows("a.csv", "1,P1,a")
    source = csv_source(complete="rename", interval=1)
    with opened(told) as place:
        poller = desk.poller(source, place, jitter=lambda: 1.0)
        with closing(poller._ledger):
            assert [poller.attempt() for _ in range(8)] == [min(LONGEST, 2.0**n) for n in range(1, 9)]
            assert poller.detail()["state"] == "waiting"
            assert "does not answer" in poller.detail()["reason"]
    assert ids(database) == []
    assert desk.run(source) == ["archived"]
