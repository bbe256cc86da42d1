"""What happens in a simulated hospital, before a campus puts it in its own words."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from simulators.catalogue import Exam, LabItem, LabPanel

VisitClass = Literal["outpatient", "emergency", "inpatient", "checkup"]
Flag = Literal["N", "L", "H", "LL", "HH", "A"]


@dataclass(frozen=True, slots=True)
class Named:
    """A code with its name: a department, a doctor, a diagnosis, a priced item."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Department:
    """A department, who works there, what they diagnose and order."""

    code: str
    name: str
    doctors: tuple[Named, ...]
    diagnoses: tuple[Named, ...]
    panels: tuple[str, ...]
    exams: tuple[str, ...]


def _named(pairs: str) -> tuple[Named, ...]:
    return tuple(Named(*pair.split("=")) for pair in pairs.split())


DEPARTMENTS = (
    Department(
        code="0101",
        name="心血管内科",
        doctors=_named("1001=周明 1002=何晓东"),
        diagnoses=_named("I10.x00=原发性高血压 I25.101=冠状动脉粥样硬化性心脏病 I50.900=心力衰竭"),
        panels=("electrolytes", "enzymes", "cardiac", "lipids", "coagulation"),
        exams=("us_heart", "ecg", "dx_chest"),
    ),
    Department(
        code="0102",
        name="呼吸内科",
        doctors=_named("1011=李建华 1012=区敏仪"),
        diagnoses=_named("J18.900=肺炎 J44.900=慢性阻塞性肺病 J45.900=支气管哮喘"),
        panels=("cbc", "inflammation", "blood_gas", "electrolytes"),
        exams=("ct_chest", "dx_chest"),
    ),
    Department(
        code="0103",
        name="内分泌科",
        doctors=_named("1021=单丽娟 1022=吴志强"),
        diagnoses=_named("E11.900=2型糖尿病 E05.900=甲状腺功能亢进症 E78.500=高脂血症"),
        panels=("glucose", "hba1c", "thyroid", "lipids", "urine"),
        exams=("us_thyroid", "us_abdomen"),
    ),
    Department(
        code="0104",
        name="消化内科",
        doctors=_named("1031=郑文博 1032=梁雅琪"),
        diagnoses=_named("K29.500=慢性胃炎 K80.200=胆囊结石 K85.900=急性胰腺炎"),
        panels=("liver", "pancreas", "stool", "tumour", "hepatitis_b"),
        exams=("us_abdomen",),
    ),
    Department(
        code="0105",
        name="肾内科",
        doctors=_named("1041=钟国栋 1042=仇海燕"),
        diagnoses=_named("N18.900=慢性肾脏病 N04.900=肾病综合征"),
        panels=("renal", "electrolytes", "urine", "cbc", "iron"),
        exams=("us_abdomen",),
    ),
    Department(
        code="0201",
        name="神经外科",
        doctors=_named("2001=解振宇 2002=黄伟明"),
        diagnoses=_named("S06.000=脑震荡 I61.900=脑出血"),
        panels=("cbc", "coagulation", "blood_type", "transfusion"),
        exams=("ct_head", "mr_head"),
    ),
    Department(
        code="0901",
        name="急诊科",
        doctors=_named("9001=罗俊峰 9002=欧阳倩"),
        diagnoses=_named("R10.400=腹痛 R07.400=胸痛 T14.900=损伤"),
        panels=("cbc", "electrolytes", "cardiac", "pancreas", "blood_gas"),
        exams=("ct_head", "ct_chest", "ecg"),
    ),
)

FINDINGS = {
    "ct_chest": (
        "双肺纹理清晰，右肺上叶见一小结节影，直径约5mm，边界清。纵隔未见肿大淋巴结。",
        "右肺上叶小结节，建议年度复查。",
    ),
    "ct_head": ("脑实质密度均匀，脑沟、脑裂无增宽，中线结构居中，颅骨未见骨折。", "头颅CT平扫未见明显异常。"),
    "mr_head": ("脑实质内未见异常信号影，脑室系统大小形态正常，中线结构居中。", "头颅MR平扫未见明显异常。"),
    "dx_chest": ("双肺野清晰，心影不大，双膈面光滑，肋膈角锐利。", "心肺膈未见明显异常。"),
    "us_abdomen": (
        "肝脏大小正常，实质回声增强、细密；胆囊壁光滑，内见强回声团伴声影，约8×6mm。",
        "1.轻度脂肪肝 2.胆囊结石 & 建议随诊。",
    ),
    "us_heart": (
        "左房内径38mm，左室舒张末内径48mm，射血分数(EF)62%，E/A<1，各瓣膜未见明显反流。",
        "左室舒张功能减退，收缩功能正常。",
    ),
    "us_thyroid": (
        "甲状腺大小正常，右侧叶见低回声结节，约4×3mm，边界清，未见血流信号。",
        "甲状腺右侧叶结节，TI-RADS 3类。",
    ),
    "ecg": ("窦性心律，心率72次/分，PR间期160ms，QRS时限92ms，ST-T未见异常。", "正常心电图。"),
}
"""Exam to findings and impression. One holds an ampersand and one a less-than sign, to be escaped."""

PAYERS = ("城镇职工医保", "城乡居民医保", "自费", "公费医疗")


@dataclass(frozen=True, slots=True)
class Value:
    """One measured item of a lab report."""

    item: LabItem
    text: str
    flag: Flag


def measure(rng: random.Random, panel: LabPanel, *, critical: bool = False) -> tuple[Value, ...]:
    """Return a value for each item; with `critical`, the first item that can be is critically high or low."""
    values = [_value(rng, item) for item in panel.items]
    if critical:
        place = next(k for k, item in enumerate(panel.items) if _has_critical(item))
        values[place] = _critical(rng, panel.items[place])
    return tuple(values)


def findings(rng: random.Random, exam: Exam) -> tuple[str, str]:
    """Return findings and impression."""
    seen, impression = FINDINGS[exam.key]
    return f"{exam.name}：{seen}", impression if rng.random() < 0.8 else f"{impression}请结合临床。"


def price(code: str) -> int:
    """Return what an item costs, in fen; the same for the same code."""
    return random.Random(f"price/{code}").randrange(500, 60_000, 50)


def _has_critical(item: LabItem) -> bool:
    return item.critical_high is not None or item.critical_low is not None


def _value(rng: random.Random, item: LabItem) -> Value:
    if item.low is None or item.high is None:
        return Value(item, item.normal, "N") if rng.random() < 0.88 else Value(item, item.abnormal, "A")
    width = item.high - item.low
    chance = rng.random()
    if chance < 0.09:
        return _number(item, item.high + width * rng.uniform(0.05, 0.3), "H")
    if chance < 0.14 and item.low > 0:
        return _number(item, item.low * rng.uniform(0.9, 0.97), "L")
    return _number(item, rng.uniform(item.low, item.high), "N")


def _critical(rng: random.Random, item: LabItem) -> Value:
    if item.critical_high is not None:
        return _number(item, item.critical_high * rng.uniform(1.02, 1.2), "HH")
    return _number(item, (item.critical_low or 0) * rng.uniform(0.7, 0.95), "LL")


def _number(item: LabItem, value: float, flag: Flag) -> Value:
    return Value(item, f"{value:.{item.decimals}f}", flag)
