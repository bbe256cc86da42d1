"""The text of documents by what they are, and the reasons of those that have none."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from bus.fulltext import pdf
from bus.fulltext.extracting import MOST, extract
from simulators.cda.samples import KINDS, document

DAY = date(2026, 11, 20)


def pdf_of(*lines: str) -> bytes:
    """Make a PDF with a page for each line."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for line in lines:
        page = writer.add_blank_page(300, 300)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 200 Td ({line}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_clinical_document_has_the_text_of_its_page(kind: str) -> None:
    sample = document(20261120, DAY, kind)
    found = extract(sample.body, "text/xml")
    assert found.problem is None
    assert "姓名" in found.text
    assert "</" not in found.text
    assert "font-family" not in found.text


@pytest.mark.parametrize(
    ("content", "mime_type", "text"),
    [
        ("出院小结：病情平稳。".encode(), "text/plain", "出院小结：病情平稳。"),
        ("出院小结：珅".encode("gb18030"), "text/plain", "出院小结：珅"),
        ("出院小结".encode("gb18030"), "text/plain; charset=GB2312", "出院小结"),
        ("﻿出院".encode(), "text/plain;charset=utf-8", "出院"),
        ("出院".encode("utf-16"), "text/plain", "出院"),
        ("<a>胸部<b>平扫</b>CT</a>".encode(), "application/xml", "胸部\n平扫\nCT"),
        (
            "<html><head><title>t</title><script>bad()</script></head><body><p>高血\n压<b>病</b>"
            "<style>p{}</style><p>二&lt;三<br/>四<script>x</script></body>".encode(),
            "text/html",
            "高血 压病\n二<三\n四",
        ),
        (pdf_of("Chest CT", "second page"), "application/pdf", "Chest CT\n\nsecond page"),
    ],
)
def test_text_is_read(content: bytes, mime_type: str, text: str) -> None:
    found = extract(content, mime_type)
    assert (found.text.strip(), found.problem) == (text, None)


@pytest.mark.parametrize(
    ("content", "mime_type", "problem"),
    [
        (b"\xff\xd8\xff", "image/jpeg", "no_text"),
        (b"{\\rtf1}", "text/rtf", "no_text"),
        (b"%PDF-1.7 broken", "application/pdf", "unreadable"),
        (pdf_of(""), "application/pdf", "empty"),
        (b"%PDF-" + bytes(pdf.LARGEST), "application/pdf", "too_large"),
        (b"<a>", "text/xml", "unreadable"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", "unreadable"),
        (b"  \n", "text/plain", "empty"),
        (b"\xff\xff\xff", "text/plain", "charset"),
        (b"x", "", "no_text"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, mime_type: str, problem: str) -> None:
    found = extract(content, mime_type)
    assert found.text == ""
    assert found.problem is not None
    assert found.problem.partition(":")[0] == problem


def test_a_long_text_is_cut_and_says_so() -> None:
    found = extract("字".encode() * (MOST + 1), "text/plain")
    assert len(found.text) == MOST
    assert (found.problem or "").startswith("cut")


def test_a_pdf_with_many_pages_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PAGES", 1)
    found = extract(pdf_of("first", "second"), "application/pdf")
    assert found.text == "first"
    assert (found.problem or "").startswith("cut")


def test_a_pdf_that_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", -1.0)
    assert extract(pdf_of("first"), "application/pdf").text == ""


def test_lines_of_chinese_are_put_together_again() -> None:
    assert pdf._WRAPPED.sub("", "患者有高血\n压病史。\nCT\n检查") == "患者有高血压病史。\nCT\n检查"


@given(
    st.binary(max_size=200),
    st.sampled_from(["text/xml", "text/html", "text/plain", "application/pdf", "application/hl7-cda+xml"]),
)
def test_nothing_makes_it_fail(content: bytes, mime_type: str) -> None:
    extract(content, mime_type)
