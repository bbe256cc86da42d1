"""The patient of a demonstration, made from a seed, and what both hospitals record of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import psycopg

from adapters.mllp.client import Client
from runtime.settings import Settings
from simulators import id_card, names, reckoning
from simulators.catalogue import exams, panels
from simulators.clinic import DEPARTMENTS, Named
from simulators.clock import LOCAL
from simulators.delivery import Delivery, SimulatorError
from simulators.demos.office import awaited
from simulators.huangpu import chart as huangpu
from simulators.huangpu.account import Account
from simulators.huangpu.rest_client import RestClient
from simulators.huangpu.sender import send_day as upload
from simulators.huangpu.soap_client import SoapClient
from simulators.main_campus import chart as main_campus
from simulators.main_campus.message import HIS, LIS, Message
from simulators.main_campus.segments import Visit
from simulators.main_campus.sender import send_day
from simulators.people import Campus, Person

CARDIOLOGY = DEPARTMENTS[0]
DISEASE = Named("I25.101", "冠状动脉粥样硬化性心脏病")
NOTE = Named("MZBL", "门诊病历")


@dataclass(frozen=True, slots=True)
class Sent:
    """Messages that a campus sent and the bus recorded."""

    count: int
    numbers: tuple[int, ...]
    """Of the messages in the bus."""


def patient(seed: int) -> Person:
    """Return the person of that seed; the same seed is the same person, card and numbers included."""
    rng = random.Random(f"referral/{seed}")
    sex = rng.choice(("male", "female"))
    born = date(1945, 1, 1) + timedelta(days=rng.randrange(10_000))
    card = id_card.make(rng.choice(id_card.AREAS), born, rng.randrange(500) * 2 + (sex == "male"))
    return Person(
        name=names.ordinary(rng, sex),
        sex="male" if sex == "male" else "female",
        birth_date=born,
        id_card=card,
        phone=f"1380000{rng.randrange(10_000):04d}",
        address=f"广东省广州市黄埔区科学城开泰大道{rng.randrange(1, 900)}号",
        numbers={"MAIN": f"R{seed}", "HP": f"HPR{seed}"},
    )


class Hospitals:
    """The two campuses' systems, sending of this patient."""

    def __init__(self, settings: Settings, seed: int, now: datetime) -> None:
        """Number what is sent by `now`, the time at which this demonstration began."""
        self.patient = patient(seed)
        self._settings = settings
        self._rng = random.Random(f"referral/{seed}/{now}")
        doctor = self._rng.choice(CARDIOLOGY.doctors)
        local = now.astimezone(LOCAL)
        name = f"R{local:%H%M%S}"
        self._huangpu = huangpu.Chart(
            name, self.patient.at("HP"), CARDIOLOGY, doctor, local - timedelta(hours=3), self._rng
        )
        self._main = main_campus.Chart(name, self.patient.at("MAIN"), local, self._rng)
        self._admitted: Visit | None = None
        self._told: Counter[Campus] = Counter()

    def seen_at_huangpu(self) -> tuple[str, Sent]:
        """An outpatient visit with a laboratory report, an ECG and a note; returns its number."""
        chart = self._huangpu
        visit, start = chart.number("HV"), chart.now
        chart.register()
        chart.wait(1, 2)
        chart.encounter(visit, "outpatient", start)
        for panel in (panels()["cardiac"], panels()["lipids"]):
            chart.wait(5, 10)
            chart.lab_report(visit, chart.order(visit, panel), panel)
        chart.wait(5, 10)
        chart.exam_report(visit, chart.order(visit, exams()["ecg"]), exams()["ecg"])
        chart.wait(2, 5)
        chart.document(visit, NOTE, f"诊断：{DISEASE.name}。活动后胸痛3周，拟转上级医院行冠脉介入。")
        chart.wait(2, 5)
        chart.encounter(visit, "outpatient", start, chart.now, DISEASE)
        return visit, self._uploaded()

    def admitted_at_main(self) -> tuple[str, Sent]:
        """HIS admits the patient now (ADT^A01); returns the inpatient number."""
        chart = self._main
        chart.now = datetime.now(LOCAL)
        self._admitted = chart.visit("inpatient", CARDIOLOGY, "03-12")
        chart.adt("A01", self._admitted, DISEASE)
        return self._admitted.number, self._sent()

    def treated_at_main(self) -> Sent:
        """LIS reports what was measured during the stay, and HIS discharges (ADT^A03)."""
        chart = self._main
        if self._admitted is None:
            raise SimulatorError("nobody was admitted at the main campus: admit the patient first")
        panel = panels()["cardiac"]
        chart.now = datetime.now(LOCAL)
        chart.lab_report(self._admitted, chart.order(HIS, self._admitted, panel), panel)
        chart.adt("A03", self._admitted.ended(chart.now), DISEASE)
        return self._sent()

    def admitted_at_huangpu(self) -> tuple[str, Sent]:
        """The patient is back: Huangpu's HIS uploads the inpatient visit; returns its number."""
        chart = self._huangpu
        chart.now = datetime.now(LOCAL)
        visit = chart.number("HZ")
        chart.encounter(visit, "inpatient", chart.now)
        return visit, self._uploaded()

    def _uploaded(self) -> Sent:
        settings, waiting = self._settings, self._huangpu.uploads[self._told["HP"] :]
        self._told["HP"] += len(waiting)
        account = Account(f"http://{settings.api_host}:{settings.api_port}", settings.sample_password)
        with closing(SoapClient(account)) as soap, closing(RestClient(account)) as rest:
            deliveries = upload(waiting, {"soap": soap, "rest": rest}, account, _nothing)
        return self._recorded("HP", deliveries)

    def _sent(self) -> Sent:
        waiting = self._main.messages[self._told["MAIN"] :]
        self._told["MAIN"] += len(waiting)
        return self._recorded("MAIN", asyncio.run(self._spoken(waiting)))

    async def _spoken(self, messages: Sequence[Message]) -> list[Delivery]:
        """Send over a connection for HIS and one for LIS."""
        host, port = self._settings.mllp_host, self._settings.mllp_port
        async with Client(host, port) as his, Client(host, port) as lis:
            return await send_day(messages, {HIS.code: his, LIS.code: lis}, _nothing)

    def _recorded(self, campus: Campus, deliveries: Sequence[Delivery]) -> Sent:
        """Wait until the bus has recorded them. Raises SimulatorError for what it refused or holds."""
        for delivery in deliveries:
            if not delivery.answer.accepted:
                raise SimulatorError(
                    f"{campus} {delivery.control_id} was refused:"
                    f" {delivery.answer.code} {delivery.answer.text}"
                )
        wanted = [(delivery.sender, delivery.control_id) for delivery in deliveries]
        with psycopg.connect(self._settings.database_url, autocommit=True) as bus:

            def all_of_them() -> Sent | None:
                found = reckoning.fate(bus, campus, wanted)
                if found.held:
                    raise SimulatorError(
                        f"{campus}: held: {', '.join(found.held)};"
                        f" see ./yilian messages list --state held --facility {campus}"
                    )
                if found.recorded < len(wanted):
                    return None
                return Sent(len(wanted), reckoning.numbers(bus, campus, wanted))

            return awaited(all_of_them, lambda: f"{campus}'s messages recorded; see ./yilian logs router")


def _nothing(_delivery: Delivery) -> None:
    """Nobody listens to single answers."""
