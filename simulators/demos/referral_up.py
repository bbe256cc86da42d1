"""Up: from an outpatient visit at Huangpu to the outcome of the main campus."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from consortium.access.accounts import bind_patient
from consortium.referral.model import State, Words
from runtime.settings import Settings
from simulators.delivery import SimulatorError
from simulators.demos.referral_case import Case, Told
from simulators.demos.referred import CARDIOLOGY, Hospitals

THE_PATIENT = "patient.referral"
"""The sample account that is the patient of this demonstration while it is played."""


def up(case: Case, hospitals: Hospitals, settings: Settings) -> Case:
    """Play it from the visit to the outcome. Raises SimulatorError."""
    case.say.act(Words("Act 1: up, from Huangpu to the main campus", "第一幕　上转：黄埔院区 → 院本部"))
    visit, sent = hospitals.seen_at_huangpu()
    case.heard(
        "system.huangpu",
        sent,
        Words(
            f"an outpatient visit, {visit}, with two laboratory reports, an ECG and a note, by SOAP and REST",
            f"门诊就诊 {visit}，检验 2 份、心电图、门诊病历，经 SOAP 与 REST 上传",
        ),
    )
    shown = _apply(case, visit)
    _bind(settings, shown)
    case.submitted("doctor.huangpu")
    _assess(case, shown)
    case.booked("coordinator.main")
    case.take(THE_PATIENT, "confirm", State.BOOKED, Words("confirms the time", "患者确认就诊时间"))
    _admission(case, hospitals)
    _care(case, hospitals)
    return case


def _apply(case: Case, visit: str) -> Told:
    case.say.step(
        "doctor.huangpu",
        Words(
            "applies by the outpatient number; the form comes filled from the records",
            "凭门诊号申请上转，转诊单由健康档案自动带出",
        ),
    )
    shown = case.begin(
        "doctor.huangpu",
        {
            "direction": "up",
            "urgency": "urgent",
            "receiving_facility": "MAIN",
            "encounter": visit,
            "criteria": ["lacking_technique"],
            "form": {"requires": ["pci"], "reason": "活动后胸痛3周，本院不能开展冠状动脉介入治疗"},
        },
    )
    _filled(case, shown)
    case.say.stands(shown)
    case.must(shown, State.DRAFT, "applying")
    for one in case.office.read("doctor.huangpu", f"{case.path}/criteria"):
        if one["code"] == "lacking_technique" and one["verdict"] != "met":
            raise SimulatorError(f"the criterion lacking_technique is {one['verdict']}: {one['reason']}")
        if one["verdict"] != "not_told":
            case.say.note(
                Words(
                    f"{one['verdict']}: {one['title']}: {one['reason']}",
                    f"{one['title_zh']}：{one['reason_zh']}",
                )
            )
    return shown


def _filled(case: Case, shown: Told) -> None:
    """Say what the records gave, and see that they gave it. No name: the watcher's terminal may be kept."""
    form = shown["form"]
    if shown["missing"] or not form["preliminary_diagnosis"] or not shown["documents"]:
        raise SimulatorError(
            f"the form of {case.id} is not filled from the records: missing {shown['missing']},"
            f" {len(shown['documents'])} documents; see ./yilian messages list --facility HP"
        )
    sources = sum(map(len, form["provenance"].values()))
    case.say.note(
        Words(
            f"diagnosis {form['preliminary_diagnosis']}, {len(form['key_results'])} key results,"
            f" {len(shown['documents'])} document(s), from {sources} records",
            f"初步诊断 {form['preliminary_diagnosis']}，重要结果 {len(form['key_results'])} 项，"
            f"附件 {len(shown['documents'])} 份，来自 {sources} 条记录",
        )
    )


def _assess(case: Case, shown: Told) -> None:
    case.told_to("coordinator.main", "MAIN")
    taken = Words("takes it up for review", "受理")
    case.take("coordinator.main", "take", State.UNDER_REVIEW, taken)
    case.take(
        "coordinator.main",
        "return_for_info",
        State.RETURNED_FOR_INFO,
        Words("asks for the course of treatment", "退回，请补充治疗经过"),
        note="请补充治疗经过及用药",
    )
    case.told_to("doctor.huangpu", "HP")
    case.say.step("doctor.huangpu", Words("adds it to the form, and writes back", "补充转诊单并回复"))
    changed = {**shown["form"], "treatment": "阿司匹林100mg qd，阿托伐他汀20mg qn，症状未缓解"}
    body = {"version": shown["form_version"], "criteria": shown["criteria"], "form": changed}
    case.office.send("doctor.huangpu", f"{case.path}/form", body, "PUT")
    case.office.send("doctor.huangpu", f"{case.path}/messages", {"body": "已补充用药，请协助安排"})
    case.take("doctor.huangpu", "submit", State.SUBMITTED, Words("submits again", "再次提交"))
    case.take("coordinator.main", "take", State.UNDER_REVIEW, taken)
    case.take(
        "coordinator.main",
        "accept",
        State.ACCEPTED,
        Words("accepts for cardiology", f"接收，收治科室{CARDIOLOGY.name}"),
        department=CARDIOLOGY.code,
    )


def _admission(case: Case, hospitals: Hospitals) -> None:
    visit, sent = hospitals.admitted_at_main()
    case.heard(
        "HIS, 院本部 MAIN",
        sent,
        Words(
            f"admits the patient, {visit}: ADT^A01 over MLLP, answered AA",
            f"办理入院 {visit}：ADT^A01 经 MLLP 发送，应答 AA",
        ),
    )
    case.say.step(
        "system",
        Words("notes the arrival by itself: nobody takes a step", "系统据 ADT 自动登记到院，无需人工操作"),
    )
    told = case.comes_to("doctor.main", State.ARRIVED, f"the ADT^A01 of {visit} makes the referral arrived")
    if told["arrival_encounter"] != visit:
        raise SimulatorError(f"the arrival is by the visit {told['arrival_encounter']}, not by {visit}")


def _care(case: Case, hospitals: Hospitals) -> None:
    case.take("doctor.main", "begin_care", State.IN_CARE, Words("begins care", "开始诊疗"))
    case.take(
        "doctor.main",
        "report_interim",
        State.INTERIM_REPORTED,
        Words("reports: stent placed", "回报进展：已行支架植入"),
        note="已行PCI，植入支架1枚，病情平稳",
    )
    case.heard(
        "HIS, LIS, 院本部 MAIN",
        hospitals.treated_at_main(),
        Words("an order, a laboratory report, the discharge (ADT^A03)", "医嘱、检验报告、出院（ADT^A03）"),
    )
    case.take(
        "doctor.main",
        "return_outcome",
        State.OUTCOME_RETURNED,
        Words("returns the outcome", "回传诊疗结果"),
        note="PCI术后恢复良好，双抗治疗一年，转回康复",
    )
    case.take("doctor.huangpu", "close", State.CLOSED, Words("takes note, and closes", "确认结果并结案"))


def _bind(settings: Settings, shown: Told) -> None:
    """Let the sample account be this patient. Raises SimulatorError when the records know no person."""
    if not shown["person_id"]:
        raise SimulatorError(f"the records know no person for the referral {shown['id']}")
    url = sa.make_url(settings.database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, hide_parameters=True)
    try:
        with engine.begin() as connection:
            bind_patient(connection, THE_PATIENT, UUID(shown["person_id"]))
    finally:
        engine.dispose()
