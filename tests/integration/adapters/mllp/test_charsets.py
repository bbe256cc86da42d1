"""Every character set of table 0211 comes in over the wire and is read as it was written, whatever its campus
speaks by default.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.mllp.client import Client
from adapters.mllp.settings import MllpSettings
from bus.hl7.charset import TABLE_0211
from bus.hl7.message import parse
from tests.integration.adapters.mllp.conftest import SETTINGS, Rows
from tests.integration.adapters.mllp.test_listener import HAZARDOUS, message

TEXTS = {
    "ascii": "Wang",
    "iso8859_1": "Müller",
    "iso8859_2": "Dvořák",
    "iso8859_3": "Ĉapelo",
    "iso8859_4": "Ķengarags",
    "iso8859_5": "Иванов",
    "iso8859_6": "محمد",
    "iso8859_7": "Παπαδόπουλος",
    "iso8859_8": "כהן",
    "iso8859_9": "Şahin",
    "iso8859_15": "Œuvre €",
    "iso2022_jp_2": "山田太郎",
    "iso2022_jp_ext": "ヤマダ",
    "gb18030": HAZARDOUS,
    "cp949": "김철수",
    "cp950": "許功蓋",
    "utf-8": HAZARDOUS + "𠮷",
}
DEFAULTS = ["utf-8", "gb18030", "iso8859_1", "cp950"]


class TestEvery:
    """Four campuses with four habits."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, campuses={f"C{n}": codec for n, codec in enumerate(DEFAULTS)})

    @pytest.mark.parametrize("name", TABLE_0211)
    async def test_a_charset_of_table_0211_from_every_campus(
        self, name: str, client: Client, rows: Rows
    ) -> None:
        text = TEXTS[TABLE_0211[name]]
        for n in range(len(DEFAULTS)):
            sent = message(f"{n}", text, facility=f"C{n}", charset=name)
            assert (await client.send(sent)).code == "AA"
        for body, charset in rows("SELECT body, charset FROM bus.message"):
            assert (parse(bytes(body)).get("PID-5"), charset) == (text, TABLE_0211[name])

    @pytest.mark.parametrize("n", range(len(DEFAULTS)))
    async def test_an_empty_msh_18_is_the_campus_s_own(self, n: int, client: Client, rows: Rows) -> None:
        codec = DEFAULTS[n]
        sent = message(name=TEXTS[codec], facility=f"C{n}", charset="", codec=codec)
        assert (await client.send(sent)).code == "AA"
        [(body, charset)] = rows("SELECT body, charset FROM bus.message")
        assert charset == codec
        assert parse(bytes(body), codec).get("PID-5") == TEXTS[codec]

    @pytest.mark.parametrize("name", ["CNS 11643-1992", "UNICODE UTF-16", "UNICODE UTF-32"])
    async def test_one_that_cannot_be_read_is_refused_by_its_name(
        self, name: str, client: Client, rows: Rows
    ) -> None:
        sent = message(facility="C0", charset="UNICODE UTF-8").replace(b"UNICODE UTF-8", name.encode())
        answer = await client.send(sent)
        assert (answer.code, answer.error_code) == ("AR", "unknown_charset")
        assert name in (answer.reason or "")
        assert rows("SELECT reason FROM bus.refusal") == [(answer.reason,)]
