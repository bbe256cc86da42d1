"""`./yilian identity …` over a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bus.identity.console import identity_main
from consortium.access import audit
from consortium.identity.matching import active, load
from runtime import settings
from runtime.settings import Settings
from tests.integration.bus.clinic import engine_of
from tests.integration.consortium.identity.pairs import PEOPLE, open_review, person_of, register

WANG, OUYANG, *_ = PEOPLE
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    chosen = Settings(database_url=database_url)
    monkeypatch.setattr(settings, "load", lambda: chosen)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = identity_main(argv)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


@pytest.fixture
def waiting(database_url: str) -> UUID:
    """A review of MAIN:M1 and HP:H1."""
    with engine_of(database_url).begin() as connection:
        left = register(connection, 1, "MAIN", WANG.as_patient("M1", id_card=None))
        right = register(connection, 2, "HP", OUYANG.as_patient("H1", id_card=None))
        return open_review(connection, left, right)


def told(run: Run, *argv: str) -> Any:
    status, out, err = run(*argv, "--json")
    assert status == 0, err
    return json.loads(out)


def persons(url: str) -> list[UUID]:
    with engine_of(url).connect() as connection:
        return [person_of(connection, id_) for id_ in (1, 2)]


def test_a_pair_is_listed_shown_decided_and_undone(run: Run, waiting: UUID, database_url: str) -> None:
    id_ = str(waiting)
    assert [one["id"] for one in told(run, "reviews")["reviews"]] == [id_]
    status, out, _ = run("show", id_)
    assert status == 0
    assert "王珅" in out
    assert "欧阳倩" in out
    assert "name is the same" in out
    told(run, "claim", id_, "--by", "lin")
    status, _, err = run("decide", id_, "same", "--why", "x", "--by", "chen")
    assert (status, "lin has claimed it" in err) == (1, True)
    [decided] = told(run, "decide", id_, "same", "--why", "护照一致", "--by", "lin")["reviews"]
    assert (decided["state"], decided["says"]) == ("decided", "same")
    assert len(set(persons(database_url))) == 1
    [again] = told(run, "undo", id_, "--why", "看错了", "--by", "lin")["reviews"]
    assert again["state"] == "open"
    assert len(set(persons(database_url))) == 2
    with engine_of(database_url).connect() as connection:
        [entry] = audit.entries(connection, limit=1)
    assert (entry.entry.action, "看错了" in entry.entry.reason) == ("identity.decide", True)


def test_numbers_are_linked_split_and_told(run: Run, waiting: UUID, database_url: str) -> None:
    linked = told(run, "link", "MAIN:M1", "HP:H1", "--why", "护照一致")
    assert len(linked["persons"]) == 1
    told(run, "revoke", str(linked["decisions"][0]), "--why", "看错了")
    told(run, "link", "MAIN:M1", "HP:H1", "--why", "护照一致")
    status, out, _ = run("person", "MAIN:M1")
    assert status == 0
    assert "HP:H1" in out
    assert "the campus that spoke last" in out
    shown = told(run, "person", linked["persons"][0])
    line = [one for one in shown["ledger"] if one["by_user"]][-1]
    told(run, "undo-move", str(line["id"]), "--why", "误合并")
    assert len(set(persons(database_url))) == 2
    told(run, "never-same", "MAIN:M1", "HP:H1", "--why", "两人")
    assert told(run, "recompute") == {"changed": 0}


def test_figures_are_told(run: Run, waiting: UUID) -> None:
    shown = told(run, "dashboard")
    assert (shown["people"], shown["load"]["open"]) == (2, 1)
    assert run("dashboard")[1].splitlines()[-1].startswith("reviews: 1 open")
    assert told(run, "registrations") == {"registrations": [], "campuses": []}
    assert "docs/decide-who-is-who.md" in run("registrations")[1]


@pytest.mark.parametrize(
    ("argv", "status", "told_"),
    [
        (("show", "00000000-0000-0000-0000-000000000001"), 1, "identity reviews"),
        (("person", "MAIN:nobody"), 1, "CAMPUS:NUMBER"),
        (("person", "00000000-0000-0000-0000-000000000001"), 1, "no person"),
        (("separate", "MAIN:M1", "--why", "x"), 1, "all numbers"),
        (("revoke", "77", "--why", "x"), 1, "no decision 77"),
        (("undo-move", "77", "--why", "x"), 1, "no line 77"),
        (("show", "1"), 2, "invalid"),
        (("link", "MAIN:M1", "HP:H1"), 2, "--why"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, waiting: UUID, argv: tuple[str, ...], status: int, told_: str
) -> None:
    found, _, err = run(*argv)
    assert found == status
    assert told_ in err


def test_it_speaks_chinese(run: Run, waiting: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    assert "姓名一致" in run("show", str(waiting))[1]
    assert "审核：待处理 1" in run("dashboard")[1]


def test_the_model_is_told_and_written_for_another_size(
    run: Run, waiting: UUID, database_url: str, tmp_path: Path
) -> None:
    told_of = told(run, "model")
    assert (told_of["numbers"], told_of["stored"]) == (20_000_000, 2)
    out = tmp_path / "model.json"
    assert told(run, "model", "--numbers", "300000", "--out", str(out))["version"].endswith("/300000")
    assert load(out).prior == pytest.approx(active().prior * 20_000_000 / 300_000)
    status, _, error = run("model", "--numbers", "1", "--out", str(out))
    assert (status, "2 numbers are stored" in error) == (1, True)
    assert run("model", "--numbers", "300000")[0] == 1
