"""The criteria of referral (转诊指征), checked against the form and what both hospitals can do: pure.

Four lead upward and four downward. Each is met, not met, or not told, with the reason; the check advises, and
the doctors decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from consortium.referral.capabilities import Capabilities
from consortium.referral.form import Form
from consortium.referral.model import Direction, Urgency, Words

Verdict = Literal["met", "not_met", "not_told"]
CRITICAL = frozenset({"critical", "critical_low", "critical_high"})
TUMOUR = ("C", "D0")
"""Beginnings of ICD-10 codes of malignant and in-situ tumours."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One criterion."""

    code: str
    title: Words
    verdict: Verdict
    why: Words


@dataclass(frozen=True, slots=True)
class Question:
    """What the criteria are checked against."""

    form: Form
    urgency: Urgency
    sending: Capabilities | None
    receiving: Capabilities | None
    """None: nobody has said what that hospital can do."""


Answer = tuple[Verdict, Words]

TITLES: Mapping[str, Words] = {
    "critical": Words(
        "emergency or critical, cannot be treated effectively here", "急危重症，本院难以有效救治"
    ),
    "mass_casualty": Words("mass casualty beyond capacity", "突发群体性伤病，超出本院救治能力"),
    "beyond_scope": Words("beyond the registered clinical subjects", "超出核准诊疗登记科目"),
    "lacking_technique": Words("equipment or technique lacking", "缺乏相应设备或技术"),
    "rehabilitation": Words("stable after treatment, needs rehabilitation", "治疗后病情稳定，需康复治疗"),
    "common_disease": Words("diagnosis clear, a common disease", "诊断明确的常见病，无需特殊治疗"),
    "hospice": Words("late-stage tumour without surgery, hospice care", "晚期肿瘤非手术，需安宁疗护"),
    "chronic": Words("chronic, long-term treatment", "慢性病需长期治疗"),
}
UP = ("critical", "mass_casualty", "beyond_scope", "lacking_technique")
DOWN = ("rehabilitation", "common_disease", "hospice", "chronic")


def check(direction: Direction, question: Question) -> tuple[Checked, ...]:
    """Check the four criteria of a direction."""
    codes = UP if direction == "up" else DOWN
    return tuple(Checked(code, TITLES[code], *_CHECKS[code](question)) for code in codes)


def _critical(q: Question) -> Answer:
    values = [one.name for one in q.form.key_results if one.flag in CRITICAL]
    if values:
        listed = ", ".join(values[:5])
        return "met", Words(f"critical values in the records: {listed}", f"记录中有危急值：{listed}")
    if q.urgency == "emergency":
        return "met", Words("applied for as an emergency", "按急诊申请")
    if not q.form.key_results:
        return _untold("no results are in the form", "转诊单中没有检查检验结果")
    return "not_met", Words("no critical value, and no emergency", "无危急值，也非急诊")


def _mass_casualty(q: Question) -> Answer:
    if q.form.casualties is None:
        return _untold("the form gives no number of casualties", "转诊单未填写伤员人数")
    places = q.sending.emergency_places if q.sending else None
    if places is None:
        return _untold("the sending hospital's places are not registered", "转出医院未登记急救容量")
    over = q.form.casualties > places
    en = f"{q.form.casualties} casualties, {places} places"
    return ("met" if over else "not_met"), Words(en, f"伤员{q.form.casualties}人，容量{places}人")


def _beyond_scope(q: Question) -> Answer:
    subject = q.form.subject
    if not subject:
        return _untold("the form names no clinical subject", "转诊单未填写诊疗科目")
    if q.sending is None or not q.sending.subjects:
        return _untold("the sending hospital's subjects are not registered here", "未登记转出医院的诊疗科目")
    if q.sending.registered(subject):
        return "not_met", Words(f"{subject} is registered at the sender", f"转出医院已登记科目{subject}")
    return "met", _and_there(q, f"{subject} is not registered at the sender", f"转出医院未登记科目{subject}",
                             there=q.receiving is not None and q.receiving.registered(subject))  # fmt: skip


