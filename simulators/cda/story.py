"""What a document tells of: a patient, a visit, and what happened in it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from simulators.clinic import DEPARTMENTS, Department, Named
from simulators.clock import LOCAL
from simulators.people import Registration, person

OID = {"HP": "1.2.156.10011.99.2"}
"""The domain of a campus's patient numbers; visits and its dictionary are the arcs 1 and 9 below."""


@dataclass(frozen=True, slots=True)
class Story:
    """One visit of one patient at Huangpu."""

    patient: Registration
    department: Department
    doctor: Named
    diagnosis: Named
    visit: str
    inpatient: bool
    start: datetime
    end: datetime
    rng: random.Random

    @property
    def oid(self) -> str:
        """The campus's identifier domain."""
        return OID["HP"]


def story(seed: int, today: date, place: int, *, inpatient: bool) -> Story:
    """Return the `place`-th story of a day; the same arguments give the same story."""
    rng = random.Random(f"{seed}/{today}/cda/{place}")
    who = person(seed, 9_001 + place, today).at("HP")
    department = rng.choice(DEPARTMENTS)
    start = datetime(today.year, today.month, today.day, 8, tzinfo=LOCAL) + timedelta(minutes=17 * place)
    stay = timedelta(days=4, hours=3) if inpatient else timedelta(minutes=50)
    return Story(
        patient=who,
        department=department,
        doctor=rng.choice(department.doctors),
        diagnosis=rng.choice(department.diagnoses),
        visit=f"HCV{today:%y%m%d}{place:03d}",
        inpatient=inpatient,
        start=start - stay if inpatient else start,
        end=start if inpatient else start + stay,
        rng=rng,
    )
