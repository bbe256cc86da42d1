"""Inside `each`, a path may begin with what stands around the part."""

from __future__ import annotations

import pytest

from bus.sources.rows import parse_rows
from bus.sources.source import Envelope, PathError, Source
from bus.sources.xml import parse_xml_source

ENVELOPE = Envelope("HP", "LIS", "soap:lab_report")
XML: Source = parse_xml_source("<a><报告><时间>9</时间><行><值>1</值></行></报告></a>".encode(), ENVELOPE)
JSON: Source = parse_rows('{"reports": [{"time": "9", "lines": [{"value": "1"}]}]}', ENVELOPE)


@pytest.mark.parametrize(
    ("source", "report", "line", "value", "time"),
    [(XML, "报告", "行", "值", "^/时间"), (JSON, "reports", "lines", "value", "^.time")],
)
def test_a_line_reads_from_its_report(source: Source, report: str, line: str, value: str, time: str) -> None:
    part = source.each(report)[0].each(line)[0]
    assert (part.get(value), part.get(time)) == ("1", "9")


@pytest.mark.parametrize(("source", "path"), [(XML, "^/报告"), (JSON, "^.reports")])
def test_nothing_stands_around_the_message(source: Source, path: str) -> None:
    with pytest.raises(PathError, match="outside each"):
        source.get(path)
