"""Changes of master data reach their subscribers: in order, once, across outages, ends and deployments."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from adapters.files.outbound import FilesTransport
from adapters.rest.outbound import RestTransport
from adapters.tables.outbound import TablesTransport
from bus.delivery import control
from bus.forms import CurrentRules, forms
from bus.held import NotHeldError
from bus.master_data import outbox, standing, subscribing, telling
from bus.master_data.imports import import_rows
from bus.master_data.subscribing import Wanted
from bus.master_data.telling import Teller, order_key
from bus.replay.ledger import Who
from bus.replay.one import replay
from bus.rules.destinations import AnyDestination, FilesDestination, RestDestination, TablesDestination
from consortium.terminology import service, store
from consortium.terminology.model import Kind
from consortium.terminology.service import Import
from consortium.terminology.subscribers import BadSubscriptionError, Subscriber
from runtime.settings import CHECKOUT, FilePlace, Settings
from tests.integration.bus.clinic import KEY, engine_of, rows
from tests.integration.bus.delivery.process import delivery
from tests.integration.bus.delivery.queue import BREAKER, RETRY, delivering, mllp, states, until
from tests.integration.bus.delivery.receivers import HttpReceiver, http_receiver

Specs = dict[str, AnyDestination]
HEAD = "owner,code,name,valid_from,valid_to,type\n"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def rest(url: str = "http://127.0.0.1:9/hook", name: str = "his", **more: Any) -> RestDestination:
    return RestDestination(
        name=name,
        description="a HIS of the test",
        facility="GROUP",
        kind="rest",
        address=url,
        **{
            "master_data": ("department", "staff", "code-map"),
            "retry": RETRY,
            "breaker": BREAKER,
            "timeout_seconds": 5.0,
            **more,
        },
    )


def departments(engine: sa.Engine, *named: str, code: int = 101) -> None:
    """Import one department after the other, each a change of its own."""
    lines = [f"MAIN,{code + number:04},{name},2020-01-01,,clinical" for number, name in enumerate(named)]
    what = Import(Kind.DEPARTMENT, "d.csv", HEAD + "\n".join(lines) + "\n")
    with engine.begin() as connection:
        import_rows(connection, what, service.read(what, ("MAIN",)), by="chen")


def subscribe(
    engine: sa.Engine, specs: Mapping[str, AnyDestination], *kinds: str, name: str = "his", **more: Any
) -> Subscriber:
    with engine.begin() as connection:
        wanted = Wanted(name, kinds or ("department",), **more)
        return subscribing.subscribe(connection, wanted, specs, "chen")


def teller(database_url: str, engine: sa.Engine, specs: Mapping[str, AnyDestination]) -> Teller:
    settings = Settings(database_url=database_url, routing_key=KEY)
    return Teller(settings, engine, lambda _connection: specs)


def stands(engine: sa.Engine, specs: Mapping[str, AnyDestination]) -> standing.Standing:
    with engine.connect() as connection:
        [one] = standing.standings(connection, specs)
    return one


def named(receiver: HttpReceiver) -> list[str]:
    return [json.loads(body)["name"] for _, body in receiver.got]


def queued(url: str) -> list[str]:
    """Return the names of what is queued for delivery, in its order."""
    found = rows(
        url, "SELECT m.body FROM bus.delivery d JOIN bus.message m ON m.id = d.message_id ORDER BY d.id"
    )
    return [json.loads(bytes(body))["name"] for (body,) in found]


class TestQueueing:
    def test_a_change_becomes_a_message_of_ours_and_its_delivery(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        specs: Specs = {"his": rest()}
        subscribe(engine, specs)
        departments(engine, "心血管内科", "呼吸内科")
        assert teller(database_url, engine, specs).step()
        assert not teller(database_url, engine, specs).step()
        found = rows(
            database_url,
            "SELECT i.facility, i.sender, i.message_type, i.endpoint, d.destination, d.patient_key,"
            " i.control_id = 'MD' || o.id, t.detail ->> 'change' = o.dedupe_key"
            " FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id"
            " JOIN bus.outbox o ON o.message_id = i.id AND o.delivered_at IS NOT NULL"
            " JOIN bus.trace t ON t.message_id = i.id AND t.step = 'recorded' ORDER BY d.id",
        )
        key = order_key("his")
        kind, lying = "json:master-data:department", "master-data:his"
        assert found == [("GROUP", "YILIAN", kind, lying, "his", key, True, True)] * 2
        assert queued(database_url) == ["心血管内科", "呼吸内科"]
        assert rows(database_url, "SELECT count(*) FROM bus.work") == [(0,)]

    def test_it_goes_through_no_rules_again(self, engine: sa.Engine, database_url: str) -> None:
        specs: Specs = {"his": rest()}
        subscribe(engine, specs)
        departments(engine, "心血管内科")
        teller(database_url, engine, specs).step()
        [(message,)] = rows(database_url, "SELECT id FROM bus.inbox")
        with pytest.raises(NotHeldError, match="tells a subscriber of a change of master data"):
            replay(engine, message, Who("chen", "again"), KEY)
        with engine.connect() as connection:
            shown = forms(
                connection, str(message), CurrentRules(CHECKOUT / "rules"), lambda _name, one: one.as_it_is
            )
        assert shown is not None
        assert (shown.decision, [one.destination for one in shown.sent]) == (None, ["his"])
        assert ("name", "心血管内科") in [(part.place, part.value) for part in shown.parts]
        assert rows(database_url, "SELECT count(*) FROM bus.work") == [(0,)]

    def test_what_fails_half_way_leaves_nothing_and_is_told_once(
        self, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        specs: Specs = {"his": rest(), "emr": rest(name="emr")}
        subscribe(engine, specs)
        subscribe(engine, specs, name="emr")
        departments(engine, "心血管内科")
        taken = telling._TAKEN
        broken = sa.text("UPDATE bus.outbox SET id = 1 / 0 WHERE id = ANY(:ids) AND :messages IS NOT NULL")
        monkeypatch.setattr(telling, "_TAKEN", broken)
        with pytest.raises(sa.exc.DBAPIError):
            teller(database_url, engine, specs).step()
        assert rows(database_url, "SELECT (SELECT count(*) FROM bus.inbox), count(*) FROM bus.delivery") == [
            (0, 0)
        ]
        monkeypatch.setattr(telling, "_TAKEN", taken)
        for _ in range(2):
            teller(database_url, engine, specs).step()
        assert states(database_url, "his") == states(database_url, "emr") == ["queued"]

    def test_no_more_than_so_many_are_open_at_a_time(
        self, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(telling, "OPEN", 3)
        specs: Specs = {"his": rest()}
        subscribe(engine, specs)
        departments(engine, *"甲乙丙丁戊")
        told = teller(database_url, engine, specs)
        assert told.step()
        assert not told.step()
        assert (queued(database_url), stands(engine, specs).waiting) == (list("甲乙丙"), 5)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE bus.delivery SET state = 'delivered', done_at = now() WHERE id < 3")
        assert told.step()
        assert (queued(database_url), stands(engine, specs).waiting) == (list("甲乙丙丁戊"), 3)

    def test_what_is_being_changed_keeps_what_was_changed_after_it_back(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        specs: Specs = {"his": rest()}
        subscribe(engine, specs, "department", "staff")
        told = teller(database_url, engine, specs)
        with engine.connect() as slow, slow.begin():
            outbox._publish(slow, "department", [("entry:1", {"kind": "department", "name": "先", "at": ""})])
            with engine.begin() as other:
                outbox._publish(other, "staff", [("entry:2", {"kind": "staff", "name": "后", "at": ""})])
            assert not told.step()
        assert told.step()
        assert queued(database_url) == ["先", "后"]

    def test_all_there_is_comes_in_batches_and_what_refers_to_it_after_it(
        self, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "BATCH", 2)
        monkeypatch.setattr(store, "PAGE", 2)
        departments(engine, *"甲乙丙丁戊")
        what = Import(
            Kind.STAFF,
            "s.csv",
            "owner,code,name,valid_from,department,role\nMAIN,1001,周明,2020-01-01,0101,doctor\n",
        )
        with engine.begin() as connection:
            import_rows(connection, what, service.read(what, ("MAIN",)), by="chen")
        specs: Specs = {"his": rest()}
        for _ in range(2):
            subscribe(engine, specs, "staff", "department", present=True)
        assert teller(database_url, engine, specs).step()
        assert queued(database_url) == [*"甲乙丙丁戊", "周明"]

    def test_who_comes_again_begins_anew(self, engine: sa.Engine, database_url: str) -> None:
        specs: Specs = {"his": rest()}
        subscribe(engine, specs)
        departments(engine, "心血管内科")
        told = teller(database_url, engine, specs)
        told.step()
        departments(engine, "呼吸内科", code=102)
        with engine.begin() as connection:
            assert subscribing.unsubscribe(connection, "his")
        assert rows(database_url, "SELECT count(*) FROM bus.outbox") == [(0,)]
        subscribe(engine, specs, present=True)
        assert told.step()
        assert queued(database_url) == ["心血管内科", "心血管内科", "呼吸内科"]

    def test_what_it_wants_no_more_is_taken_away(self, engine: sa.Engine, database_url: str) -> None:
        specs: Specs = {"his": rest()}
        subscribe(engine, specs, "department", "staff")
        departments(engine, "心血管内科")
        subscribe(engine, specs, "staff")
        assert not teller(database_url, engine, specs).step()
        assert rows(database_url, "SELECT count(*) FROM bus.outbox") == [(0,)]


class TestDestinations:
    def test_changes_wait_for_a_destination_that_is_not_deployed(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        specs: Specs = {}
        subscribe(engine, specs)
        departments(engine, "心血管内科")
        told = teller(database_url, engine, specs)
        assert not told.step()
        problem = stands(engine, specs).problem
        assert problem is not None
        assert "write rules/destinations/his.yaml and deploy it" in problem.text
        with engine.connect() as connection:
            [late] = standing.unhanded(connection)
        assert (late.name, late.destination, late.seconds > 0) == ("his", "his", True)
        specs["his"] = rest()
        assert told.step()
        one = stands(engine, specs)
        assert (one.problem, one.waiting, one.oldest is not None) == (None, 1, True)
        with engine.connect() as connection:
            assert standing.unhanded(connection) == []

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            (mllp(1, "his"), "of kind mllp, which takes no master data"),
            (rest(master_data=("staff",)), r"write master_data: \[staff, department\] into its file"),
        ],
    )
    def test_one_that_does_not_take_them_is_refused(
        self, engine: sa.Engine, database_url: str, spec: AnyDestination, said: str
    ) -> None:
        with pytest.raises(BadSubscriptionError, match=said):
            subscribe(engine, {"his": spec})
        assert rows(database_url, "SELECT count(*) FROM terminology.subscriber") == [(0,)]

    def test_one_that_takes_them_no_more_gets_nothing(self, engine: sa.Engine, database_url: str) -> None:
        subscribe(engine, {"his": rest()})
        departments(engine, "心血管内科")
        assert not teller(database_url, engine, {"his": mllp(1, "his")}).step()
        problem = stands(engine, {"his": mllp(1, "his")}).problem
        assert problem is not None
        assert "takes no master data" in problem.text


class TestArriving:
    async def test_refused_it_waits_for_a_person_and_what_follows_waits_behind(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        answers: Sequence[int] = (200, 422)
        with http_receiver(lambda number: answers[number] if number < 2 else 200) as his:
            spec = rest(his.url)
            subscribe(engine, {"his": spec})
            departments(engine, *"甲乙丙")
            teller(database_url, engine, {"his": spec}).step()
            async with delivering(database_url, spec, RestTransport(spec, {})):
                await until(lambda: states(database_url, "his") == ["delivered", "parked", "queued"])
                problem = stands(engine, {"his": spec}).problem
                assert problem is not None
                assert "1 waits for a person" in problem.text
                with engine.begin() as connection:
                    [stuck] = control.stuck_ids(connection, "his")
                    control.resend(connection, stuck, "ops", "mended")
                await until(lambda: states(database_url, "his") == ["delivered"] * 3)
            one = stands(engine, {"his": spec})
            assert (one.waiting, one.problem, one.sent_at is not None) == (0, None, True)
        assert named(his) == ["甲", "乙", "乙", "丙"]

    async def test_a_table_has_a_row_for_each_and_its_newest_name(
        self, engine: sa.Engine, database_url: str
    ) -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("CREATE TABLE dept (owner text, code text, since date, name text, sort text,"
                               " PRIMARY KEY (owner, code, since))")  # fmt: skip
        spec = TablesDestination(
            name="his",
            description="a table",
            facility="GROUP",
            kind="tables",
            database="his",
            table="dept",
            key=("owner", "code", "since"),
            columns={"owner": "owner", "code": "code", "since": "valid_from", "name": "name",
                     "sort": "attributes.type"},
            master_data=("department",),
        )  # fmt: skip
        subscribe(engine, {"his": spec})
        departments(engine, "心血管内科", "呼吸内科")
        departments(engine, "心内科")
        teller(database_url, engine, {"his": spec}).step()
        async with delivering(database_url, spec, TablesTransport(spec, database_url)):
            await until(lambda: states(database_url, "his") == ["delivered"] * 3)
        assert rows(database_url, "SELECT code, name, sort FROM dept ORDER BY code") == [
            ("0101", "心内科", "clinical"),
            ("0102", "呼吸内科", "clinical"),
        ]

    async def test_a_folder_has_a_file_for_each(
        self, engine: sa.Engine, database_url: str, tmp_path: Path
    ) -> None:
        spec = FilesDestination(
            name="his",
            description="a folder",
            facility="GROUP",
            kind="files",
            place="his",
            file="{kind}-{code}-{control_id}.json",
            master_data=("department",),
        )
        subscribe(engine, {"his": spec})
        departments(engine, "心血管内科")
        teller(database_url, engine, {"his": spec}).step()
        async with delivering(database_url, spec, FilesTransport(spec, FilePlace(url=str(tmp_path)))):
            await until(lambda: states(database_url, "his") == ["delivered"])
        [file] = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
        assert file.name.startswith("department-0101-MD")
        told = json.loads(file.read_text())
        assert (told["name"], told["version"], told["attributes"]) == ("心血管内科", 1, {"type": "clinical"})


FILE = """
name: his
description: the HIS of the main campus
facility: GROUP
kind: rest
address: {url}
master_data: [department]
resend_ambiguous: true
retry: {{first_seconds: 0.05, longest_seconds: 0.2}}
breaker: {{failures: 2, open_seconds: 0.2, longest_seconds: 0.4}}
"""


async def test_they_arrive_once_and_in_order_though_the_receiver_fails_and_the_process_is_killed(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    """By business key: what was on the wire when it was killed may come a second time, and is the same."""
    up = False
    names = [f"科室{number}" for number in range(60)]
    with http_receiver(lambda number: 200 if up or number < 10 else 503) as his:
        (tmp_path / "destinations").mkdir()
        (tmp_path / "destinations" / "his.yaml").write_text(FILE.format(url=his.url))
        subscribe(engine, {"his": rest(his.url)})
        departments(engine, *names[:40])
        async with delivery(database_url, tmp_path, tmp_path, ROUTING_KEY=KEY) as process:
            await until(lambda: len(his.got) > 12, 60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        departments(engine, *names[40:], code=141)
        up = True
        async with delivery(database_url, tmp_path, tmp_path, ROUTING_KEY=KEY):
            await until(lambda: states(database_url, "his") == ["delivered"] * 60, 60)
    arrived = [json.loads(body) for _, body in his.got]
    business = [
        (one["kind"], one["owner"], one["code"], one["valid_from"], one["version"]) for one in arrived
    ]
    once = list(dict.fromkeys(business))
    assert [code for _, _, code, _, _ in once] == [f"{101 + number:04}" for number in range(60)]
    assert len({json.dumps(one, sort_keys=True) for one in arrived}) == 60
    ids = [headers["idempotency-key"] for headers, _ in his.got]
    assert len(set(ids)) == 60
    assert rows(database_url, "SELECT count(*) FROM bus.outbox WHERE delivered_at IS NULL") == [(0,)]
