"""A real zeep client, as Huangpu's systems use one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import psycopg
import pytest
import requests
from zeep import Client, Settings, Transport
from zeep.exceptions import Fault

from adapters.rest.examples import EXAMPLES
from adapters.soap.interfaces import interfaces
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from simulators.cda.samples import document

CODED = {"code": "代码", "name": "名称"}
STAFF = {"number": "工号", "name": "姓名"}
COMMON = {"encounter_number": "就诊编号", "code": "代码", "item": "项目", "order_number": "医嘱编号"}
STAFF_KEYS = {"doctor", "author"}
NAMES: dict[str, dict[str, str]] = {
    "patient": {
        "number": "患者编号",
        "name": "姓名",
        "sex": "性别",
        "birth_date": "出生日期",
        "id_card": "身份证号",
        "phone": "电话",
        "address": "地址",
    },
    "encounter": {
        "encounter": "就诊信息",
        "number": "就诊编号",
        "class": "就诊类别",
        "status": "就诊状态",
        "department": "科室",
        "doctor": "医生",
        "start": "开始时间",
        "diagnoses": "诊断",
        "name": "名称",
    },
    "order": {
        "orders": "医嘱",
        "number": "医嘱编号",
        "kind": "医嘱类别",
        "priority": "优先级",
        "status": "医嘱状态",
        "ordered_at": "开立时间",
        "doctor": "开立医生",
        "department": "开立科室",
        "name": "名称",
    },
    "lab_report": {
        "reports": "检验报告",
        "number": "报告编号",
        "status": "报告状态",
        "observed_at": "检验时间",
        "issued_at": "报告时间",
        "author": "报告医生",
        "doctor": "申请医生",
        "results": "结果",
        "value": "结果值",
        "unit": "单位",
        "reference_range": "参考范围",
        "flag": "异常标志",
        "name": "名称",
    },
    "exam_report": {
        "reports": "检查报告",
        "number": "报告编号",
        "modality": "检查类型",
        "status": "报告状态",
        "issued_at": "报告时间",
        "findings": "检查所见",
        "conclusion": "诊断意见",
        "author": "报告医生",
        "doctor": "申请医生",
        "name": "名称",
    },
    "document": {
        "document": "文档",
        "number": "文档编号",
        "type": "文档类型",
        "title": "标题",
        "status": "文档状态",
        "mime_type": "媒体类型",
        "content": "内容",
        "author": "作者",
        "created_at": "创建时间",
        "name": "名称",
    },
    "charge": {
        "charges": "费用",
        "number": "费用编号",
        "amount": "金额",
        "quantity": "数量",
        "charged_at": "收费时间",
        "payer": "支付方式",
        "name": "名称",
    },
}
"""The elements of each interface for the keys of the REST examples."""


def in_chinese(value: Any, names: dict[str, str]) -> Any:
    """Name an example's parts as the interface does."""
    if isinstance(value, list):
        return [in_chinese(part, names) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        (names | COMMON | names)[key]: in_chinese(part, STAFF if key in STAFF_KEYS else names)
        for key, part in value.items()
    }


def content(kind: str) -> dict[str, Any]:
    """Return the example of an interface under its Chinese names."""
    example = {key: part for key, part in EXAMPLES[kind].items() if key not in ("sent_at", "patient")}
    said = in_chinese(example, NAMES[kind])
    if kind == "document":
        said["文档"]["内容"] = "主诉: 乏力三天。".encode()
    return {"患者信息": in_chinese(EXAMPLES[kind]["patient"], NAMES["patient"]), **said}


def heading(control_id: str, facility: str = "HP") -> dict[str, Any]:
    """Return 消息头."""
    return {
        "消息编号": control_id,
        "发送系统": "HIS",
        "机构代码": facility,
        "时间": datetime(2026, 11, 20, 9, 30),  # noqa: DTZ001 - hospitals send local time without a zone
    }


