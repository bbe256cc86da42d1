"""Down: from the main campus's discharge back to Huangpu, for rehabilitation."""

from __future__ import annotations

from consortium.referral.model import State, Words
from simulators.delivery import SimulatorError
from simulators.demos.referral_case import Case
from simulators.demos.referred import CARDIOLOGY, Hospitals


def down(case: Case, hospitals: Hospitals, up: Case) -> Case:
    """Play it; `up` is the referral that it goes on from. Raises SimulatorError."""
    case.say.act(
        Words("Act 2: back down, from the main campus to Huangpu", "第二幕　下转：院本部 → 黄埔院区")
    )
    case.say.step(
        "doctor.main",
        Words(
            "refers back down by the inpatient number, with discharge summary and rehabilitation plan",
            "凭住院号申请下转，附出院小结与康复计划",
        ),
    )
    told = {
        "reason": "PCI术后病情稳定，需康复治疗与慢病管理",
        "criteria": ["rehabilitation", "chronic"],
        "discharge_summary": "冠心病，PCI术后，植入支架1枚，出院时无胸痛，心电图稳定",
        "rehabilitation_plan": "步行每日30分钟，逐周增加；双抗一年，4周后复查血脂",
    }
    shown = case.begin("doctor.main", told, f"{up.path}/down")
    case.say.stands(shown)
    case.must(shown, State.DRAFT, "applying")
    if shown["parent_id"] != up.id:
        raise SimulatorError(f"the referral down is not linked with {up.id}, which it goes on from")
    case.submitted("doctor.main")
    case.told_to("coordinator.huangpu", "HP")
    case.take("coordinator.huangpu", "take", State.UNDER_REVIEW, Words("takes it up", "受理"))
    case.take(
        "coordinator.huangpu", "accept", State.ACCEPTED, Words("accepts", "接收"), department=CARDIOLOGY.code
    )
    case.booked("coordinator.huangpu")
    visit, sent = hospitals.admitted_at_huangpu()
    case.heard(
        "system.huangpu",
        sent,
        Words(f"admits the patient, {visit}, by SOAP", f"经 SOAP 上传入院 {visit}"),
    )
    case.say.step("system", Words("notes the arrival by itself", "系统自动登记到院"))
    case.comes_to("doctor.huangpu", State.ARRIVED, f"the visit {visit} makes the referral arrived")
    case.take("doctor.huangpu", "begin_care", State.IN_CARE, Words("begins rehabilitation", "开始康复治疗"))
    case.take(
        "doctor.huangpu",
        "return_outcome",
        State.OUTCOME_RETURNED,
        Words("returns the outcome", "回传康复结果"),
        note="康复顺利，转入慢病管理",
    )
    case.take("doctor.main", "close", State.CLOSED, Words("takes note, and closes", "确认结果并结案"))
    return case
