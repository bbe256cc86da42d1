"""The published definitions."""

from __future__ import annotations

import copy

import pytest
from lxml import etree

from adapters.soap import wsdl
from adapters.soap.interfaces import TITLES, interfaces

XS = "{http://www.w3.org/2001/XMLSchema}"


def test_there_is_one_interface_for_each_data_type() -> None:
    assert set(interfaces()) == set(TITLES)
    assert interfaces()["lab_report"].operation == "UploadLabReport"
    assert interfaces()["lab_report"].root == "检验报告上传"


@pytest.mark.parametrize("name", list(TITLES))
def test_the_wsdl_s_schema_stands_alone_and_is_the_one_that_validates(name: str) -> None:
    published = etree.fromstring(wsdl.render(interfaces()[name], f"http://localhost/soap/{name}"))
    schema = published.find(f".//{XS}schema")
    assert schema is not None
    assert schema.find(f"{XS}include") is None
    etree.XMLSchema(copy.deepcopy(schema))  # the copy knows no declaration but its own
    roots = [element.get("name") for element in schema.findall(f"{XS}element")]
    assert roots == ["上传应答", interfaces()[name].root]


def test_the_address_in_the_wsdl_is_escaped() -> None:
    published = wsdl.render(interfaces()["patient"], 'http://localhost/"><x>')
    assert etree.fromstring(published).find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address") is not None
