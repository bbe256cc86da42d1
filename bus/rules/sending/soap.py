"""A destination that offers a SOAP service."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from bus.rules.sending.base import SecretName
from bus.rules.sending.http import HttpDestination, SignIn
from bus.rules.sending.shape import Object, Path
from bus.rules.spec import Closed


class UsernameToken(Closed):
    """WS-Security UsernameToken Profile 1.1."""

    user: str = Field(min_length=1)
    secret: SecretName = Field(description="name of the password in the setting delivery_secrets")
    digest: bool = Field(
        default=True, description="the password's digest with nonce and time; false: the password as text"
    )


class SoapAnswer(Closed):
    """A service that always answers, and says inside whether it took the message."""

    code: Path = Field(description="path of the result code, below the answer's element")
    inside: Path | None = Field(
        default=None, description="path of a text that is XML itself: then `code` is a path in that"
    )
    taken: tuple[str, ...] = Field(min_length=1, description="codes that mean it has the message")
    later: tuple[str, ...] = Field(default=(), description="codes that mean: try again; others mean never")


class SoapDestination(HttpDestination):
    """A SOAP operation, by a WSDL that is kept beside this file and never fetched."""

    kind: Literal["soap"]
    address: str = Field(
        description="URL of the service, https:// unless plain_http is true; that of the WSDL is not used"
    )
    wsdl: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")] = Field(
        description="file in rules/destinations/<name>/, beside SHA256SUMS and the schemas that it includes"
    )
    operation: str = Field(min_length=1)
    service: str | None = Field(default=None, description="by default the WSDL's first")
    port: str | None = Field(
        default=None, description="by default the service's first; its binding says SOAP 1.1 or 1.2"
    )
    arguments: Object | None = Field(
        default=None,
        description="the operation's element, as a shape; absent: the message is XML and is that element",
    )
    answer: SoapAnswer | None = Field(default=None, description="absent: whatever is no fault is taken")
    security: UsernameToken | None = Field(default=None, description="WS-Security; absent: none")
    sign_in: SignIn | None = Field(default=None, description="of HTTP; absent: none")

    @model_validator(mode="after")
    def _password_in_the_clear(self) -> Self:
        in_the_clear = self.plain_http and self.address.startswith("http:")
        if in_the_clear and self.security and not self.security.digest:
            raise ValueError("security.digest: false sends the password as text; write https://")
        return self
