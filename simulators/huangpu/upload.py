"""One upload of Huangpu: its content in the shape of the REST interface; SOAP says the same in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Interface = Literal["patient", "encounter", "order", "lab_report", "exam_report", "document", "charge"]
Face = Literal["soap", "rest"]


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload ready to send, and what must become of it."""

    at: datetime
    face: Face
    interface: Interface
    sender: str
    """发送系统."""
    control_id: str
    """消息编号."""
    patient: str
    """Patient number: an upload goes out after those before it of the same patient are acknowledged."""
    content: Mapping[str, Any]
    """Without the heading. Keys are the REST interface's, values Huangpu's own."""
    expect: str = "recorded"
    """`recorded`, `held:CODE`, `refused:CODE` or `duplicate`."""
    spoilt: bytes = b""
    """Sent in place of the content, byte for byte: what no honest client can be made to send."""
