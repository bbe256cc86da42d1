"""Every setting of the platform, in one place.

A setting comes, in this order of precedence, from the environment (`YILIAN_…`, nested names joined by two
underscores), from `settings.toml` (written by people) and from `generated.toml` (ports and passwords,
written once by `./yilian up`), both in the home folder.  An unknown or wrong one is refused by name.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from runtime import documents, gateway, mllp, notifications, schedules
from runtime.campuses import Campus, Roster
from runtime.pix import PixSettings
from runtime.pix import check as check_pix
from runtime.worker import WorkerSettings

CHECKOUT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Return the folder that holds all state: `$YILIAN_HOME`, or `.yilian` in the checkout."""
    return Path(os.environ.get("YILIAN_HOME") or CHECKOUT / ".yilian").absolute()


Port = Annotated[int, Field(ge=1, le=65535)]


class FilePlace(BaseModel):
    """Where files are exchanged, and how to sign in there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="a folder, as /srv/drop/ns, or sftp://user@host:22/folder")
    host_key: str = Field(
        default="", description="SFTP: the server's public key, as ssh-keyscan prints it; pinned"
    )
    password: str = Field(default="", repr=False, description="SFTP: password, unless key_file is given")
    key_file: Path | None = Field(default=None, description="SFTP: file of our private key")
    key_passphrase: str = Field(default="", repr=False, description="SFTP: opens key_file")


class Settings(BaseSettings):
    """The settings; each field's description says what it means."""

    model_config = SettingsConfigDict(
        env_prefix="YILIAN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    # Services. Empty means: find or install one, and run it.
    database_url: str = Field(
        default="", description="PostgreSQL of the platform, postgresql://user:password@host:port/db"
    )
    amqp_url: str = Field(default="", description="RabbitMQ, amqp://user:password@host:port/vhost")
    temporal_address: str = Field(default="", description="Temporal front end, host:port")
    temporal_namespace: str = "default"
    huiya_url: str = Field(default="", description="Huiya's own database with its open tables")
    airflow_database_url: str = Field(default="", description="PostgreSQL of Airflow's metadata")
    postgres_bin: Path | None = Field(default=None, description="folder of initdb and postgres, 15 or newer")
    rabbitmq_server: Path | None = Field(default=None, description="the script that starts RabbitMQ")
    video: Literal["on", "off"] = Field(
        default="on", description="whether LiveKit runs for teleconsultations; what else there is needs none"
    )
    livekit_url: str = Field(
        default="",
        pattern=r"^(wss?://.+)?$",
        description="LiveKit as browsers reach it, ws://host:port or wss://…",
    )
    livekit_api_url: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="the same LiveKit as this platform reaches it, http(s)://…; empty: as livekit_url",
    )
    livekit_bin: Path | None = Field(default=None, description="LiveKit's server program")
    livekit_key_name: str = Field(default="yilian", description="name of the API key that LiveKit knows")
    temporal_bin: Path | None = Field(default=None, description="the temporal program")

    # Listeners, all on loopback unless said otherwise.
    api_host: str = "127.0.0.1"
    api_port: Port = 8080
    public_url: str = Field(
        default="",
        description="address under which patients reach the API, https://…, for links in notifications;"
        " `links` in rules/notifications/policy.yaml must allow it. Empty: the API's own on loopback",
    )
    mllp_host: str = "127.0.0.1"
    mllp_port: Port = 2575
    pix_host: str = "127.0.0.1"
    pix_port: Port = 3600
    postgres_port: Port = 5432
    amqp_port: Port = 5672
    rabbitmq_ui_port: Port = 15672
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    airflow_port: Port = 8081
    rabbitmq_prometheus_port: Port = 15692
    rabbitmq_dist_port: Port = 25672
    epmd_port: Port = 4370
    livekit_port: Port = 7880
    livekit_media_port: Port = 7881

    reached_as: tuple[str, ...] = Field(
        default=(),
        description="further addresses by which others reach this platform, through a proxy or load balancer:"
        " https://bus.example, mllp://bus.example:2575; `rules lint` finds destinations that lead back",
    )

    # Secrets, generated at the first start.
    token_key: str = Field(default="", repr=False, description="signs the API's access tokens")
    routing_key: str = Field(
        default="", repr=False, description="keys the hash that stands for a patient number"
    )
    payload_key: str = Field(default="", repr=False, description="encrypts what Temporal stores")
    payload_keys_retired: tuple[str, ...] = Field(
        default=(), repr=False, description="earlier payload keys, kept to read what they encrypted"
    )
    livekit_key: str = Field(
        default="", repr=False, description="signs tokens for video rooms; LiveKit's own"
    )
    postgres_password: str = Field(default="", repr=False)
    amqp_password: str = Field(default="", repr=False)
    airflow_password: str = Field(default="", repr=False)
    airflow_key: str = Field(default="", repr=False, description="from it Airflow's own keys are derived")
    metrics_token: str = Field(
        default="", repr=False, description="bearer token with which a scraper reads /metrics"
    )
    sample_password: str = Field(default="", repr=False, description="password of every sample user")

    # The bus.
    queues: int = Field(default=8, ge=1, le=64, description="number of partitions (quorum queues)")
    body_limit: int = Field(default=32 * 1024 * 1024, ge=1024, description="largest message accepted, bytes")
    dedupe_days: int = Field(default=30, ge=1, description="how long a control id stays known")
    keep_body_days: int = Field(
        default=90, ge=0, description="days that the bytes of messages and answers are kept; 0: for ever"
    )
    keep_trace_days: int = Field(default=365, ge=0, description="days that traces are kept; 0: for ever")
    keep_index_days: int = Field(
        default=1095,
        ge=0,
        description="days that messages can be found and are known as duplicates; 0: for ever",
    )
    rules_dir: Path = Field(
        default=CHECKOUT / "rules",
        description="where a rule set is deployed from, and the first one comes from",
    )
    republish_seconds: PositiveFloat = Field(
        default=30.0,
        description="after how long the relay rings again for a message that is published and not done",
    )
    router_processes: int = Field(
        default_factory=lambda: min(os.cpu_count() or 1, 4),
        ge=1,
        le=16,
        description="router processes that share the queues; as many as there are CPUs, at most 4",
    )
    router_part: int = Field(
        default=0,
        ge=0,
        le=16,
        description="which of them this process is, from 1; 0: the only one, for all queues",
    )
    router_threads: int = Field(
        default=1,
        ge=1,
        le=16,
        description="threads of each router process, which share its queues; more where the database is far",
    )
    router_batch: int = Field(
        default=256, ge=1, le=4096, description="most doorbells answered in one transaction"
    )

    delivery_secrets: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="what rules/destinations/*.yaml name and do not say: passwords, tokens, signing secrets"
        " and URLs of databases, each by its name",
    )
    table_sources: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="URLs of campuses' databases with open tables, by the name that their file uses",
    )
    identity_sample: int = Field(
        default=200_000, ge=1000, description="source patients that a matching model is trained on, about"
    )
    # Alerts: thresholds above which one is raised; 0 turns it off.
    alert_queue_seconds: float = Field(default=120.0, ge=0, description="age of the oldest ready message")
    alert_error_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="share of a campus's messages of the last 10 minutes that are held or were refused",
    )
    alert_silence_minutes: float = Field(
        default=60.0, ge=0, description="how long a campus that has sent may be silent"
    )
    alert_silence: dict[str, float] = Field(
        default={}, description="the same for one campus: code to minutes, 0 for never"
    )
    alert_unmapped_codes: float = Field(
        default=5.0, ge=0, description="codes of a campus seen for the first time within a day, in no table"
    )
    alert_process_seconds: float = Field(default=30.0, ge=0, description="age of a process's sign of life")
    alert_processes: tuple[str, ...] = Field(
        default=("relay", "router", "mllp", "pix", "tables", "delivery", "api", "worker"),
        description="those that must live",
    )
    alert_gateway_minutes: float = Field(
        default=10.0, ge=0, description="how long a gateway may be silent, or its oldest message wait there"
    )
    alert_disk_free: float = Field(default=0.1, ge=0, le=1, description="least free share of the home's disk")
    alert_destination_seconds: float = Field(
        default=600.0, ge=0, description="age of the oldest delivery queued for a destination"
    )
    alert_stuck: float = Field(
        default=1.0,
        ge=0,
        description="parked and ambiguous deliveries of a destination: so many are too many",
    )
    alert_notifications: float = Field(
        default=1.0,
        ge=0,
        description="notifications of a channel that wait for a person: so many are too many",
    )
    alert_breakers: bool = Field(
        default=True, description="whether a destination whose breaker is open raises an alert"
    )
    alert_store_seconds: float = Field(
        default=30.0, ge=0, description="how long the documents' store may be away, or full"
    )
    alert_workflow_seconds: float = Field(
        default=10.0, ge=0, description="how long tasks of workflows wait in their queue for a worker"
    )
    alert_webhook: str = Field(default="", description="URL that alerts are posted to as JSON")
    alert_webhook_token: str = Field(default="", repr=False, description="bearer token for the webhook")
    alert_mail_to: tuple[str, ...] = Field(default=(), description="addresses that alerts are mailed to")
    alert_mail_from: str = "yilian@localhost"
    alert_mail_seconds: float = Field(
        default=60.0, ge=0, description="least pause between two letters; what comes meanwhile goes together"
    )
    smtp_url: str = Field(
        default="",
        repr=False,
        description="mail server: smtp://user@host:port (STARTTLS), or smtps:// (TLS at once)",
    )
    smtp_password: str = Field(default="", repr=False, description="of the user in smtp_url")
    smtp_ca: Path | None = Field(default=None, description="authority of the mail server's certificate")
    smtp_plain: bool = Field(
        default=False, description="whether a mail server that offers no STARTTLS may be used unencrypted"
    )
    alert_sms_to: tuple[str, ...] = Field(default=(), description="telephone numbers that alerts are sent to")
    alert_sms_seconds: float = Field(default=300.0, ge=0, description="least pause between two texts")
    sms_gateway: str = Field(
        default="",
        description="where texts are handed over: https://…, or file:///path to see them instead of sending",
    )
    sms_token: str = Field(default="", repr=False, description="bearer token for the SMS gateway")
    sms_shape: notifications.SmsShape = Field(
        default=notifications.SmsShape(),
        description="what the gateway wants and answers: see runtime/notifications.py",
    )
    sms_secret: str = Field(default="", repr=False, description="signs requests, where sms_shape says what")
    # Notifications of workflows; SMS and e-mail as above.
    notification_mail: notifications.MailHabits = Field(
        default=notifications.MailHabits(), description="e-mail: see runtime/notifications.py"
    )
    wechat: notifications.WeChatAccount = Field(
        default=notifications.WeChatAccount(), description="template messages: see runtime/notifications.py"
    )
    wechat_secret: str = Field(default="", repr=False, description="AppSecret of the official account")
    # Traces.
    otlp_endpoint: str = Field(
        default="",
        pattern=r"^(https?://.*)?$",
        description="OpenTelemetry collector that spans are exported to by OTLP over HTTP, as"
        " http://127.0.0.1:4318; empty: no traces",
    )
    trace_ratio: float = Field(default=0.1, ge=0, le=1, description="share of the messages that is traced")
    # Files.
    file_places: dict[str, FilePlace] = Field(
        default_factory=dict, description="by source (rules/campuses/*/files/<source>.yaml) or destination"
    )

    # Shared documents.
    documents_store: str = Field(
        default="",
        description="where the bytes of documents lie: a folder, or s3://bucket/prefix; empty: the folder"
        " documents in the home folder",
    )
    documents_store_options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="of an S3-compatible store: endpoint, region, access_key_id, secret_access_key, …",
    )
    documents_repository: str = Field(
        default="1.2.156.10011.99.0.1", description="repositoryUniqueId of our own repository, an OID"
    )
    documents_limit: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="largest submission of documents, and most that one answer carries, bytes",
    )
    documents_most: int = Field(
        default=1000,
        ge=1,
        description="whole objects of a kind in one answer of the registry; ten times as many references",
    )
    document_sources: tuple[documents.DocumentSource, ...] = Field(
        default=(), description="campuses' own repositories, whose documents stay there"
    )

    # Exports of records.
    export_folder: Path | None = Field(
        default=None,
        description="a folder of its own for exports (FHIR bulk data); empty: the folder exports in the home"
        " folder",
    )
    export_keep_hours: int = Field(
        default=24, ge=1, description="hours that the files of an export are kept after its end"
    )

    # Workflows.
    critical_value_minutes: tuple[PositiveFloat, PositiveFloat] = Field(
        default=(10.0, 10.0),
        description="minutes an unacknowledged critical value (危急值) waits with the ordering doctor before"
        " the ward or department is told, then with them before the duty officer of medical affairs is",
    )

    worker: WorkerSettings = Field(
        default=WorkerSettings(),
        description="how much a worker process does at a time: see runtime/worker.py",
    )
    workflow_schedules: tuple[schedules.WorkflowSchedule, ...] = Field(
        default=(), description="workflows that start by the clock: see runtime/schedules.py"
    )
    temporal_ui_origin: str = Field(
        default="",
        pattern=r"^(https?://[^/]+)?$",
        description="scheme, host and port at which people open the Temporal UI, as https://temporal.example;"
        " empty: our own on loopback. Pages of that origin alone may decode",
    )
    temporal_codec_per_minute: int = Field(
        default=6000, ge=1, description="payloads that one user may have decoded or encoded in a minute"
    )

    # The consortium.
    consortium_oid: str = "1.2.156.10011.99.0"
    mllp_endpoints: tuple[mllp.MllpEndpoint, ...] = Field(
        default=(), description="further MLLP listeners, with TLS or other habits: see runtime/mllp.py"
    )

    pix: PixSettings = Field(
        default=PixSettings(), description="identity endpoint (PIX, PDQ): see runtime/pix.py"
    )

    gateway_endpoint: gateway.GatewayEndpoint | None = Field(
        default=None, description="where gateways call; none: nobody does. See runtime/gateway.py"
    )
    gateways: tuple[gateway.Gateway, ...] = Field(
        default=(), description="the front machines, and whom each may speak for"
    )

    _roster: Roster = PrivateAttr()

    def model_post_init(self, _context: Any, /) -> None:
        """Let the campuses be those of the rules folder, until a process takes the deployed ones."""
        self._roster = Roster(self.rules_dir)

    @model_validator(mode="before")
    @classmethod
    def _campuses_are_files(cls, told: Any) -> Any:
        if isinstance(told, dict) and "campuses" in told:
            raise ValueError(
                "campuses: each is a file of the rules now, rules/campuses/<name>/campus.yaml with code,"
                " name, oid and charset: write it there, take campuses out here, and ./yilian rules deploy"
            )
        return told

    @field_validator("gateways")
    @classmethod
    def _gateways_go_together(
        cls, gateways: tuple[gateway.Gateway, ...], info: ValidationInfo
    ) -> tuple[gateway.Gateway, ...]:
        gateway.check(gateways, info.data.get("gateway_endpoint"))
        return gateways

    @field_validator("mllp_endpoints")
    @classmethod
    def _go_together(
        cls, endpoints: tuple[mllp.MllpEndpoint, ...], info: ValidationInfo
    ) -> tuple[mllp.MllpEndpoint, ...]:
        mllp.check(endpoints, info.data.get("mllp_port", 0))
        return endpoints

    @field_validator("workflow_schedules")
    @classmethod
    def _named_once(
        cls, told: tuple[schedules.WorkflowSchedule, ...]
    ) -> tuple[schedules.WorkflowSchedule, ...]:
        schedules.check(told)
        return told

    @field_validator("pix")
    @classmethod
    def _knows_whom(cls, told: PixSettings, info: ValidationInfo) -> PixSettings:
        check_pix(told, info.data.get("pix_host", ""))
        return told

    @property
    def roster(self) -> Roster:
        """What holds the campuses; a process that serves them lets it follow the deployed rules."""
        return self._roster

    @property
    def campuses(self) -> tuple[Campus, ...]:
        """The campuses as they are now: `rules/campuses/*/campus.yaml`. Raises PermanentError."""
        return self._roster.now

    @property
    def routers(self) -> tuple[str, ...]:
        """The names of the router processes, by their parts; there are no more than queues."""
        return tuple(router_name(part) for part in range(1, min(self.router_processes, self.queues) + 1))

    @model_validator(mode="after")
    def _kept_in_order(self) -> Self:
        """See that what is found is kept longest: a body without its index row would be nobody's."""
        bodies, traces, index = (
            days or sys.maxsize for days in (self.keep_body_days, self.keep_trace_days, self.keep_index_days)
        )
        if index < max(bodies, traces, self.dedupe_days):
            raise ValueError(
                "keep_index_days must be at least keep_body_days, keep_trace_days, dedupe_days (0: for ever)"
            )
        return self

    def campus(self, code: str) -> Campus | None:
        """Return the campus of that namespace code, or None."""
        return next((c for c in self.campuses if c.code == code), None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, settings.toml, generated.toml."""
        del dotenv_settings, file_secret_settings
        files = [home() / "settings.toml", home() / "generated.toml"]
        tomls = [TomlConfigSettingsSource(settings_cls, toml_file=f) for f in files]
        return (init_settings, env_settings, *tomls)


def router_name(part: int) -> str:
    """Return what the router process of that part is called: router, router-2, …"""
    return "router" if part <= 1 else f"router-{part}"


@lru_cache(maxsize=1)
def load() -> Settings:
    """Read the settings once for this process."""
    return Settings()
