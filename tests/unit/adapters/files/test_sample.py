"""The sources and rules of the checkout fit together: what a file brings, a rule takes."""

from __future__ import annotations

import pytest

from adapters.files.records import Record
from adapters.files.settings import Source, sources
from bus.rules.decision import Decision
from bus.rules.loader import load_rules
from bus.rules.ruleset import RuleSet
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from consortium.records.model import Change
from runtime.campuses import read_campuses
from runtime.settings import CHECKOUT
from tests.unit.adapters.files.reading import found

RULES = CHECKOUT / "rules"
SOURCES = {source.name: source for source in sources(RULES)}

PATIENTS = "病人编号,姓名,性别,出生日期,身份证号,电话\nN1,欧阳珅,女,1980-01-01,,\n"
LAB = (
    "报告单号,病人编号,就诊号,申请单号,组合编码,组合名称,状态,报告时间,项目编码,项目名称,结果,单位,标志\n"
    "R1,N1,V1,O1,DJZ,电解质,审核,2026-11-20 10:30:00,K,钾,6.80,mmol/L,HH\n"
    "R1,N1,V1,O1,DJZ,电解质,审核,2026-11-20 10:30:00,NA,钠,141,mmol/L,\n"
)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    """The rules of the checkout."""
    loaded = load_rules(RULES)
    assert loaded.errors == []
    return RuleSet(loaded.rules, loaded.tables)


def decided(rules: RuleSet, source: Source, text: str) -> Decision:
    """Read a file of one record and decide about it."""
    (record,) = found(source, text.encode("gb18030"))
    assert isinstance(record, Record)
    arrival = record.arrival
    envelope = Envelope(arrival.facility, arrival.sender, arrival.message_type, arrival.protocol)
    opened = open_source(arrival.body, arrival.charset, envelope)
    return rules.decide(opened, arrival.facility, arrival.message_type)


def test_every_source_is_of_a_campus_that_the_sample_knows() -> None:
    known = {campus.code for campus in read_campuses(CHECKOUT / "rules")}
    assert {source.facility for source in SOURCES.values()} <= known


def test_a_row_of_the_list_of_patients_becomes_a_patient(rules: RuleSet) -> None:
    decision = decided(rules, SOURCES["ns_patients"], PATIENTS)
    assert decision.rule == "ns-csv-patient"
    assert isinstance(decision.outcome, Change)
    assert decision.outcome.patient.name == "欧阳珅"


def test_the_rows_of_a_report_become_one_report(rules: RuleSet) -> None:
    decision = decided(rules, SOURCES["ns_lab"], LAB)
    assert decision.rule == "ns-csv-lab-report"
    assert isinstance(decision.outcome, Change)
    (report,) = decision.outcome.reports
    assert [(result.value, result.flag) for result in report.results] == [
        ("6.80", "critical_high"),
        ("141", None),
    ]
