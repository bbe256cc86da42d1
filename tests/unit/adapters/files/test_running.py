"""Which sources are polled when another rule set is deployed; no place and no database answer here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa

from adapters.files.running import BELOW, Sources, WrongPlaceError
from adapters.files.server import Poller
from adapters.files.settings import Source
from bus.rules.versions.described import Described, State, in_folder
from consortium.errors import PermanentError
from runtime.campuses import Roster

DESCRIBED = 'facility: NS\nsender: LIS\npattern: "{}"\nmessage_type: csv:lab\ncsv: {{}}\n'


class Fake:
    """A poller that ends when it is told to, as one with no file at hand."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.left = threading.Event()
        self.at_hand = threading.Event()
        self.at_hand.set()

    def leave(self) -> None:
        self.left.set()

    def detail(self) -> dict[str, str]:
        return {"state": "polling"}

    def run(self) -> None:
        assert self.left.wait(20)
        assert self.at_hand.wait(20)


class Desk:
    """Sources over a folder, and the pollers that were made for them."""

    def __init__(self, folder: Path, *refused: str, error: type[PermanentError] = PermanentError) -> None:
        self.folder, self.refused, self.error = folder, refused, error
        self.made: list[Fake] = []
        self.charsets: list[str] = []
        """Of the campus, as each poller found it when it was opened."""
        self.stop = threading.Event()
        look = partial(in_folder, folder, BELOW)
        self.roster = Roster(folder)
        self.sources = Sources(look, frozenset({"lab", "exam"}), self._opened, self.stop, self.roster)

    def _opened(self, source: Source) -> Poller:
        if source.name in self.refused:
            raise self.error(f"{source.name} is wrong")
        self.made.append(Fake(source))
        self.charsets += [one.charset for one in self.roster.now if one.code == source.facility]
        return cast("Poller", self.made[-1])

    def describe(self, **patterns: str) -> None:
        folder = self.folder / "campuses" / "nansha" / "files"
        folder.mkdir(parents=True, exist_ok=True)
        for name, pattern in patterns.items():
            (folder / f"{name}.yaml").write_text(DESCRIBED.format(pattern), encoding="utf-8")

    def campus(self, charset: str) -> None:
        path = self.folder / "campuses" / "nansha" / "campus.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"code: NS\nname: 南沙院区\noid: 1.2.3\ncharset: {charset}\n", encoding="utf-8")

    def patterns(self) -> list[str]:
        return [one.source.pattern for one in self.made]


def test_a_changed_source_ends_its_file_before_the_new_one_begins_and_the_others_stay(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.describe(lab="a*.csv", exam="x*.csv", elsewhere="e.csv")
    with ThreadPoolExecutor(2) as threads:
        desk.sources.follow(threads)
        assert sorted(desk.patterns()) == ["a*.csv", "x*.csv"], "one without a place is not polled"
        lab, exam = sorted(desk.made, key=lambda one: one.source.pattern)
        lab.at_hand.clear()
        desk.describe(lab="changed*.csv")
        desk.sources.follow(threads)
        assert (lab.left.is_set(), exam.left.is_set(), len(desk.made)) == (True, False, 2)
        _, done = desk.sources._running["lab"]
        lab.at_hand.set()
        done.result(20)
        desk.sources.follow(threads)
        assert desk.patterns()[2:] == ["changed*.csv"]
        for one in desk.made:
            one.leave()


def test_a_campus_that_writes_otherwise_is_read_so_once_the_file_at_hand_is_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.campus("UNICODE UTF-8")
    desk.describe(lab="a*.csv")
    with ThreadPoolExecutor(2) as threads:
        desk.sources.follow(threads)
        desk.describe(exam="x*.csv")
        desk.sources.follow(threads)
        assert not desk.made[0].left.is_set(), "its campus is the same"
        desk.campus("GB 18030-2000")
        desk.sources.follow(threads)
        assert all(one.left.is_set() for one in desk.made)
        for _, done in desk.sources._running.values():
            done.result(20)
        desk.sources.follow(threads)
        for one in desk.made:
            one.leave()
    assert desk.charsets == [*["UNICODE UTF-8"] * 2, *["GB 18030-2000"] * 2]


def test_a_source_that_is_wrong_keeps_nobody_from_being_polled_and_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "exam")
    desk.describe(lab="a*.csv", exam="x*.csv")
    with ThreadPoolExecutor(2) as threads:
        desk.sources.follow(threads)
        for one in desk.made:
            one.leave()
    detail = desk.sources.detail()
    assert detail["lab"] == {"state": "polling"}
    assert detail["exam"] == {"state": "refused", "reason": "exam is wrong"}


def test_a_wrong_place_ends_a_start_and_later_its_own_source_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "exam", error=WrongPlaceError)
    desk.describe(lab="a*.csv")
    with ThreadPoolExecutor(2) as threads:
        desk.sources.follow(threads)
        desk.describe(exam="x*.csv")
        desk.sources.follow(threads)
        assert desk.sources.detail()["exam"]["state"] == "refused"
        desk.made[0].leave()
    with pytest.raises(WrongPlaceError, match="exam is wrong"):
        Desk(tmp_path, "exam", error=WrongPlaceError).sources.run()


def test_what_cannot_be_read_changes_no_poller(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.describe(lab="a*.csv")
    away = threading.Event()

    def look(known: State | None) -> Described | None:
        if away.is_set():
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("gone"))
        return in_folder(tmp_path, BELOW, known)

    desk.sources = Sources(look, frozenset({"lab"}), desk._opened, desk.stop)
    with ThreadPoolExecutor(2) as threads:
        desk.sources.follow(threads)
        away.set()
        desk.describe(lab="b*.csv")
        desk.sources.follow(threads)
        assert desk.sources.detail()["problem"] == "OperationalError"
        assert not desk.made[0].left.is_set()
        away.clear()
        desk.describe(lab='b"')  # no YAML any more
        desk.sources.follow(threads)
        assert "lab.yaml" in desk.sources.detail()["problem"]
        assert not desk.made[0].left.is_set()
        desk.made[0].leave()
