"""The sections of each kind of document, as the platform reads WS/T 500 (docs/cda.md)."""

from __future__ import annotations

from simulators import clinic
from simulators.catalogue import exams, panels
from simulators.cda.parts import (
    ICD9,
    ICD10,
    INTERPRETATION,
    Element,
    coded,
    coded_value,
    diagnosis,
    made,
    observation,
    section,
    stated,
    value,
    when,
    words,
)
from simulators.cda.story import Story
from simulators.clinic import Named, Value

Drug = tuple[Named, str, str, str, str, str]
"""Drug, form, single dose, its unit, route, frequency."""
DRUGS: tuple[Drug, ...] = (
    (Named("YP0101", "苯磺酸氨氯地平片"), "5mg*28片", "5", "mg", "口服", "每日一次"),
    (Named("YP0203", "阿莫西林胶囊"), "0.25g*24粒", "0.5", "g", "口服", "每日三次"),
    (Named("YP0305", "盐酸二甲双胍片"), "0.5g*20片", "0.5", "g", "口服", "每日两次"),
)
HERBS: tuple[Drug, ...] = (
    (Named("ZY0001", "黄芪"), "饮片", "30", "g", "水煎服", "每日一剂"),
    (Named("ZY0002", "当归"), "饮片", "10", "g", "水煎服", "每日一剂"),
)
SURGERY = Named("51.2300", "腹腔镜下胆囊切除术")
ROUTES = ("2.16.156.10011.2.3.1.158", "用药途径代码表")
BLOOD = ("2.16.156.10011.2.3.1.85", "ABO血型代码表")
ANAESTHESIA = ("2.16.156.10011.2.3.1.159", "麻醉方法代码表")


def _dictionary(story: Story) -> tuple[str, str]:
    return f"{story.oid}.9", "院内字典"


def _diagnosed(story: Story, code: str = "29548-5", name: str = "Diagnosis", title: str = "诊断") -> Element:
    found = story.diagnosis
    return section(code, name, found.name, [diagnosis(found.code, found.name)], title)


def summary(story: Story) -> list[Element]:
    """病历概要."""
    history = "平素体健，否认肝炎、结核等传染病史。"
    allergy = "否认药物及食物过敏史。"
    group = observation("DE04.50.001.00", "ABO血型代码", coded_value("1", "A型", BLOOD))
    event = [
        stated("DE08.10.026.00", "医疗机构科室名称", story.department.name),
        diagnosis(story.diagnosis.code, story.diagnosis.name, "西医诊断编码"),
        stated("DE08.50.022.00", "关键药物名称", DRUGS[0][0].name),
        stated("DE02.01.039.00", "责任医师姓名", story.doctor.name),
    ]
    past, adverse = ("DE02.10.026.00", "疾病史(含外伤)"), ("DE02.10.022.00", "过敏史")
    return [
        section("30954-2", "STUDIES SUMMARY", "A型", [made("entry", group)], "实验室检查"),
        words("11348-0", "HISTORY OF PAST ILLNESS", "既往史", past, history),
        words("48765-2", "Allergies, adverse reactions, alerts", "过敏史", adverse, allergy),
        section("", "卫生事件", f"{story.department.name} {story.diagnosis.name}", event),
    ]


