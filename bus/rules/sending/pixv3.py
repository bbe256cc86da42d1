"""A destination that is a Patient Identifier Cross-reference Consumer of HL7 v3 (IHE PIXV3)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from bus.rules.sending.http import HttpDestination, SignIn
from bus.rules.sending.notices import PixNotices


class PixV3Destination(HttpDestination):
    """PRPA_IN201302UV02 by SOAP 1.2 when the numbers that are one person change (ITI-46); nothing else."""

    kind: Literal["pixv3"]
    device: Annotated[str, StringConstraints(pattern=r"^[0-2](\.(0|[1-9]\d*))+$")] = Field(
        description="object identifier of the receiving device (receiver/device/id)"
    )
    pix: PixNotices = Field(description="what it is told of")
    sign_in: SignIn | None = Field(default=None, description="of HTTP; absent: none")

    @model_validator(mode="after")
    def _links_alone(self) -> Self:
        if self.pix.document_registry:
            raise ValueError("pix.document_registry: ITI-64 is HL7 v2: write a destination of kind mllp")
        return self
