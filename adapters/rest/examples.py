"""One good upload for each interface, shown in OpenAPI and sent by the tests."""

from __future__ import annotations

import base64
from typing import Any

_PATIENT = {"number": "HP000123"}
_DOCTOR = {"number": "D2001", "name": "何婉仪"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "patient": {
        "sent_at": "2026-11-20T08:30:00",
        "patient": {
            "number": "HP000123",
            "name": "欧阳珅",
            "sex": "男",
            "birth_date": "1972-03-08",
            "id_card": "440106197203080015",
            "phone": "13800000001",
            "address": "广州市黄埔区港湾路1号",
        },
    },
    "encounter": {
        "patient": _PATIENT,
        "encounter": {
            "number": "HPV20261120001",
            "class": "门诊",
            "status": "在诊",
            "department": {"code": "NK", "name": "内科"},
            "doctor": _DOCTOR,
            "start": "2026-11-20T08:31:00",
            "diagnoses": [{"code": "E87.5", "name": "高钾血症"}],
        },
    },
    "order": {
        "patient": _PATIENT,
        "encounter_number": "HPV20261120001",
        "orders": [
            {
                "number": "HPO1001",
                "kind": "检验",
                "item": {"code": "DJZ", "name": "电解质"},
                "priority": "急",
                "status": "申请",
                "ordered_at": "2026-11-20T08:35:00",
                "doctor": _DOCTOR,
                "department": {"code": "NK", "name": "内科"},
            }
        ],
    },
    "lab_report": {
        "patient": _PATIENT,
        "encounter_number": "HPV20261120001",
        "reports": [
            {
                "number": "HPL9001",
                "order_number": "HPO1001",
                "item": {"code": "DJZ", "name": "电解质"},
                "status": "审核",
                "observed_at": "2026-11-20T09:05:00",
                "issued_at": "2026-11-20T09:20:00",
                "author": {"number": "T3001", "name": "谢检"},
                "doctor": _DOCTOR,
                "results": [
                    {
                        "item": {"code": "K", "name": "钾"},
                        "value": "6.8",
                        "unit": "mmol/L",
                        "reference_range": "3.5-5.3",
                        "flag": "危急高",
                    }
                ],
            }
        ],
    },
    "exam_report": {
        "patient": _PATIENT,
        "encounter_number": "HPV20261120001",
        "reports": [
            {
                "number": "HPR7001",
                "order_number": "HPO1002",
                "modality": "CT",
                "item": {"code": "CT-XB", "name": "胸部CT平扫"},
                "status": "审核",
                "issued_at": "2026-11-20T10:00:00",
                "findings": "双肺纹理清晰, 未见实变影。",
                "conclusion": "胸部CT平扫未见明显异常。",
                "author": {"number": "R4001", "name": "冯影"},
                "doctor": _DOCTOR,
            }
        ],
    },
    "document": {
        "patient": _PATIENT,
        "encounter_number": "HPV20261120001",
        "document": {
            "number": "HPDOC5001",
            "type": {"code": "MZBL", "name": "门诊病历"},
            "title": "门诊病历",
            "status": "有效",
            "mime_type": "text/plain; charset=utf-8",
            "content": base64.b64encode("主诉: 乏力三天。".encode()).decode(),
            "author": _DOCTOR,
            "created_at": "2026-11-20T08:50:00",
        },
    },
    "charge": {
        "patient": _PATIENT,
        "encounter_number": "HPV20261120001",
        "charges": [
            {
                "number": "HPC8001",
                "item": {"code": "DJZ", "name": "电解质"},
                "amount": "48.00",
                "quantity": "1",
                "charged_at": "2026-11-20T08:40:00",
                "payer": "医保",
            }
        ],
    },
}