def _lacking_technique(q: Question) -> Answer:
    required = q.form.requires
    if not required:
        return _untold("the form names no equipment or technique", "转诊单未填写所需设备或技术")
    if q.sending is None:
        return _untold(
            "the sending hospital's equipment is not registered here", "未登记转出医院的设备与技术"
        )
    lacking = [code for code in required if not q.sending.can(code)]
    if not lacking:
        return "not_met", Words("everything required is at the sender", "所需设备与技术转出医院均具备")
    listed = ", ".join(lacking)
    there = q.receiving is not None and all(q.receiving.can(code) for code in lacking)
    return "met", _and_there(q, f"lacking at the sender: {listed}", f"转出医院缺乏：{listed}", there=there)


def _rehabilitation(q: Question) -> Answer:
    values = [one.name for one in q.form.key_results if one.flag in CRITICAL]
    if values:
        return "not_met", Words("not stable: critical values in the records", "病情未稳定：记录中有危急值")
    if q.receiving is None or q.receiving.rehabilitation is None:
        return _untold(
            "whether the receiver does rehabilitation is not registered", "未登记接收医院能否康复治疗"
        )
    if not q.receiving.rehabilitation:
        return "not_met", Words("the receiver does no rehabilitation", "接收医院不开展康复治疗")
    if not q.form.rehabilitation_plan:
        return _untold("the form has no rehabilitation plan", "转诊单没有康复计划")
    return "met", Words(
        "a plan is there, and the receiver does rehabilitation", "已有康复计划，接收医院可开展"
    )


def _common_disease(q: Question) -> Answer:
    return _by_diagnosis(q, q.receiving.common_diseases if q.receiving else (), "common", "常见病")


def _chronic(q: Question) -> Answer:
    return _by_diagnosis(q, q.receiving.chronic_diseases if q.receiving else (), "chronic", "慢性病")


def _hospice(q: Question) -> Answer:
    codes = q.form.diagnosis_codes
    if not codes:
        return _untold("the form has no coded diagnosis", "转诊单没有诊断编码")
    if not any(code.startswith(TUMOUR) for code in codes):
        return "not_met", Words("no diagnosis of a tumour", "诊断中没有肿瘤")
    if q.receiving is None or q.receiving.hospice is None:
        return _untold(
            "whether the receiver gives hospice care is not registered", "未登记接收医院能否安宁疗护"
        )
    if not q.receiving.hospice:
        return "not_met", Words("the receiver gives no hospice care", "接收医院不提供安宁疗护")
    return "met", Words("a tumour, and the receiver gives hospice care", "肿瘤患者，接收医院提供安宁疗护")


def _by_diagnosis(q: Question, beginnings: tuple[str, ...], en: str, zh: str) -> Answer:
    codes = q.form.diagnosis_codes
    if not codes:
        return _untold("the form has no coded diagnosis", "转诊单没有诊断编码")
    if not beginnings:
        return _untold(f"the receiver has registered no {en} diseases", f"接收医院未登记{zh}病种")
    found = [code for code in codes if code.startswith(beginnings)]
    if found:
        listed = ", ".join(found)
        return "met", Words(f"the receiver treats it as {en}: {listed}", f"接收医院登记的{zh}：{listed}")
    return "not_met", Words(f"no {en} disease of the receiver's", f"不属接收医院登记的{zh}")


def _and_there(q: Question, en: str, zh: str, *, there: bool) -> Words:
    """Say besides what the receiver has."""
    if q.receiving is None:
        return Words(f"{en}; what the receiver has is not registered", f"{zh}；接收医院未登记")
    if there:
        return Words(f"{en}; it is at the receiver", f"{zh}；接收医院具备")
    return Words(f"{en}; it is not at the receiver either: choose another", f"{zh}；接收医院也不具备，请另选")


def _untold(en: str, zh: str) -> Answer:
    return "not_told", Words(en, zh)


_CHECKS: Mapping[str, Callable[[Question], Answer]] = {
    "critical": _critical,
    "mass_casualty": _mass_casualty,
    "beyond_scope": _beyond_scope,
    "lacking_technique": _lacking_technique,
    "rehabilitation": _rehabilitation,
    "common_disease": _common_disease,
    "hospice": _hospice,
    "chronic": _chronic,
}
