"""What people read of alerts."""

from __future__ import annotations

from datetime import UTC, datetime

from bus.alerts.channel import Notice
from bus.alerts.mail import letter
from bus.alerts.sms import LONGEST, brief
from bus.alerts.store import Alert

AT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def notice(subject: str, event: str = "raised", id_: int = 1) -> Notice:
    return Notice(id_, event, Alert(id_, "silence", subject, 3700, 3600, "ask", AT, None, None, None, None))


def test_a_text_names_raised_ones_first_and_each_once() -> None:
    text = brief([notice("HY", "cleared"), notice("MAIN"), notice("HP"), notice("MAIN")])
    assert text == "【医联】告警 silence MAIN、silence HP；恢复 silence HY。详见 yilian alerts list"


def test_a_text_fits_two_parts_and_still_says_where_to_look() -> None:
    text = brief([notice(f"CAMPUS{n}") for n in range(40)])
    assert len(text) == LONGEST
    assert text.endswith("…。详见 yilian alerts list")


def test_the_subject_of_a_letter_counts_what_else_is_in_it() -> None:
    made = letter([notice("MAIN"), notice("HP")], "yilian@localhost", ("a@b", "c@d"))
    assert made["Subject"] == "[Yilian 医联] silence MAIN raised (+1)"
    assert made["To"] == "a@b, c@d"
    assert "raised 2026-11-24 08:00:00 +0000" in made.get_content()
