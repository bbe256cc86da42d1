"""What the agent on the front machine is told: one TOML file, and the environment before it.

A setting comes from the environment (`YILIAN_GATEWAY_…`, nested names joined by two underscores), then from
the file (`--config`, `YILIAN_GATEWAY_CONFIG`, or /etc/yilian-gateway/gateway.toml). A wrong one is refused by
name.
"""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from adapters.gateway.spool import Bounds
from bus.hl7.charset import codec_for
from bus.hl7.problem import HL7Error
from consortium.errors import PermanentError
from runtime.gateway import Name
from runtime.mllp import Closed, MllpEndpoint, loopback
from runtime.settings import FilePlace, Port

CONFIG = "YILIAN_GATEWAY_CONFIG"
USUAL = Path("/etc/yilian-gateway/gateway.toml")
_MIB = 1024 * 1024


def _https(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("write the hub's origin, as https://hub.example.org:8443")
    return f"https://{parts.netloc}"


def _charset(name: str) -> str:
    try:
        return codec_for(name)
    except HL7Error as error:
        raise ValueError(str(error)) from error


class HubAddress(Closed):
    """The hub, and how we prove who we are."""

    url: Annotated[str, AfterValidator(_https)] = Field(description="https://host:port")
    ca: Path = Field(description="PEM: who issues the hub's certificate; no other authority is trusted")
    certificate: Path | None = Field(default=None, description="PEM: our certificate, then its issuers")
    key: Path | None = Field(default=None, description="PEM: the certificate's private key, not encrypted")
    account: str = Field(default="", description="system account, where the hub asks for one")
    password: str = Field(default="", repr=False, description="better in YILIAN_GATEWAY_HUB__PASSWORD")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("hub.certificate and hub.key belong together: give both, or neither")
        if bool(self.account) != bool(self.password):
            raise ValueError("hub.account and hub.password belong together: give both, or neither")
        if not self.certificate and not self.account:
            raise ValueError("hub: give certificate and key, or account and password, or all of them")
        return self


class SpoolSettings(Closed):
    """Where messages lie until the hub has them, and how much may."""

    folder: Path = Path("/var/lib/yilian-gateway")
    most_mib: PositiveInt = Field(default=20 * 1024, description="of messages that the hub has not confirmed")
    free_mib: int = Field(default=512, ge=0, description="what is left free on the disk")
    dedupe_days: PositiveInt = Field(
        default=30, description="how long a control id stays known; as at the hub"
    )
    keep_hours: PositiveFloat = Field(
        default=24.0, description="how long confirmed messages stay while there is room"
    )

    @property
    def bounds(self) -> Bounds:
        """The same for the spool."""
        return Bounds(
            self.most_mib * _MIB,
            self.free_mib * _MIB,
            timedelta(days=self.dedupe_days),
            timedelta(hours=self.keep_hours),
        )


class LineSettings(Closed):
    """How the line is used."""

    batch_messages: int = Field(default=500, ge=1, le=10_000, description="most messages in one request")
    batch_kib: int = Field(default=2048, ge=1, le=16 * 1024, description="about how large a request may be")
    beat_seconds: float = Field(default=15.0, gt=0, le=60, description="a sign of life when nothing comes")
    connect_seconds: PositiveFloat = 10.0
    answer_seconds: PositiveFloat = Field(default=60.0, description="after that the line counts as dead")
    first_wait: PositiveFloat = Field(default=1.0, description="seconds before the first try after a failure")
    longest_wait: PositiveFloat = Field(default=60.0, description="before the next ones, doubling, at most")


class HttpDoor(Closed):
    """The SOAP and REST uploads on this machine."""

    host: str = "127.0.0.1"
    port: Port
    certificate: Path | None = None
    key: Path | None = None
    plain_text: bool = Field(default=False, description="it may listen beyond loopback without a certificate")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("http.certificate and http.key belong together: give both, or neither")
        if not self.certificate and not self.plain_text and not loopback(self.host):
            raise ValueError(
                f"http.host {self.host} is not loopback and there is no certificate: patient data would cross"
                " the campus's network in clear; give certificate and key, or plain_text = true"
            )
        return self


class Account(Closed):
    """Who may upload here by SOAP and REST."""

    user: str = Field(min_length=1)
    campus: str
    password_hash: str = Field(
        repr=False, description="as `yilian gateway password` prints it", pattern=r"^\$argon2id\$"
    )


class FileSource(FilePlace):
    """Files that this machine polls."""

    description: Path = Field(description="the source's file, as rules/campuses/<name>/files/<source>.yaml")


class TableSource(Closed):
    """Open tables that this machine polls."""

    description: Path = Field(description="the tables' file, as rules/campuses/<campus>/tables/<name>.yaml")
    url: str = Field(repr=False, description="mysql://user:password@host/database; a user that may only read")


class GatewaySettings(BaseSettings):
    """The whole."""

    model_config = SettingsConfigDict(
        env_prefix="YILIAN_GATEWAY_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    config: Path = Field(default=USUAL, description="where the rest was read from")
    name: Name = Field(description="as in the hub's setting gateways")
    hub: HubAddress
    campuses: dict[str, Annotated[str, AfterValidator(_charset)]] = Field(
        min_length=1, description="code, as in MSH-4, to the charset used when MSH-18 is empty (table 0211)"
    )
    spool: SpoolSettings = SpoolSettings()
    line: LineSettings = LineSettings()
    body_limit: int = Field(default=32 * _MIB, ge=1024, description="largest message, bytes; as at the hub")
    mllp: tuple[MllpEndpoint, ...] = Field(default=(), description="MLLP listeners: see runtime/mllp.py")
    http: HttpDoor | None = None
    accounts: tuple[Account, ...] = ()
    files: dict[str, FileSource] = Field(default={}, description="sources of files, by name")
    tables: dict[str, TableSource] = Field(default={}, description="databases with open tables, by name")

    @model_validator(mode="after")
    def _together(self) -> Self:
        self._listeners()
        if not self.mllp and self.http is None and not self.files and not self.tables:
            raise ValueError("nothing can come in: give mllp, http, files or tables")
        for account in self.accounts:
            if account.campus not in self.campuses:
                raise ValueError(
                    f"accounts: {account.user} uploads for {account.campus}, which is no campus here"
                )
        if self.http is not None and not self.accounts:
            raise ValueError("http: nobody may upload; give accounts")
        return self

    def _listeners(self) -> None:
        names = [one.name for one in self.mllp]
        ports = [one.port for one in self.mllp] + ([self.http.port] if self.http else [])
        if len(set(names)) < len(names) or len(set(ports)) < len(ports):
            raise ValueError("mllp: each listener needs a name and a port of its own")
        for one in self.mllp:
            if one.sequence:
                raise ValueError(f"mllp: {one.name} has sequence, which is kept at the hub alone")
            for sender in one.senders:
                if unknown := set(sender.campuses) - set(self.campuses):
                    listed = ", ".join(sorted(unknown))
                    raise ValueError(f"mllp: {one.name} names {listed}, which is no campus here")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, then the file's content, which `load` gives."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


def load(path: Path | None = None) -> GatewaySettings:
    """Read the settings. Raises PermanentError naming the file and what is wrong in it."""
    path = path or Path(os.environ.get(CONFIG) or USUAL)
    try:
        told: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PermanentError(f"{path} is no TOML: {error}") from error
    try:
        return GatewaySettings(**told | {"config": path})
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, one['loc'])) or 'settings'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise PermanentError(f"{path}: {'; '.join(wrong)}") from error
