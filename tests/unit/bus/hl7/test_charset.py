"""Character sets: the names of table 0211, and decoding of what Chinese hospitals really send."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.hl7.charset import TABLE_0211, codec_for, decode
from bus.hl7.message import parse
from bus.hl7.problem import HL7Error


@pytest.mark.parametrize("name", TABLE_0211)
def test_every_name_of_table_0211_has_a_codec(name: str) -> None:
    assert codecs.lookup(codec_for(name))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("GB 18030-2000", "gb18030"),
        ("gb18030", "gb18030"),
        ("GBK", "gb18030"),
        ("GB2312", "gb18030"),
        ("UNICODE UTF-8", "utf-8"),
        ("unicode  utf-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("8859/15", "iso8859_15"),
        ("BIG-5", "cp950"),
        ("ASCII~ISO IR87", "iso2022_jp_2"),
        ("~ISO IR87", "iso2022_jp_2"),
        ("GB 18030-2000~UNICODE UTF-8", "gb18030"),
        ("UNICODE UTF-8~", "utf-8"),
    ],
)
def test_names_map_to_codecs(name: str, codec: str) -> None:
    assert codec_for(name, "ascii") == codec


def test_an_empty_name_means_the_default_of_the_campus() -> None:
    assert codec_for("", "GB 18030-2000") == "gb18030"
    assert codec_for(" ", "gb18030") == "gb18030"


@pytest.mark.parametrize(
    "name", ["CNS 11643-1992", "UNICODE UTF-8~CNS 11643-1992", "UNICODE UTF-16", "UNICODE UTF-32"]
)
def test_what_cannot_be_decoded_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(HL7Error, match=name.split("~")[-1]) as caught:
        codec_for(name)
    assert (caught.value.code, caught.value.location) == ("unknown_charset", "MSH-18")


@pytest.mark.parametrize("name", ["KLINGON", "rot13", "utf-7", "idna", "unicode_escape"])
def test_an_unknown_name_is_refused_even_where_python_has_such_a_codec(name: str) -> None:
    with pytest.raises(HL7Error, match="table 0211"):
        codec_for(name)


def test_a_name_that_is_no_name_is_not_repeated_to_the_log() -> None:
    with pytest.raises(HL7Error) as caught:
        codec_for("王珅 13800000000")
    assert "王" not in caught.value.reason


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xa6\xd9\xa6\xf3", "\ufe10\ufe19"),
        (b"\xfe\x59\xfe\xa0", "\u9fb4\u9fbb"),
        (b"\xa8\xbc", "\u1e3f"),
        (b"\x84\x31\x82\x36", "\ufe10"),
        (b"a\x80b", "a€b"),
        (b"\x80", "€"),
        (b"\xd6\xd0\x80\xb9\xfa", "中€国"),
        (b"\x81\x80", "亐"),
        ("𠮷".encode("gb18030"), "𠮷"),
    ],
)
def test_gb18030_is_read_as_of_2022_and_windows_euro_too(raw: bytes, text: str) -> None:
    assert decode(raw, "gb18030") == text


@given(st.text(st.characters(codec="gb18030", exclude_categories=["Co"])))
def test_gb18030_round_trips_all_but_private_characters(text: str) -> None:
    assert decode(text.encode("gb18030"), "gb18030") == text


@pytest.mark.parametrize(
    ("raw", "codec"), [(b"ab\xff", "gb18030"), (b"ab\xff", "utf-8"), (b"ab\xff", "ascii")]
)
def test_a_byte_that_does_not_belong_is_told_by_its_place_and_not_its_neighbours(
    raw: bytes, codec: str
) -> None:
    with pytest.raises(HL7Error, match="offset 2") as caught:
        decode(raw, codec)
    assert "ab" not in caught.value.reason.split(":")[1].split()


def header(application: str, charset: str, codec: str) -> bytes:
    text = f"MSH|^~\\&|{application}|MAIN|BUS|HUB|2026||ADT^A01|C1|P|2.5||||||{charset}\rPID|1||P1||王珅\r"
    return text.encode(codec)


@pytest.mark.parametrize("default", ["UNICODE UTF-8", "GB 18030-2000", "8859/1"])
@pytest.mark.parametrize(("charset", "codec"), [("GB 18030-2000", "gb18030"), ("UNICODE UTF-8", "utf-8")])
@pytest.mark.parametrize("application", ["LIS", "检验珅", "珅"])
def test_the_charset_is_found_even_behind_an_application_named_in_it(
    application: str, charset: str, codec: str, default: str
) -> None:
    read = parse(header(application, charset, codec), default)
    assert (read.codec, read.get("MSH-3"), read.get("PID-5")) == (codec, application, "王珅")


def test_a_header_that_names_none_is_read_by_the_default() -> None:
    assert parse(header("检验珅", "", "gb18030"), "GB 18030-2000").get("MSH-3") == "检验珅"


def test_a_body_that_is_not_what_its_header_says_is_refused() -> None:
    with pytest.raises(HL7Error) as caught:
        parse(header("LIS", "UNICODE UTF-8", "gb18030"))
    assert caught.value.code == "unknown_charset"
