"""The first mistake, its place, and nothing of the value."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from adapters.soap.faults import FaultError
from adapters.soap.interfaces import NAMESPACE, interfaces
from adapters.soap.validation import validate

PATIENT = interfaces()["patient"]
HEAD = (
    "<消息头><消息编号>1</消息编号><发送系统>H</发送系统><机构代码>HP</机构代码>"
    "<时间>2026-11-20T09:30:00</时间></消息头>"
)


def payload(patient: str, head: str = HEAD) -> etree._Element:
    """Return a patient upload with that in 患者信息."""
    return etree.fromstring(f'<患者上传 xmlns="{NAMESPACE}">{head}<患者信息>{patient}</患者信息></患者上传>')


def mistake(element: etree._Element) -> tuple[str, str]:
    """Return path and English text of what is wrong."""
    with pytest.raises(FaultError) as refused:
        validate(element, PATIENT.schema)
    return refused.value.fault.path, refused.value.fault.english


@pytest.mark.parametrize(
    ("patient", "path", "english"),
    [
        (
            "<患者编号>1</患者编号><x/>",
            "患者上传/患者信息/x",
            "this element is not expected here; expected 姓名",
        ),
        ("", "患者上传/患者信息", "a child element is missing; expected 患者编号"),
        ("<患者编号/>", "患者上传/患者信息/患者编号", "the value breaks the limit minLength"),
        (
            "<患者编号>1</患者编号><出生日期>SECRET</出生日期>",
            "患者上传/患者信息/出生日期",
            "the value is not of type xs:date",
        ),
        (
            "<患者编号>1</患者编号><出生日期>Expected is ( SECRET ).</出生日期>",
            "患者上传/患者信息/出生日期",
            "the value is not of type xs:date",
        ),
        (
            '<患者编号 a="SECRET">1</患者编号>',
            "患者上传/患者信息/患者编号",
            "this element, attribute or text",
        ),
    ],
)
def test_a_mistake_is_named_by_its_path(patient: str, path: str, english: str) -> None:
    found, text = mistake(payload(patient))
    assert found == path
    assert text.startswith(english)
    assert "SECRET" not in text


def test_many_threads_find_their_own_mistakes() -> None:
    bad = [payload("<患者编号>1</患者编号><x/>"), payload(""), payload("<患者编号/>")] * 60
    alone = [mistake(element) for element in bad[:3]] * 60
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(mistake, bad)) == alone
