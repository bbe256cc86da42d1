from datetime import date

from simulators.console import as_expected, expected
from simulators.delivery import Answer, Delivery
from simulators.huiya.day import day
from simulators.huiya.play import control_ids
from simulators.plan import SAMPLE_DAY, sample_day

STORED = Answer(True, "AA")
DELIVERIES = [
    Delivery("HIS", "1", "recorded", STORED),
    Delivery("HIS", "1", "duplicate", STORED),
    Delivery("HIS", "2", "held:waiting", STORED),
    Delivery("HIS", "3", "refused:unknown_type", Answer(False, "unknown_type")),
]


def test_what_is_expected_adds_up():
    wanted = expected(DELIVERIES)
    assert wanted == {
        "sent": 4,
        "refused": 1,
        "refusals": {"unknown_type": 1},
        "recorded": 1,
        "held": {"waiting": 1},
        "duplicates": 1,
    }
    assert wanted["sent"] == (
        wanted["refused"] + wanted["recorded"] + sum(wanted["held"].values()) + wanted["duplicates"]
    )


def test_a_day_is_as_expected_only_when_all_of_it_is():
    good = {**expected(DELIVERIES), "ready": 0, "expected": expected(DELIVERIES)}
    assert as_expected(good)
    assert not as_expected({**good, "ready": 1})
    assert not as_expected({**good, "recorded": 0})
    assert not as_expected({**good, "held": {"no_rule": 1}})


def test_every_edit_of_huiya_has_a_control_id_of_its_own():
    edits = day(7, date(2026, 11, 20), 5.0)
    named = [(edit.table, control_id) for edit, control_id in zip(edits, control_ids(edits), strict=True)]
    assert len(set(named)) == len(edits)
    for edit, (_, control_id) in zip(edits, named, strict=True):
        assert control_id.startswith(f"{edit.key}@")
        assert control_id.endswith("~deleted") == (edit.row is None)


def test_the_sample_day_is_never_in_the_future():
    assert sample_day(date(2027, 1, 1)) == SAMPLE_DAY
    assert sample_day(SAMPLE_DAY) == date(2026, 11, 19)