def outpatient(story: Story) -> list[Element]:
    """门(急)诊病历."""
    chief = "反复头晕、乏力三天。"
    present = "三天前无明显诱因出现头晕，活动后加重，体温<37.3℃，无恶心、呕吐。"
    seen = "T 36.6℃，P 78次/分，R 18次/分，BP 138/86mmHg，神清。"
    plan = "低盐饮食，监测血压，两周后复诊。"
    found = story.diagnosis
    cluster = made(
        "organizer",
        made("statusCode", code="completed"),
        made("component", observation("DE05.01.025.00", "诊断名称", value("ST", found.name))),
        made(
            "component", observation("DE05.01.024.00", "诊断代码", coded_value(found.code, found.name, ICD10))
        ),
        classCode="CLUSTER",
        moodCode="EVN",
    )
    return [
        words("10154-3", "CHIEF COMPLAINT", "主诉", ("DE04.01.119.00", "主诉"), chief),
        words("10164-2", "HISTORY OF PRESENT ILLNESS", "现病史", ("DE02.10.071.00", "现病史"), present),
        words("29545-1", "PHYSICAL EXAMINATION", "体格检查", ("DE04.10.258.00", "体格检查"), seen),
        section("29548-5", "Diagnosis", found.name, [made("entry", cluster)], "诊断"),
        words("18776-5", "TREATMENT PLAN", "治疗计划", ("DE06.00.300.00", "治则治法"), plan),
    ]


def prescription(story: Story, *, herbs: bool = False) -> list[Element]:
    """西药处方, 中药处方."""
    lines = HERBS if herbs else DRUGS[: story.rng.randint(2, 3)]
    text = "\n".join(
        f"{drug.name} {form} {dose}{unit} {way} {often}" for drug, form, dose, unit, way, often in lines
    )
    days = observation("DE06.00.294.00", "处方有效天数", value("PQ", value="3", unit="天"))
    entries = [*(_drug(story, line) for line in lines), made("entry", days)]
    return [_diagnosed(story), section("10160-0", "HISTORY OF MEDICATION USE", text, entries, "用药")]


def _drug(story: Story, line: Drug) -> Element:
    drug, form, dose, unit, route, often = line
    code = coded("code", drug.code, drug.name, _dictionary(story))
    named = made("manufacturedLabeledDrug", code, made("name", drug.name))
    size = observation("DE08.50.043.00", "药物规格", value("ST", form))
    frequency = observation("DE06.00.133.00", "药物使用频率", value("ST", often))
    given = made(
        "substanceAdministration",
        coded("routeCode", "1" if route == "口服" else "9", route, ROUTES),
        made("doseQuantity", value=dose, unit=unit),
        made("consumable", made("manufacturedProduct", named)),
        made("entryRelationship", size, typeCode="COMP"),
        made("entryRelationship", frequency, typeCode="COMP"),
        classCode="SBADM",
        moodCode="EVN",
    )
    return made("entry", given)


def exam(story: Story) -> list[Element]:
    """检查报告."""
    done = exams()[story.rng.choice(story.department.exams)]
    seen, impression = clinic.findings(story.rng, done)
    item = coded_value(done.codes["HP"], done.name, _dictionary(story))
    kind = coded_value(done.modality, done.modality, _dictionary(story))
    time = made("effectiveTime", value=when(story.start))
    project = made("component", observation("DE04.30.019.00", "检查项目代码", time, item))
    organised = made("organizer", made("statusCode"), project, classCode="CLUSTER", moodCode="EVN")
    report = [
        stated("DE04.50.131.00", "检查报告结果-客观所见", seen),
        stated("DE04.50.132.00", "检查报告结果-主观提示", impression),
    ]
    entries = [made("entry", observation("DE04.30.018.00", "检查类别", kind)), made("entry", organised)]
    return [
        _diagnosed(story),
        section("29545-1", "PHYSICAL EXAMINATION", done.name, entries, "检查"),
        section("", "检查报告", f"{seen}\n{impression}", report),
    ]


def lab(story: Story) -> list[Element]:
    """检验报告."""
    panel = panels()[story.rng.choice(story.department.panels)]
    kind = coded_value(panel.codes["HP"], panel.name, _dictionary(story))
    values = clinic.measure(story.rng, panel)
    entries = [made("entry", observation("DE04.30.018.00", "检验类别", kind))]
    entries += [_result(story, one) for one in values]
    text = "\n".join(f"{one.item.name} {one.text} {one.item.unit}" for one in values)
    conclusion = stated("DE04.50.130.00", "检验报告结果", "请结合临床。")
    return [
        _diagnosed(story),
        section("30954-2", "STUDIES SUMMARY", text, entries, "检验"),
        section("", "检验报告", "请结合临床。", [conclusion]),
    ]