def client(origin: str, kind: str, user: str = "system.huangpu") -> Client:
    """Return a zeep client of an interface, its WSDL fetched without credentials."""
    requests.get(f"{origin}/{kind}?wsdl", timeout=10).raise_for_status()
    session = requests.Session()
    session.auth = (user, "right")
    transport = Transport(session=session)
    return Client(f"{origin}/{kind}?wsdl", transport=transport, settings=Settings(forbid_dtd=True))


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
@pytest.mark.parametrize("kind", [kind for kind in interfaces() if kind != "cda"])
def test_each_operation_is_called_and_answered_after_the_commit(
    origin: str, database: psycopg.Connection, kind: str, port: str
) -> None:
    interface = interfaces()[kind]
    zeep = client(origin, kind)
    service = zeep.bind(f"{interface.operation}Service", port)
    answer = service[interface.operation](消息头=heading("HIS-1"), **content(kind))
    assert (answer["结果代码"], answer["消息编号"]) == ("AA", "HIS-1")
    row = database.execute(
        "SELECT facility, sender, control_id, message_type, patient_number, visit_number, message_time, body"
        " FROM bus.message WHERE id = %s",
        (answer["平台编号"],),
    ).fetchone()
    assert row is not None
    visit = None if kind == "patient" else "HPV20261120001"
    assert row[:6] == ("HP", "HIS", "HIS-1", f"soap:{kind}", "HP000123", visit)
    assert row[6] == "2026-11-20T09:30:00"
    source = open_source(row[7], "utf-8", Envelope("HP", "HIS", f"soap:{kind}"))
    assert source.get("Body/*/患者信息/患者编号") == "HP000123"


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_a_document_says_itself_whose_it_is(origin: str, database: psycopg.Connection, port: str) -> None:
    sample = document(20261120, date(2026, 11, 20), "surgery")
    service = client(origin, "cda").bind("UploadCdaService", port)
    answer = service.UploadCda(消息头=heading("EMR-1"), 内容=sample.body)
    row = database.execute(
        "SELECT message_type, patient_number, visit_number, body FROM bus.message WHERE id = %s",
        (answer["平台编号"],),
    ).fetchone()
    assert row is not None
    assert row[:3] == ("cda:C0009", sample.patient, sample.visit)
    source = open_source(row[3], "utf-8", Envelope("HP", "EMR", "cda:C0009"))
    assert source.get("title") == "一般手术记录"


def test_a_hazardous_name_arrives_as_sent(origin: str, database: psycopg.Connection) -> None:
    client(origin, "patient").service.UploadPatient(消息头=heading("HIS-1"), **content("patient"))
    row = database.execute("SELECT body FROM bus.message").fetchone()
    assert row is not None
    assert "欧阳珅" in row[0].decode()


def test_a_retry_gets_the_same_answer_and_stores_nothing(origin: str, database: psycopg.Connection) -> None:
    service = client(origin, "patient").service
    first = service.UploadPatient(消息头=heading("HIS-1"), **content("patient"))
    later = heading("HIS-1") | {"时间": datetime(2026, 11, 20, 10, 0)}  # noqa: DTZ001 - as above
    again = service.UploadPatient(消息头=later, **content("patient"))
    assert {key: again[key] for key in again} == {key: first[key] for key in first}
    assert database.execute("SELECT count(*) FROM bus.inbox").fetchone() == (1,)


def test_a_control_id_with_other_content_is_stored_and_held(
    origin: str, database: psycopg.Connection
) -> None:
    service = client(origin, "patient").service
    service.UploadPatient(消息头=heading("HIS-1"), **content("patient"))
    other = content("patient")
    other["患者信息"]["电话"] = "13900000000"
    assert service.UploadPatient(消息头=heading("HIS-1"), **other)["结果代码"] == "AA"
    assert database.execute("SELECT code FROM bus.held").fetchall() == [("control_id_conflict",)]


def test_another_campus_than_the_account_s_is_refused(origin: str, database: psycopg.Connection) -> None:
    service = client(origin, "patient").service
    with pytest.raises(Fault, match=r"消息头/机构代码: .*HP alone") as refused:
        service.UploadPatient(消息头=heading("HIS-1", "MAIN"), **content("patient"))
    assert refused.value.code == "soap:Client"
    refusal = database.execute("SELECT protocol, facility, control_id, code FROM bus.refusal").fetchone()
    assert refusal == ("soap", "MAIN", "HIS-1", "wrong_campus")
    assert database.execute("SELECT count(*) FROM bus.inbox").fetchone() == (0,)
