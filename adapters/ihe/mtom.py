"""MTOM/XOP (SOAP MTOM 1.0, XOP 1.0): documents beside the envelope, or inline as base64."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from lxml import etree

from adapters.ihe.faults import Fault, FaultError
from adapters.ihe.multipart import MultipartError, Part, parameters, parse, render

SOAP_TYPE = "application/soap+xml"
XOP_TYPE = "application/xop+xml"
MULTIPART = "multipart/related"
XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
PARTS_LIMIT = 1000
"""Most parts of one message."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A message as it came over HTTP."""

    envelope: bytes
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """By Content-ID."""
    mtom: bool = False
    """Whether it came as multipart: the answer does too then."""
    action: str | None = None
    """The `action` parameter of Content-Type."""


def unpack(body: bytes, content_type: str) -> Packed:
    """Take a message apart by its Content-Type. Raises FaultError."""
    kind, found = parameters(content_type)
    if kind == SOAP_TYPE:
        return Packed(body, action=found.get("action"))
    if kind != MULTIPART:
        raise FaultError(_content_type())
    try:
        parts = parse(body, found.get("boundary", ""), PARTS_LIMIT)
    except MultipartError as error:
        chinese = "multipart/related 格式错误"
        raise FaultError(Fault("multipart", chinese, f"not multipart/related: {error}")) from error
    return _opened(parts, found)


def _opened(parts: list[Part], found: Mapping[str, str]) -> Packed:
    start = found.get("start", "").strip().removeprefix("<").removesuffix(">")
    root = next((part for part in parts if part.content_id == start), None) if start else None
    root = root or next(iter(parts), None)
    if root is None:
        raise FaultError(Fault("multipart", "multipart/related 没有部分", "multipart/related without a part"))
    kind, inner = parameters(root.headers.get("content-type", found.get("type", "")))
    if kind not in (XOP_TYPE, SOAP_TYPE):
        raise FaultError(_content_type())
    for part in parts:
        _refuse_encoded(part)
    attachments = {part.content_id: part.content for part in parts if part is not root and part.content_id}
    if len(attachments) != len(parts) - 1:
        english = "each attachment needs a Content-ID of its own"
        raise FaultError(Fault("multipart", "每个附件须有唯一的 Content-ID", english))
    return Packed(root.content, attachments, mtom=True, action=found.get("action") or inner.get("action"))


def _refuse_encoded(part: Part) -> None:
    """XOP takes octets as they are; over HTTP nobody needs base64 or quoted-printable."""
    encoding = part.headers.get("content-transfer-encoding", "binary").lower()
    if encoding not in ("binary", "8bit", "7bit"):
        english = "Content-Transfer-Encoding of a part must be binary"
        raise FaultError(Fault("multipart", "附件的 Content-Transfer-Encoding 应为 binary", english))


def _content_type() -> Fault:
    chinese = "Content-Type 应为 application/soap+xml, 或 multipart/related (application/xop+xml)"
    english = "Content-Type must be application/soap+xml, or multipart/related with application/xop+xml"
    return Fault("content_type", chinese, english, status=415)


def content_of(element: etree._Element, attachments: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a base64Binary element, given inline or by xop:Include. Raises FaultError."""
    include = element.find(INCLUDE)
    if include is None:
        try:
            return base64.b64decode("".join((element.text or "").split()), validate=True)
        except (binascii.Error, ValueError) as error:
            name = etree.QName(element).localname
            reason = Fault("base64", f"{name} 的内容不是 base64", f"the content of {name} is not base64")
            raise FaultError(reason) from error
    href = include.get("href", "")
    content_id = href.removeprefix("cid:")
    for name in (content_id, unquote(content_id)):  # clients differ in whether they encode it
        if href.startswith("cid:") and name in attachments:
            return attachments[name]
    raise FaultError(
        Fault("xop", "xop:Include 所指附件不存在", "xop:Include names an attachment that is not there")
    )


class Parts:
    """What goes out with an envelope: by MTOM as attachments, otherwise inline."""

    def __init__(self, mtom: bool) -> None:
        self.mtom = mtom
        self._parts: list[Part] = []

    def put(self, element: etree._Element, content: bytes, mime_type: str) -> None:
        """Make `content` the content of a base64Binary element."""
        if not self.mtom:
            element.text = base64.b64encode(content).decode("ascii")
            return
        content_id = f"{uuid.uuid4()}@yilian"
        etree.SubElement(element, INCLUDE, nsmap={"xop": XOP}).set(
            "href", f"cid:{quote(content_id, safe='@')}"
        )
        headers = {
            "Content-Type": _header_safe(mime_type),
            "Content-Transfer-Encoding": "binary",
            "Content-ID": f"<{content_id}>",
        }
        self._parts.append(Part(headers, content))

    def pack(self, envelope: bytes, action: str) -> tuple[bytes, str]:
        """Return body and Content-Type."""
        if not self.mtom:
            return envelope, f'{SOAP_TYPE}; charset=UTF-8; action="{action}"'
        boundary, start = f"uuid-{uuid.uuid4()}", f"{uuid.uuid4()}@yilian"
        root = Part(
            {
                "Content-Type": f'{XOP_TYPE}; charset=UTF-8; type="{SOAP_TYPE}"',
                "Content-Transfer-Encoding": "binary",
                "Content-ID": f"<{start}>",
            },
            envelope,
        )
        content_type = (
            f'{MULTIPART}; type="{XOP_TYPE}"; boundary="{boundary}"; start="<{start}>";'
            f' start-info="{SOAP_TYPE}"; action="{action}"'
        )
        return render([root, *self._parts], boundary), content_type


def _header_safe(mime_type: str) -> str:
    """A MIME type is text from outside: none that could end the header goes into one."""
    sound = mime_type.isascii() and mime_type.isprintable()
    return mime_type if sound and mime_type else "application/octet-stream"
