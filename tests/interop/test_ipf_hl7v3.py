"""IPF's identity source, PIX consumer and demographics consumer of HL7 v3: ITI-44, 45 and 47, in Chinese.

IPF brings HL7's schemas, which are not ours to give out: what it finds valid, they do.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from lxml import etree

from tests import hl7v3_messages as v3
from tests.hl7v3_messages import CARDS, CONSORTIUM, HP, HY, MAIN
from tests.integration.api.conftest import PASSWORD
from tests.integration.api.records import ID_CARD, person_of_three_campuses
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds


@pytest.fixture(scope="module")
def peers() -> Peers:
    """IPF."""
    return Peers(build("hl7v3"), "yilian.peers.hl7v3")


def written(folder: Path, *messages: str) -> list[Path]:
    """Write the messages to files."""
    files = [folder / f"{place}.xml" for place in range(len(messages))]
    for file, message in zip(files, messages, strict=True):
        file.write_text(message, encoding="utf-8")
    return files


async def test_ipf_feeds_merges_and_asks(
    peers: Peers, origin: str, engine: sa.Engine, tmp_path: Path
) -> None:
    wang = person_of_three_campuses(engine)
    more = '<birthTime value="19491231"/>' + v3.card(ID_CARD)
    wang_again = v3.person("<family>王</family><given>珅</given>", more)
    files = written(
        tmp_path,
        v3.add("HP-7"),
        v3.add("HP-8"),
        v3.registration("PRPA_IN201302UV02", v3.ii(HP, "HP-8"), wang_again),
        v3.add("X-1", MAIN),
        v3.pix(v3.ii(HP, "HP-8", "value"), MAIN, HY),
        v3.merge("HP-7", "HP-9"),
        v3.pix(v3.ii(HP, "HP-9", "value")),
        v3.pix(v3.ii(HP, "HP-7", "value"), MAIN),
        v3.pix(v3.ii(HP, "HP-7", "value"), "1.2.3"),
        v3.pdq(v3.named("<family>欧阳</family><given>珅</given>")),
        v3.pdq(v3.named("<family>王</family>") + v3.scope(MAIN) + v3.scope(CARDS)),
        v3.pdq(v3.named("<family>王</family>") + v3.scope("1.2.3")),
        v3.pdq(v3.named("<family>赵</family>")),
    )
    said = await peers.run("IpfClient", origin, "system.huangpu", PASSWORD, *files)
    answers = [etree.fromstring(line[2].encode()) for line in said]
    assert [line[1] for line in said] == ["valid"] * len(files)
    assert [v3.codes(answer) for answer in answers] == [
        ("CA", None), ("CA", None), ("CA", None), ("CE", None), ("AA", "OK"), ("CA", None), ("AE", "AE"),
        ("AA", "NF"), ("AE", "AE"), ("AA", "OK"), ("AA", "OK"), ("AE", "AE"), ("AA", "NF"),
    ]  # fmt: skip
    assert v3.ids(answers[4]) == [[(HY, "Y001"), (MAIN, "M1")]]
    [ouyang] = v3.ids(answers[9])
    assert ouyang[0][0] == CONSORTIUM != str(wang)
    assert (HP, "HP-7") in ouyang
    assert "欧阳" in etree.tostring(answers[9], encoding="unicode")
    assert v3.ids(answers[10]) == [[(MAIN, "M1")]]
    assert [code for code, _ in v3.details(answers[11])] == ["204"]
