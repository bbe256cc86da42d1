"""Demographics queries: what is looked for, and what is refused rather than left out."""

from __future__ import annotations

from datetime import date

import pytest

from bus.hl7.escaping import STANDARD
from bus.hl7.message import Segment
from bus.pix.criteria import wanted
from bus.pix.domains import Domains
from bus.pix.problem import FaultsError
from consortium.identity.service import PersonSearch
from runtime.settings import Settings

DOMAINS = Domains(Settings.model_validate({}))


def looked_for(criteria: str) -> PersonSearch:
    return wanted(Segment(f"QPD|IHE PDQ Query|T1|{criteria}", STANDARD, "utf-8"), DOMAINS)


@pytest.mark.parametrize(
    ("criteria", "pattern"),
    [
        ("@PID.5.1.1^王~@PID.5.2^珅", "王珅"),
        ("@PID.5.1.1^王~@PID.5.2^珅*", "王珅%"),
        ("@PID.5.1.1^王*", "王%"),
        ("@PID.5.1.1^王", "王%"),
        ("@PID.5.1.1^欧阳", "欧阳%"),
        ("@PID.5.1.1^欧阳倩", "欧阳倩"),
        ("@PID.5.1.1^*阳*", "%阳%"),
        ("@PID.5.2^倩", "%倩"),
        ("@PID.5.1.1^买买提·吐尔逊", "买买提·吐尔逊"),
        ("@PID.5.1.1^SMITH~@PID.5.2^John", "johnsmith"),
        ("@PID.5.1.1^Smith", "%smith"),
        ("@PID.5.2^J*", "j%%"),
        ("@PID.5.1.1^100%_\\E\\", "%100\\%\\_\\\\"),
    ],
)
def test_names_as_they_are_compared(criteria: str, pattern: str) -> None:
    assert looked_for(criteria).name_like == pattern


@pytest.mark.parametrize(
    ("said", "since", "before"),
    [
        ("1980", date(1980, 1, 1), date(1981, 1, 1)),
        ("1980*", date(1980, 1, 1), date(1981, 1, 1)),
        ("198012", date(1980, 12, 1), date(1981, 1, 1)),
        ("198002", date(1980, 2, 1), date(1980, 3, 1)),
        ("19800229", date(1980, 2, 29), date(1980, 3, 1)),
        ("19801231120000", date(1980, 12, 31), date(1981, 1, 1)),
    ],
)
def test_dates_of_birth_and_parts_of_them(said: str, since: date, before: date) -> None:
    found = looked_for(f"@PID.7.1^{said}")
    assert (found.birth_since, found.birth_before) == (since, before)


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ("@PID.5.1.1^王~@PID.5.1.1^李", "bad_criterion"),
        ("@PID.5.1.1^王~@PID.18.1^A1", "unknown_criterion"),
        ("@PID.5.1.1^王~@PID.7^19800230", "bad_criterion"),
        ("@PID.11.3^广州", "too_broad"),
        ("@PID.8^M", "too_broad"),
        ("@PID.5.1.1^**", "too_broad"),
    ],
)
def test_what_would_find_more_people_than_were_asked_for_is_refused(criteria: str, code: str) -> None:
    with pytest.raises(FaultsError) as refused:
        looked_for(criteria)
    assert [fault.code for fault in refused.value.faults] == [code]