def _result(story: Story, measured: Value) -> Element:
    item = measured.item
    number = item.low is not None
    found = value("REAL", value=measured.text) if number else value("ST", measured.text)
    said = [made("interpretationCode", code=measured.flag, codeSystem=INTERPRETATION[0])]
    if item.unit:
        unit = observation("DE04.30.016.00", "检验定量结果计量单位", value("ST", item.unit))
        said.append(made("entryRelationship", unit, typeCode="COMP"))
    if item.reference_range:
        said.append(made("referenceRange", made("observationRange", made("text", item.reference_range))))
    time = made("effectiveTime", value=when(story.start))
    code = coded_value(item.codes["HP"], item.name, _dictionary(story))
    element, label = ("DE04.30.015.00", "检验定量结果") if number else ("DE04.30.017.00", "检验结果")
    parts = (
        made("component", observation("DE04.30.019.00", "检验项目代码", time, code)),
        made("component", observation(element, label, found, *said)),
    )
    return made("entry", made("organizer", made("statusCode"), *parts, classCode="BATTERY", moodCode="EVN"))


def surgery(story: Story) -> list[Element]:
    """一般手术记录."""
    course = (
        "全麻成功后取平卧位，常规消毒铺巾，建立气腹，探查见胆囊壁增厚，分离胆囊三角，"
        "夹闭并离断胆囊管与胆囊动脉，完整切除胆囊。"
    )
    way = observation("DE06.00.073.00", "麻醉方式代码", coded_value("1", "全身麻醉", ANAESTHESIA))
    told = ("DE05.10.063.00", "手术过程描述")
    return [
        _diagnosed(story, "10219-4", "Surgical operation note preoperative Dx", "术前诊断"),
        section("47519-4", "HISTORY OF PROCEDURES", SURGERY.name, [_operation(story)], "手术操作"),
        section("10213-7", "Surgical operation note anesthesia", "全身麻醉", [made("entry", way)], "麻醉"),
        _diagnosed(story, "10218-6", "Surgical operation note postoperative Dx", "术后诊断"),
        words("8724-7", "Surgical operation note description", "手术过程描述", told, course),
    ]


def _operation(story: Story) -> Element:
    surgeon = made(
        "assignedEntity",
        made("id", root="2.16.156.10011.1.4", extension=f"H{story.doctor.code}"),
        made("assignedPerson", made("name", story.doctor.name)),
    )
    name = observation("DE06.00.094.00", "手术(操作)名称", value("ST", SURGERY.name))
    done = made(
        "procedure",
        coded("code", SURGERY.code, SURGERY.name, ICD9),
        made("statusCode"),
        made("effectiveTime", made("low", value=when(story.start)), made("high", value=when(story.end))),
        made("performer", surgeon, typeCode="PRF"),
        made("entryRelationship", name, typeCode="COMP"),
        classCode="PROC",
        moodCode="EVN",
    )
    return made("entry", done)


def discharge(story: Story) -> list[Element]:
    """出院小结."""
    course = "入院后完善相关检查，予对症支持治疗，病情好转。"
    orders = "1.按时服药；2.一周后门诊复查；3.不适随诊。"
    found = story.diagnosis
    admitted = diagnosis(found.code, found.name, "入院诊断-西医诊断编码")
    left = diagnosis(found.code, found.name, "出院诊断-西医诊断编码")
    return [
        section("46241-6", "HOSPITAL ADMISSION DX", found.name, [admitted], "入院诊断"),
        section("11535-2", "Discharge Diagnosis", found.name, [left], "出院诊断"),
        words("8648-8", "Hospital Course", "住院过程", ("DE06.00.296.00", "诊疗过程描述"), course),
        words("46209-3", "Provider Orders", "出院医嘱", ("DE06.00.287.00", "出院医嘱"), orders),
    ]
