"""The v3 patient feed (ITI-44), and a campus's program that speaks SOAP 1.2."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from fastapi import FastAPI

from adapters.ihe.faults import SOAP
from api.database import engine
from api.edge import Edge
from api.pixpdq import routes
from api.platform import Platform
from consortium.access.seed import seed_sample_users
from tests import hl7v3_messages as v3
from tests.contract.adapters.harness import Answer, Patient, Running
from tests.integration.api.conftest import PASSWORD, settings_for
from tests.serving import served

AUTH = ("system.huangpu", PASSWORD)
ADD = "PRPA_IN201301UV02"


class _Program:
    """A HIS that gives each registration an id of its own."""

    def __init__(self, url: str, parts: Platform) -> None:
        self._url = url
        self._parts = parts

    def send(self, patient: Patient, charset: str) -> Answer:
        """Patient Registry Record Added."""
        person = v3.person(patient.name, f'<telecom value="tel:{patient.phone}"/>')
        return self._post(patient.id, person, charset)

    def send_bad(self) -> Answer:
        """A date of birth that is none."""
        return self._post("BAD", v3.person(more='<birthTime value="1990"/>'), "utf-8")

    def detail(self) -> dict[str, int]:
        """As the process shows it."""
        return self._parts.ihe_counts.detail()

    def _post(self, number: str, person: str, charset: str) -> Answer:
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, number))
        message = v3.registration(ADD, v3.ii(v3.HP, number), person, id_=id_)
        text = f'<?xml version="1.0" encoding="{charset}"?>' + v3.envelope(message).decode()
        response = httpx.post(
            f"{self._url}/pix/v3",
            content=text.encode(charset),
            headers={"Content-Type": f"application/soap+xml; charset={charset}"},
            auth=AUTH,
            timeout=60,
            trust_env=False,
        )
        return _said(v3.payload(response.content))


def _said(payload: v3.Element) -> Answer:
    if payload.tag == f"{{{SOAP}}}Fault":
        code = payload.findtext(f"{{{SOAP}}}Code/{{{SOAP}}}Value") or ""
        return Answer(code, payload.findtext(f"{{{SOAP}}}Reason/{{{SOAP}}}Text") or "")
    # the message list has a refusal under its protocol and the code that was answered
    reason = " ".join(f"v3_{code.lower()} {place}" for code, place in v3.details(payload))
    target = payload.find("v:acknowledgement/v:targetMessage/v:id", v3.V3)
    return Answer(v3.codes(payload)[0] or "", reason, "" if target is None else target.get("root", ""))


class IheHarness:
    """`adapters.ihe`."""

    name_path = "Body/*/controlActProcess/subject/registrationEvent/subject1/patient/patientPerson/name"
    bad_code = "v3_syn102"

    def __init__(self) -> None:
        self._seeded = False

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Serve the PIX manager by uvicorn, with the sample users."""
        settings = settings_for(database_url)
        parts = Platform(settings, engine(settings))
        if not self._seeded:
            with parts.engine.begin() as connection:
                seed_sample_users(connection, PASSWORD)
            self._seeded = True
        app = FastAPI()
        routes.mount(app, parts)
        app.add_middleware(Edge)
        try:
            with served(app) as origin:
                yield _Program(f"http://{origin}", parts)
        finally:
            parts.engine.dispose()
