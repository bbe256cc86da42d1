from collections import Counter
from datetime import date

import pytest
from lxml import etree

from adapters.rest.models import UPLOADS as MODELS
from adapters.soap.interfaces import SCHEMAS
from simulators.huangpu import chinese
from simulators.huangpu.day import UPLOADS, day
from simulators.main_campus.day import day as main_day
from simulators.people import DEMO

TODAY = date(2026, 11, 20)
DAY = day(7, TODAY)
XS = "{http://www.w3.org/2001/XMLSchema}"


def test_the_same_seed_and_day_are_the_same_uploads():
    assert day(7, TODAY) == DAY
    assert day(8, TODAY) != DAY


def test_the_volume_is_in_ratio_to_the_main_campus():
    assert len(DAY) == UPLOADS
    assert len(DAY) / len(main_day(7, TODAY)) == pytest.approx(7.1 / 85, rel=0.01)


def test_all_interfaces_and_both_faces_are_used():
    assert {u.interface for u in DAY} == set(MODELS)
    faces = Counter(u.face for u in DAY)
    assert faces["soap"] > 30
    assert faces["rest"] > 30


def test_every_rest_upload_that_is_not_a_mistake_fits_its_model():
    for upload in DAY:
        if not upload.expect.startswith("refused"):
            MODELS[upload.interface].model_validate(upload.content)


@pytest.mark.parametrize("interface", chinese.UPLOADS)
def test_every_chinese_name_is_in_the_schema(interface):
    named = set()
    for file in (SCHEMAS / "header.xsd", SCHEMAS / f"{interface}.xsd"):
        named |= {element.attrib["name"] for element in etree.parse(file).iter(f"{XS}element")}

    def elements(table):
        for name in table.values():
            yield name if isinstance(name, str) else name[0]
            if not isinstance(name, str):
                yield from elements(name[1])

    assert set(elements(chinese.UPLOADS[interface])) <= named


def test_what_goes_by_soap_has_a_chinese_name_for_every_key():
    for upload in DAY:
        if upload.face == "soap":
            said = chinese.in_chinese(upload.content, chinese.UPLOADS[upload.interface])
            assert said["患者信息"]["患者编号"] == upload.patient


def test_a_key_without_a_chinese_name_is_an_error():
    with pytest.raises(KeyError):
        chinese.in_chinese({"blood_group": "O"}, chinese.PATIENT)


def test_a_visit_begins_before_its_order_and_report_and_ends_after():
    happened: dict[str, list[str]] = {}
    for upload in DAY:
        if upload.expect == "recorded":
            happened.setdefault(upload.patient, []).append(upload.interface)
    for interfaces in happened.values():
        assert interfaces[0] == "patient"
        for report in ("lab_report", "exam_report"):
            if report in interfaces:
                assert interfaces.index("encounter") < interfaces.index("order") < interfaces.index(report)


def test_every_mistake_is_known():
    assert Counter(u.expect for u in DAY if u.expect != "recorded") == {
        "held:unmapped_code": 1,
        "refused:schema": 2,
        "refused:xml_doctype": 1,
        "duplicate": 1,
    }


def test_people_of_the_main_campus_come_here_too():
    here = {u.content["patient"].get("id_card") for u in DAY} - {None}
    there = b"".join(m.body for m in main_day(7, TODAY)).decode("utf-8", "ignore")
    assert DEMO.id_card in here
    assert sum(card in there for card in here) >= 5
