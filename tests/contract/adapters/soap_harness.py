"""The SOAP uploads, and a campus's SOAP client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from lxml import etree

from adapters.counted import Counted
from adapters.soap.server import create_app
from adapters.uploads import UploadSettings
from bus.inbox import Inbox
from tests.contract.adapters.harness import Answer, Patient, Running
from tests.integration.adapters.serving import authenticate, serving
from tests.integration.adapters.soap.test_bad_input import SOAP, envelope

SETTINGS = UploadSettings(frozenset({"HP"}), body_limit=1024 * 1024)
AUTH = ("system.huangpu", "right")
UPLOAD = "{urn:yilian:upload:v1}"


class _Client:
    """A client of the patient interface."""

    def __init__(self, url: str, inbox: Counted) -> None:
        self._url = url
        self._inbox = inbox

    def send(self, patient: Patient, charset: str) -> Answer:
        """UploadPatient."""
        content = f"<姓名>{patient.name}</姓名><电话>{patient.phone}</电话>"
        prolog = f'<?xml version="1.0" encoding="{charset}"?>'
        return self._post(envelope(patient.id, content, prolog=prolog).encode(charset), charset)

    def send_bad(self) -> Answer:
        """An element that the schema does not know."""
        return self._post(envelope("BAD", "<血型>O</血型>").encode(), "utf-8")

    def detail(self) -> dict[str, int]:
        """As the process shows it."""
        return self._inbox.detail()

    def _post(self, body: bytes, charset: str) -> Answer:
        headers = {"Content-Type": f"text/xml; charset={charset}"}
        response = httpx.post(
            f"{self._url}/soap/patient", content=body, headers=headers, auth=AUTH, timeout=60, trust_env=False
        )
        root = etree.fromstring(response.content)
        fault = root.find(f".//{{{SOAP}}}Fault")
        if fault is not None:
            code = fault.findtext(f".//{UPLOAD}代码") or ""
            return Answer(fault.findtext("faultcode") or "", f"{code} {fault.findtext('faultstring')}")
        said = {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter(f"{UPLOAD}*")}
        return Answer(said["结果代码"], same=f"{said['消息编号']} {said['平台编号']}")


class SoapHarness:
    """`adapters.soap`."""

    name_path = "Body/*/患者信息/姓名"
    bad_code = "schema"

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Serve by uvicorn."""
        made: list[Counted] = []

        def application(inbox: Inbox) -> object:
            made.append(Counted(inbox))
            return create_app(made[0], SETTINGS, authenticate)

        with serving(database_url, application, "/soap") as url:  # type: ignore[arg-type] # an ASGI application
            yield _Client(url, made[0])
