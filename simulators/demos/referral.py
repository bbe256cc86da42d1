"""A two-way referral from Huangpu to the main campus and back, over the API, step by step.

Everything is as in operation: visits reach the records over the bus, each step is taken by whoever may take
it, and the arrival is noted by itself when the receiving hospital's ADT message comes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from runtime.settings import Settings
from simulators.demos.narration import Narration
from simulators.demos.office import Office
from simulators.demos.referral_case import Case
from simulators.demos.referral_down import down
from simulators.demos.referral_up import up
from simulators.demos.referred import Hospitals


def play(settings: Settings, seed: int, write: Callable[[str], None]) -> dict[str, str]:
    """Play it for the patient of that seed; returns the workflow ids, by direction.

    Raises SimulatorError, with what is not as promised.
    """
    now = datetime.now(UTC)
    narration = Narration(write)
    api = f"http://{settings.api_host}:{settings.api_port}"
    hospitals = Hospitals(settings, seed, now)
    with Office(api, settings.sample_password, f"demo-{seed}-{now:%Y%m%dT%H%M%S}") as office:
        first = up(Case(office, narration), hospitals, settings)
        second = down(Case(office, narration), hospitals, first)
        ended = {"up": first, "down": second}
        for direction, case in ended.items():
            case.timeline(direction)
        for case in ended.values():
            case.closed_in_temporal()
    return {direction: case.workflow for direction, case in ended.items()}
