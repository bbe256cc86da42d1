"""Settings of shared documents that stay at their campus."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat


class DocumentSource(BaseModel):
    """A campus's own XDS repository: its documents are registered here and fetched there (ITI-43)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str = Field(
        pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", description="its repositoryUniqueId, an OID"
    )
    name: str = Field(description="what people call it, as 惠亚院区")
    url: str = Field(pattern=r"^https?://", description="where it answers ITI-43")
    user: str = Field(default="", description="for HTTP Basic; empty: no sign-in")
    password: str = Field(default="", repr=False)
    timeout_seconds: PositiveFloat = Field(
        default=10.0, description="after which an answer is given without its documents"
    )
    pause_seconds: float = Field(
        default=30.0, ge=0, description="how long it is not asked again after it did not answer"
    )
