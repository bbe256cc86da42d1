"""Plays a day of Huangpu against the platform's SOAP and REST faces."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from runtime.settings import Settings
from simulators.delivery import Delivery
from simulators.huangpu.account import Account
from simulators.huangpu.day import day
from simulators.huangpu.rest_client import RestClient
from simulators.huangpu.sender import send_day
from simulators.huangpu.soap_client import SoapClient
from simulators.plan import Plan


def play(settings: Settings, plan: Plan, told: Callable[[Delivery], None]) -> list[Delivery]:
    """Send the day, one upload after the other; raises SimulatorError."""
    account = Account(f"http://{settings.api_host}:{settings.api_port}", settings.sample_password)
    with closing(SoapClient(account)) as soap, closing(RestClient(account)) as rest:
        return send_day(day(plan.seed, plan.day, plan.scale), {"soap": soap, "rest": rest}, account, told)
