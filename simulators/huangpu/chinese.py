"""The elements of the SOAP interfaces for the keys of the REST interfaces (`adapters/soap/schemas`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CODED = {"code": "代码", "name": "名称"}
STAFF = {"number": "工号", "name": "姓名"}

Table = Mapping[str, "str | tuple[str, Table]"]
"""Key to element, or to element and the table for what is in it."""

PATIENT: Table = {
    "number": "患者编号",
    "name": "姓名",
    "sex": "性别",
    "birth_date": "出生日期",
    "id_card": "身份证号",
    "phone": "电话",
    "address": "地址",
}
ENCOUNTER: Table = {
    "number": "就诊编号",
    "class": "就诊类别",
    "status": "就诊状态",
    "department": ("科室", CODED),
    "doctor": ("医生", STAFF),
    "bed": "床号",
    "start": "开始时间",
    "end": "结束时间",
    "diagnoses": ("诊断", CODED),
}
ORDER: Table = {
    "number": "医嘱编号",
    "kind": "医嘱类别",
    "item": ("项目", CODED),
    "priority": "优先级",
    "status": "医嘱状态",
    "ordered_at": "开立时间",
    "doctor": ("开立医生", STAFF),
    "department": ("开立科室", CODED),
}
LAB_RESULT: Table = {
    "item": ("项目", CODED),
    "value": "结果值",
    "unit": "单位",
    "reference_range": "参考范围",
    "flag": "异常标志",
}
LAB_REPORT: Table = {
    "number": "报告编号",
    "order_number": "医嘱编号",
    "item": ("项目", CODED),
    "status": "报告状态",
    "observed_at": "检验时间",
    "issued_at": "报告时间",
    "author": ("报告医生", STAFF),
    "doctor": ("申请医生", STAFF),
    "results": ("结果", LAB_RESULT),
}
UPLOADS: Mapping[str, Table] = {
    "patient": {"patient": ("患者信息", PATIENT)},
    "encounter": {"patient": ("患者信息", PATIENT), "encounter": ("就诊信息", ENCOUNTER)},
    "order": {
        "patient": ("患者信息", PATIENT),
        "encounter_number": "就诊编号",
        "orders": ("医嘱", ORDER),
    },
    "lab_report": {
        "patient": ("患者信息", PATIENT),
        "encounter_number": "就诊编号",
        "reports": ("检验报告", LAB_REPORT),
    },
}
"""What Huangpu sends by SOAP."""


def in_chinese(content: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Return the content under the names of the table; KeyError for a key that has none."""
    return dict(_named(value, table[key]) for key, value in content.items())


def _named(value: Any, name: str | tuple[str, Table]) -> tuple[str, Any]:
    if isinstance(name, str):
        return name, value
    element, table = name
    if isinstance(value, list):
        return element, [in_chinese(part, table) for part in value]
    return element, in_chinese(value, table)
