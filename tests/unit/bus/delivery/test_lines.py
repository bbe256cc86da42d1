"""Which files make a line, and when it is made anew; no database answers here."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bus.delivery import lines
from bus.delivery.lines import Lines
from bus.delivery.transport import Answer, OnWire, Outgoing, Transport, Verdict
from bus.rules.destinations import AnyDestination
from bus.rules.versions.described import in_folder
from bus.rules.versions.destinations import BELOW
from tests.contract.outbound.http_harness import patient_wsdl, pinned

EMR = """
name: emr
description: an EMR
facility: HP
kind: soap
address: https://emr.example/in
wsdl: patient.wsdl
operation: UploadPatient
"""
OTHER = "name: ward\ndescription: a ward\nfacility: HP\nkind: mllp\naddress: 127.0.0.1:9\n"


class Nowhere:
    """A way that sends nothing."""

    async def check(self) -> None:
        """Know nothing."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        return Answer(Verdict.TAKEN, "", b"")

    async def close(self) -> None:
        """Hold nothing."""


async def test_a_wsdl_that_was_reviewed_anew_makes_a_new_line_and_another_file_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LOOK", 0.01)
    made: list[str] = []

    def connect(spec: AnyDestination, beside: Path) -> Transport:
        assert beside == tmp_path / "destinations" / spec.name
        made.append(spec.name)
        return Nowhere()

    async def until(count: int) -> None:
        async with asyncio.timeout(20):
            while len(made) < count:  # noqa: ASYNC110 - a file sets no event
                await asyncio.sleep(0.01)

    folder = tmp_path / "destinations"
    pinned(folder / "emr", patient=patient_wsdl())
    (folder / "emr.yaml").write_text(EMR)
    stop = asyncio.Event()
    running = Lines(partial(in_folder, tmp_path, BELOW), "host=127.0.0.1 port=1 connect_timeout=1", connect)
    task = asyncio.create_task(running.run(stop))
    await until(1)
    (folder / "ward.yaml").write_text(OTHER)
    await until(2)
    (folder / "emr" / "patient.wsdl").write_bytes(patient_wsdl() + b"\n")
    async with asyncio.timeout(20):
        while "SHA256SUMS" not in str(running.detail().get("emr", "")):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    pinned(folder / "emr", patient=patient_wsdl() + b"\n")
    await until(3)
    stop.set()
    await task
    assert made == ["emr", "ward", "emr"]
