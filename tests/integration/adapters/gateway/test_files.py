"""Files that the front machine polls: the same poller, whose book is in the spool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.agent import started
from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import Rows, until
from tests.integration.adapters.gateway.proxy import proxied

SOURCE = """facility: NS
sender: HIS
pattern: "patients_*.csv"
message_type: csv:patient
csv: {charset: GB18030}
key: [no]
patient: no
settle: 0
interval: 0.05
page: 2
"""


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Where the campus puts its exports."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def files(tmp_path: Path, drop: Path) -> dict[str, Any]:
    """The settings of one source."""
    described = tmp_path / "ns_patients.yaml"
    described.write_text(SOURCE, encoding="utf-8")
    return {"files": {"ns_patients": {"description": described, "url": str(drop)}}}


def export(drop: Path, name: str, *rows: str) -> None:
    """Write an export, whole."""
    text = "".join(f"{row}\n" for row in ("no,name", *rows))
    (drop / f".{name}").write_bytes(text.encode("gb18030"))
    (drop / f".{name}").rename(drop / name)


def kept(drop: Path, folder: str) -> int:
    return sum(1 for path in drop.glob(f"{folder}/**/*.csv") if path.is_file())


async def test_an_export_is_taken_while_the_line_is_down_and_only_its_changes_are_sent(
    place: Place, drop: Path, files: dict[str, Any], rows: Rows
) -> None:
    export(drop, "patients_1.csv", "1,欧阳珅", "2,张喆", "3,李堃", "4")
    async with proxied(place.hub_port) as line, place.running(to=line.port, **files) as (_, agent):
        await line.down()
        await until(lambda: kept(drop, "archive") == 1)
        export(drop, "patients_2.csv", "1,欧阳珅", "2,张镕", "3,李堃")
        await until(lambda: kept(drop, "archive") == 2)
        assert agent.level.count == 5
        await until(lambda: agent.doors.detail()["files ns_patients"]["stored"] == 4)
        await line.up()
        await until(lambda: agent.level.count == 0)
    found = rows("SELECT control_id, protocol, endpoint, facility, patient_number FROM bus.inbox ORDER BY id")
    assert [row[0] for row in found] == ["1@1", "2@1", "3@1", "2@2"]
    assert {row[1:4] for row in found} == {("files", "ns-front/ns_patients", "NS")}
    [(code, reason)] = rows("SELECT code, reason FROM bus.refusal")
    assert "line 5, record 4 of file 1" in reason, code


async def test_a_file_that_was_half_read_goes_on_where_it_stopped(
    place: Place, drop: Path, files: dict[str, Any], rows: Rows
) -> None:
    full = {"spool": {"folder": place.folder / "spool", "free_mib": 2**40}}
    export(drop, "patients_1.csv", *[f"{n},珅" for n in range(9)])
    async with started(place.agent(**files | full)) as agent:
        await until(lambda: "MiB left" in str(agent.doors.detail()["files ns_patients"]["reason"]))
        assert kept(drop, "archive") == 0
    async with place.running(**files) as (_, agent):
        await until(lambda: kept(drop, "archive") == 1 and agent.level.count == 0)
    assert rows("SELECT count(*), count(DISTINCT control_id) FROM bus.inbox") == [(9, 9)]
