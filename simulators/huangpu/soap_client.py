"""Huangpu's SOAP client: zeep on the platform's own WSDL."""

from __future__ import annotations

from typing import Any

import requests
from lxml import etree
from zeep import Client, Settings, Transport
from zeep.exceptions import Fault

from bus.sources.xml_parser import parse_xml
from simulators.delivery import Answer
from simulators.huangpu.account import Account
from simulators.huangpu.chinese import UPLOADS, in_chinese
from simulators.huangpu.upload import Upload

ERROR_CODE = "{urn:yilian:upload:v1}代码"
SECONDS = 60


class SoapClient:
    """Sends uploads by SOAP 1.1, one after the other."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._session = requests.Session()
        self._session.auth = self._sign
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def send(self, upload: Upload) -> Answer:
        """Send one upload; raises requests.RequestException when the platform is out of reach."""
        if upload.spoilt:
            return self._send_spoilt(upload)
        heading = {
            "消息编号": upload.control_id,
            "发送系统": upload.sender,
            "机构代码": "HP",
            "时间": upload.at,
        }
        content = in_chinese(upload.content, UPLOADS[upload.interface])
        try:
            answer = self._operation(upload.interface)(消息头=heading, **content)
        except Fault as fault:
            return Answer(False, _code(fault.detail), str(fault.message))
        return Answer(answer.结果代码 == "AA", str(answer.结果代码), str(answer.结果说明))

    def _operation(self, interface: str) -> Any:
        client = self._clients.get(interface)
        if client is None:
            client = self._clients[interface] = self._connect(interface)
        (name,) = client.service._operations  # noqa: SLF001 - zeep has no other way to ask for the one operation
        return client.service[name]

    def _connect(self, interface: str) -> Any:
        transport: Any = Transport
        client: Any = Client  # zeep is half typed
        return client(
            f"{self._address(interface)}?wsdl",
            transport=transport(session=self._session, timeout=SECONDS, operation_timeout=SECONDS),
            settings=Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True),
        )

    def _send_spoilt(self, upload: Upload) -> Answer:
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        address = self._address(upload.interface)
        answer = self._session.post(address, data=upload.spoilt, headers=headers, timeout=SECONDS)
        envelope = parse_xml(answer.content)
        return Answer(answer.ok, _code(envelope), (envelope.findtext(".//faultstring") or "").strip())

    def _address(self, interface: str) -> str:
        return f"{self._account.api}/soap/{interface}"

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._account.token()}"
        return request


def _code(element: etree._Element | None) -> str:
    found = None if element is None else element.find(f".//{ERROR_CODE}")
    return (found.text if found is not None else None) or "fault"
