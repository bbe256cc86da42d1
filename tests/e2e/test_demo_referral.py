"""`demo referral` plays a referral up and back down on the running consortium, as often as one likes."""

from __future__ import annotations

import re

from tests.e2e.consortium import Consortium

WORKFLOW = re.compile(r"/workflows/(referral-[0-9a-f-]{36})$", re.MULTILINE)


def test_a_referral_goes_up_and_down_each_time_with_a_new_patient(consortium: Consortium) -> None:
    played = [consortium.must("demo", "referral", timeout=300) for _ in range(2)]
    workflows = [WORKFLOW.findall(told) for told in played]
    assert [len(found) for found in workflows] == [2, 2]
    assert len({one for found in workflows for one in found}) == 4
    for told in played:
        for part in ("第一幕", "Act 1", "arrived 已到院", "ADT^A01", "closed 已结案", "全部符合预期"):
            assert part in told
    for workflow in workflows[0]:
        shown = consortium.json("workflows", "show", workflow)
        assert shown["standing"]["status"] == "completed"
        assert shown["recorded"]["state"] == shown["standing"]["state"] == "closed"


def test_the_demo_is_listed_with_its_help(consortium: Consortium) -> None:
    assert "referral" in consortium.must("demo", "--help")
