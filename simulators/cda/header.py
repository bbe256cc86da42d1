"""The header of a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bus.cda.kinds import DOCUMENTS, INPATIENT_NUMBER, KINDS, OUTPATIENT_NUMBER, TYPES
from simulators.cda.parts import Element, coded, made, when
from simulators.cda.story import Story

SEX = {"male": ("1", "男性"), "female": ("2", "女性"), "unknown": ("0", "未知的性别")}
CARD, STAFF, AUTHOR = "2.16.156.10011.1.3", "2.16.156.10011.1.4", "2.16.156.10011.1.7"
ORGANISATION, DEPARTMENT, BED = "2.16.156.10011.1.5", "2.16.156.10011.1.26", "2.16.156.10011.1.22"
HOSPITAL = ("Y0002", "黄埔院区")
SEXES = ("2.16.156.10011.2.3.3.4", "生理性别代码表(GB/T 2261.1)")
CLASS = {True: ("3", "住院"), False: ("1", "门诊")}
CLASSES = ("2.16.156.10011.2.3.1.271", "患者类型代码表")


@dataclass(frozen=True, slots=True)
class Told:
    """What the header says beside the story."""

    kind: str
    number: str
    ids: Sequence[tuple[str, str]] = ()
    """More numbers of the patient role, by OID: the report's, the request's, the prescription's."""
    version: int = 1
    replaces: str | None = None
    """Number of the document that this one replaces."""


def header(story: Story, told: Told) -> list[Element]:
    """Return the elements of the header, in CDA's order."""
    kind = KINDS[told.kind]
    return [
        made("realmCode", code="CN"),
        made("typeId", root="2.16.840.1.113883.1.3", extension="POCD_MT000040"),
        made("templateId", root=kind.template),
        made("id", root=DOCUMENTS, extension=told.number),
        made("code", code=kind.code, codeSystem=TYPES, codeSystemName="卫生信息共享文档规范编码体系"),
        made("title", kind.chinese),
        made("effectiveTime", value=when(story.end)),
        coded("confidentialityCode", "N", "正常访问保密级别", ("2.16.840.1.113883.5.25", "Confidentiality")),
        made("languageCode", code="zh-CN"),
        made("setId", root=DOCUMENTS, extension=_set(told)),
        made("versionNumber", value=str(told.version)),
        _patient(story, told),
        _author(story),
        _custodian(),
        _signed(story),
        *_replaced(told),
        _visit(story),
    ]


def _set(told: Told) -> str:
    return f"{told.number.partition('-')[0]}-S"


def _patient(story: Story, told: Told) -> Element:
    known = story.patient
    visit = INPATIENT_NUMBER if story.inpatient else OUTPATIENT_NUMBER
    ids = [(story.oid, known.number), (visit, story.visit), *told.ids]
    code, name = SEX[known.sex]
    who = [made("id", root=CARD, extension=known.id_card)] if known.id_card else []
    who.append(made("name", str(known.name)))
    who.append(coded("administrativeGenderCode", code, name, SEXES))
    if known.birth_date:
        who.append(made("birthTime", value=f"{known.birth_date:%Y%m%d}"))
        who.append(
            made("age", unit="岁", value=str(max(0, (story.end.date() - known.birth_date).days // 365)))
        )
    role = [made("id", root=root, extension=number) for root, number in ids]
    if known.address:
        role.append(made("addr", known.address, use="H"))
    if known.phone:
        role.append(made("telecom", value=known.phone))
    role.append(made("patient", *who, classCode="PSN", determinerCode="INSTANCE"))
    return made(
        "recordTarget", made("patientRole", *role, classCode="PAT"), typeCode="RCT", contextControlCode="OP"
    )


def _author(story: Story) -> Element:
    who = made(
        "assignedAuthor",
        made("id", root=AUTHOR, extension=f"H{story.doctor.code}"),
        made("assignedPerson", made("name", story.doctor.name)),
        classCode="ASSIGNED",
    )
    return made("author", made("time", value=when(story.end)), who, typeCode="AUT", contextControlCode="OP")


def _custodian() -> Element:
    code, name = HOSPITAL
    keeper = made(
        "representedCustodianOrganization", made("id", root=ORGANISATION, extension=code), made("name", name)
    )
    return made("custodian", made("assignedCustodian", keeper, classCode="ASSIGNED"), typeCode="CST")


def _signed(story: Story) -> Element:
    who = made(
        "assignedEntity",
        made("id", root=STAFF, extension=f"H{story.doctor.code}"),
        made("code", displayName="责任医师"),
        made("assignedPerson", made("name", story.doctor.name)),
    )
    return made("legalAuthenticator", made("time", value=when(story.end)), made("signatureCode"), who)


def _replaced(told: Told) -> Iterator[Element]:
    if told.replaces is not None:
        parent = made(
            "parentDocument",
            made("id", root=DOCUMENTS, extension=told.replaces),
            made("setId", root=DOCUMENTS, extension=_set(told)),
            made("versionNumber", value=str(told.version - 1)),
        )
        yield made("relatedDocument", parent, typeCode="RPLC")


def _visit(story: Story) -> Element:
    code, name = CLASS[story.inpatient]
    place = made(
        "wholeOrganization",
        made("id", root=DEPARTMENT, extension=story.department.code),
        made("name", story.department.name),
    )
    if story.inpatient:
        bed = made("id", root=BED, extension="1208")
        place = made("wholeOrganization", bed, made("name", "12楼08床"), made("asOrganizationPartOf", place))
    where = made("serviceProviderOrganization", made("asOrganizationPartOf", place, classCode="PART"))
    visit = made(
        "encompassingEncounter",
        made("id", root=f"{story.oid}.1", extension=story.visit),
        coded("code", code, name, CLASSES),
        made("effectiveTime", made("low", value=when(story.start)), made("high", value=when(story.end))),
        made("location", made("healthCareFacility", where)),
        classCode="ENC",
        moodCode="EVN",
    )
    return made("componentOf", visit, typeCode="COMP")
