"""The files adapter at OpenSSH's SFTP server, which most hospitals run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.files.client import opened, write_file
from adapters.files.place import Place, PlaceDownError, PlaceError
from runtime.settings import FilePlace, Settings
from tests.integration.adapters.files.conftest import Clock, Desk, Drop, ids, ledger, refusals
from tests.interop.openssh import Server, serving
from tests.unit.adapters.files.reading import csv_source


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """The server."""
    with serving() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The server, its drop folder empty."""
    for path in sorted(running.drop.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return running


@pytest.fixture
def database(database_url: str) -> Iterator[psycopg.Connection]:
    """A look behind the door."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(params=["key", "password"])
def told(request: pytest.FixtureRequest, server: Server) -> FilePlace:
    """How to sign in."""
    if request.param == "password" and not server.account.password:
        pytest.skip("only root may make an account with a password")
    return server.place(password=request.param == "password")


class SendersDrop(Drop):
    """The drop folder as its sender writes it: the files are the account's."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.drop)
        self._account = server.account

    def put(self, name: str, body: bytes | str) -> Path:
        """Write a file."""
        path = super().put(name, body)
        os.chown(path, self._account.uid, self._account.gid)
        return path


@pytest.fixture
def desk(database_url: str, server: Server, tmp_path: Path) -> Iterator[Desk]:
    """Everything around one source; each poller is as a process that just started has it."""
    spool = tmp_path / "spool"
    spool.mkdir()
    settings = Settings(database_url=database_url, routing_key="key")
    with opened(server.place()) as place:
        yield Desk(SendersDrop(server), place, settings, spool, Clock(), threading.Event())


def test_complete_files_are_taken_bad_ones_rejected_and_each_goes_to_its_folder(
    desk: Desk, told: FilePlace, database: psycopg.Connection
) -> None:
    desk.drop.put("检验 a.csv", "no,patient,name\n1,P1,珅\n2,P2,李\n".encode())
    desk.drop.put("b.csv", "wrong,columns\n1,2\n")
    desk.drop.put("c.csv.part", "no,patient,name\n3,P3,c\n")
    with opened(told) as place:
        assert sorted(desk.run(place=place)) == ["archived", "rejected"]
    assert ids(database) == ["1@1", "2@1"]
    assert desk.drop.names == ["c.csv.part"]
    assert desk.drop.tree("archive") == ["检验 a.csv"]
    assert [name for name in desk.drop.tree("reject") if not name.endswith(".reason")] == ["b.csv"]
    assert [code for code, _ in refusals(database)] == ["missing_column"]


def test_a_file_that_still_grows_is_left(desk: Desk, database: psycopg.Connection) -> None:
    poller = desk.poller()
    with closing(poller._ledger):
        for rows in (["1,P1,a"], ["1,P1,a", "2,P2,b"]):
            desk.drop.rows("a.csv", *rows)
            assert poller.cycle() == []
            desk.clock.now += 9
        assert ids(database) == []
        desk.clock.now += 2
        assert [taken.outcome for taken in poller.cycle()] == ["archived"]
    assert ids(database) == ["1@1", "2@1"]


class Failing:
    """A place whose server is killed after the first block of a file."""

    def __init__(self, place: Place, server: Server) -> None:
        self._place, self._server = place, server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def blocks(self, path: str) -> Iterator[bytes]:
        """Read one block, and lose the server."""
        for number, block in enumerate(self._place.blocks(path)):
            if number == 0:
                self._server.kill()
            yield block


def test_a_server_that_dies_within_a_file_costs_nothing(
    desk: Desk, server: Server, database: psycopg.Connection
) -> None:
    source = csv_source(complete="rename", page=1000)
    rows = [f"{n},P{n},{'x' * 400}" for n in range(1, 6001)]  # three blocks
    desk.drop.rows("a.csv", *rows)
    failing: Any = Failing(desk.place, server)
    poller = desk.poller(source, failing)
    with closing(poller._ledger):
        with pytest.raises(PlaceDownError):
            poller.cycle()
        assert desk.drop.tree("claimed") == ["a.csv"]
        assert ids(database) == []
        assert poller.attempt() > 0
        assert poller.detail()["state"] == "waiting"
    server.start()
    assert desk.run(source) == ["archived"]
    assert ledger(database, "a.csv") == ("taken", 6000, 6000, 0, [], 1, True)
    assert (desk.drop.names, desk.drop.tree("claimed"), desk.drop.tree("archive")) == ([], [], ["a.csv"])


def test_the_same_connection_goes_on_once_the_server_is_back(server: Server, desk: Desk) -> None:
    desk.drop.rows("a.csv", "1,P1,a")
    assert [entry.name for entry in desk.place.entries()] == ["a.csv"]
    server.kill()
    with pytest.raises(PlaceDownError):
        desk.place.entries()
    server.start()
    assert [entry.name for entry in desk.place.entries()] == ["a.csv"]


def test_a_file_out_is_whole_and_written_once(told: FilePlace, server: Server) -> None:
    body = os.urandom(3_000_000)
    with opened(told) as place:
        assert write_file(place, "17.hl7", body) is True
        assert write_file(place, "17.hl7", body) is False
    assert (server.drop / "17.hl7").read_bytes() == body
    assert [path.name for path in server.drop.iterdir()] == ["17.hl7"]


def test_another_server_with_that_address_is_not_signed_in_to(server: Server) -> None:
    other = server.place().host_key[:-6] + "AAAAAA"
    with (
        opened(server.place().model_copy(update={"host_key": other})) as place,
        pytest.raises(PlaceError, match="another host key"),
    ):
        place.entries()


def test_a_folder_that_may_not_be_written_is_told(server: Server, desk: Desk) -> None:
    if os.geteuid() != 0:
        pytest.skip("as root the account is another's than the folder's")
    desk.drop.rows("a.csv", "1,P1,a")
    os.chown(server.drop, 0, 0)
    try:
        with pytest.raises(PlaceError, match="right to read and write"):
            desk.place.move("a.csv", "claimed/a.csv")
    finally:
        os.chown(server.drop, server.account.uid, server.account.gid)
