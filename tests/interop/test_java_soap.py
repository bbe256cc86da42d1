"""A client that CXF generates from our published WSDLs, as a vendor's Java developers use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from lxml import etree

from adapters.soap.interfaces import NAMESPACE
from adapters.soap.server import create_app
from adapters.uploads import UploadSettings
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from tests.integration.adapters.serving import authenticate, serving
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds

PATIENT = """<患者上传 xmlns="urn:yilian:upload:v1">
<消息头><消息编号>{control_id}</消息编号><发送系统>HIS</发送系统><机构代码>{facility}</机构代码><时间>2026-11-20T09:30:00</时间></消息头>
<患者信息><患者编号>HP000123</患者编号><姓名>欧阳珅𠮷</姓名>{more}<出生日期>1972-03-08</出生日期></患者信息>
</患者上传>"""
LAB = """<检验报告上传 xmlns="urn:yilian:upload:v1">
<消息头><消息编号>L1</消息编号><发送系统>LIS</发送系统><机构代码>HP</机构代码><时间>2026-11-20T09:30:00</时间></消息头>
<患者信息><患者编号>HP000123</患者编号></患者信息>
<就诊编号>HPV1</就诊编号>
<检验报告><报告编号>R1</报告编号><项目><代码>LP006</代码><名称>电解质</名称></项目><报告状态>审核</报告状态>
<结果><项目><代码>L0601</代码><名称>钾</名称></项目><结果值>6.9</结果值><单位>mmol/L</单位></结果></检验报告>
</检验报告上传>"""


@pytest.fixture(scope="module")
def peers() -> Peers:
    """The Java peers."""
    return Peers(build())


@pytest.fixture
def origin(database_url: str) -> Iterator[str]:
    """URL of /soap, served with a real inbox."""
    settings = UploadSettings(frozenset({"HP", "MAIN"}), body_limit=200_000)
    with serving(database_url, lambda inbox: create_app(inbox, settings, authenticate), "/soap") as url:
        yield f"{url}/soap"


def patient(folder: Path, control_id: str, facility: str = "HP", more: str = "<性别>男</性别>") -> Path:
    """Write the body of a call."""
    file = folder / f"{control_id}.xml"
    file.write_text(PATIENT.format(control_id=control_id, facility=facility, more=more), encoding="utf-8")
    return file


def answered(said: list[str]) -> dict[str, str]:
    """Return what an answer says, by element."""
    kind, document = said
    assert kind == "answer", said
    return {etree.QName(part).localname: part.text or "" for part in etree.fromstring(document)}


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
async def test_a_generated_client_uploads_repeats_and_is_told_what_is_wrong(
    peers: Peers, origin: str, database_url: str, tmp_path: Path, port: str
) -> None:
    files = [
        patient(tmp_path, "P1"),
        patient(tmp_path, "P2", facility="MAIN"),
        patient(tmp_path, "P3", more=f"<性别>{'男' * 101}</性别>"),
    ]
    calls = [files[0], files[0], files[1], files[2]]
    said = await peers.run(
        "CxfClient", f"{origin}/patient?wsdl", NAMESPACE, port, "system.huangpu", "right", *calls
    )
    first, again = answered(said[0]), answered(said[1])
    assert (first["结果代码"], first["消息编号"]) == ("AA", "P1")
    assert again == first
    sender = "Client" if port == "Soap11" else "Sender"
    assert said[2][:2] == ["fault", sender]
    assert "该账号只能上传 HP 的数据" in said[2][2]
    assert said[2][3].startswith("wrong_campus")
    assert said[3][:2] == ["fault", sender]
    assert said[3][3] == "schema患者上传/患者信息/性别"
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT id, body FROM bus.message").fetchall()
        refusals = connection.execute("SELECT code FROM bus.refusal ORDER BY id").fetchall()
    assert refusals == [("wrong_campus",), ("schema",)]
    ((id_, body),) = rows
    assert str(id_) == first["平台编号"]
    source = open_source(bytes(body), "utf-8", Envelope("HP", "HIS", "soap:patient"))
    assert source.get("Body/*/患者信息/姓名") == "欧阳珅𠮷"


async def test_a_report_with_its_results(
    peers: Peers, origin: str, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "lab.xml"
    file.write_text(LAB, encoding="utf-8")
    said = await peers.run(
        "CxfClient", f"{origin}/lab_report?wsdl", NAMESPACE, "Soap12", "system.huangpu", "right", file
    )
    assert answered(said[0])["结果代码"] == "AA"
    with psycopg.connect(database_url) as connection:
        ((body,),) = connection.execute("SELECT body FROM bus.message").fetchall()
    source = open_source(bytes(body), "utf-8", Envelope("HP", "LIS", "soap:lab_report"))
    assert source.get("Body/*/检验报告/结果/结果值") == "6.9"


async def test_a_wrong_password_is_told(peers: Peers, origin: str, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="401"):
        await peers.run(
            "CxfClient", f"{origin}/patient?wsdl", NAMESPACE, "Soap11", "system.huangpu", "wrong",
            patient(tmp_path, "P1"),
        )  # fmt: skip
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM bus.inbox").fetchone() == (0,)
