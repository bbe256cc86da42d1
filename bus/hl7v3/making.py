"""Making v3 elements, and the wrapper of every answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from bus.fhir.shapes import LOCAL
from bus.hl7v3.elements import Element, Id, Problem
from bus.hl7v3.heading import Heading
from bus.hl7v3.names import INTERACTIONS, NAMESPACE, XSI, tag

_PLAIN: dict[Any, str] = {None: NAMESPACE}
"""The namespace without a prefix, which lxml's types do not know."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers what, and when."""

    to: Heading
    device: str
    """Object identifier of this platform."""
    message_id: str
    """UUID of the answer."""
    at: datetime


def make(name: str, *children: Element, text: str | None = None, **attributes: str | None) -> Element:
    """Make an element; attributes that are None are left out."""
    element = etree.Element(tag(name), nsmap=_PLAIN)
    for key, value in attributes.items():
        if value is not None:
            element.set(key, value)
    element.text = text
    element.extend(children)
    return element


def id_(one: Id, name: str = "id") -> Element:
    """Make an II."""
    return make(name, root=one.root, extension=one.extension, assigningAuthorityName=one.authority)


def time(at: datetime) -> str:
    """Return a TS with seconds and zone."""
    return at.astimezone(LOCAL).strftime("%Y%m%d%H%M%S%z")


def integer(name: str, value: int) -> Element:
    """Make an element whose value is an INT."""
    element = make(name, value=str(value))
    element.set(f"{{{XSI}}}type", "INT")
    return element


def message(interaction: str, answering: Answering, *content: Element, asks: bool = False) -> Element:
    """Make an answer: the wrapper, then its content. `asks`: what is no answer itself wants one."""
    to = answering.to
    root = etree.Element(tag(interaction), nsmap=_PLAIN | {"xsi": XSI}, ITSVersion="XML_1.0")
    root.extend(
        [
            make("id", root=answering.message_id),
            make("creationTime", value=time(answering.at)),
            make("interactionId", root=INTERACTIONS, extension=interaction),
            make("processingCode", code=to.processing),
            make("processingModeCode", code="T"),
            make("acceptAckCode", code="AL" if asks else "NE"),
            make("receiver", _device(to.sender), typeCode="RCV"),
            make("sender", _device(to.receiver or Id(answering.device)), typeCode="SND"),
            *content,
        ]
    )
    return root


def _device(one: Id) -> Element:
    return make("device", id_(one), classCode="DEV", determinerCode="INSTANCE")


def acknowledgement(type_: str, to: Heading, problems: Sequence[Problem] = ()) -> Element:
    """Make the acknowledgement: AA, AE; CA, CE where only acceptance is told."""
    details = [
        make(
            "acknowledgementDetail",
            make("code", code=one.code),
            make("text", text=one.text),
            make("location", text=one.location),
            typeCode="E",
        )
        for one in problems
    ]
    return make("acknowledgement", make("typeCode", code=type_), make("targetMessage", id_(to.id)), *details)


def control_act(trigger: str, *content: Element) -> Element:
    """Make the control act of an answer."""
    code = make("code", code=trigger, codeSystem=INTERACTIONS)
    return make("controlActProcess", code, *content, classCode="CACT", moodCode="EVN")
