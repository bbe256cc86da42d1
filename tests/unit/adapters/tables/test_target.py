"""A value and its column: what fits, what would be cut or garbled, and what is said of it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle

from adapters.tables.target import Cell, Family, family_of
from adapters.tables.values import fitted
from bus.delivery.transport import UnsendableError

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 20, 9, 0, 0, 654321, tzinfo=SHANGHAI)


def fit(value: Any, type_: Any, codec: str | None = None) -> Any:
    family = family_of(type_)
    assert family is not None
    return fitted("姓名", Cell("x", family, type_, True, codec), value, SHANGHAI)


@pytest.mark.parametrize(
    ("type_", "family"),
    [
        (sa.String(5), Family.TEXT),
        (sa.Text(), Family.TEXT),
        (sa.Numeric(5, 2), Family.DECIMAL),
        (oracle.NUMBER(), Family.DECIMAL),
        (sa.Float(), Family.DECIMAL),
        (mysql.TINYINT(), Family.INTEGER),
        (mssql.BIT(), Family.BOOL),
        (sa.Date(), Family.DATE),
        (oracle.DATE(), Family.DATETIME),
        (mssql.DATETIME2(), Family.DATETIME),
        (sa.LargeBinary(), Family.BYTES),
        (sa.JSON(), None),
        (sa.Uuid(), None),
    ],
)
def test_a_column_has_a_family_or_is_not_written_to(type_: Any, family: Family | None) -> None:
    assert family_of(type_) is family


def test_text_that_would_be_cut_is_not_sent_and_not_quoted() -> None:
    assert fit("欧阳珅", sa.String(3)) == "欧阳珅"
    with pytest.raises(UnsendableError, match="column 姓名 takes 2 characters") as raised:
        fit("欧阳珅", sa.String(2))
    assert (raised.value.code, "欧阳珅" in str(raised.value)) == ("too_long", False)


def test_a_character_that_the_database_would_make_a_question_mark_is_not_sent() -> None:
    assert fit("欧阳珅", sa.String(9), codec="gbk") == "欧阳珅"
    with pytest.raises(UnsendableError, match="not in gbk; ask for a Unicode column"):
        fit("𠮷野", sa.String(9), codec="gbk")


def test_times_are_written_as_their_column_keeps_them() -> None:
    assert fit(AT, sa.DateTime(timezone=True)) == AT
    assert fit(AT, sa.DateTime()) == datetime(2026, 11, 20, 9, 0, 0, 654321)  # noqa: DTZ001 - a wall clock
    assert fit(AT, mysql.DATETIME()) == datetime(2026, 11, 20, 9)  # noqa: DTZ001 - never rounded up
    assert fit(AT, mysql.TIMESTAMP(fsp=6)) == datetime(2026, 11, 20, 1, 0, 0, 654321)  # noqa: DTZ001 - UTC
    assert fit(date(2026, 11, 20), sa.DateTime()) == datetime(2026, 11, 20)  # noqa: DTZ001 - a wall clock


def test_what_is_no_text_is_written_into_text_as_people_write_it() -> None:
    text = sa.String(30)
    assert [fit(value, text) for value in (AT, date(1980, 1, 1), Decimal("4.10"), 7, True)] == [
        "2026-11-20 09:00:00",
        "1980-01-01",
        "4.10",
        "7",
        "1",
    ]
    assert fit(True, mysql.TINYINT()) == 1
    assert fit(None, text) is None
