"""What the platform consists of: every service, what it waits for, how it is asked, where it is found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pika.exceptions
import psycopg
from psycopg import sql
from sqlalchemy import create_engine

from runtime import log, ports, process
from runtime.failure import SetupError
from runtime.generated import DATABASES
from runtime.plan import Job, Plan, Service, UnhealthyError
from runtime.process import Command
from runtime.refusals import set_by_people
from runtime.services import livekit, livekit_run, own, postgres, rabbitmq, temporal
from runtime.services.airflow import COMPONENTS, Airflow
from runtime.settings import CHECKOUT, Settings, home


def platform(settings: Settings) -> Plan:
    """Return everything that runs under these (complete) settings."""
    people = set_by_people()
    jobs = [
        Job("databases", _databases(settings, "database_url" in people), ("postgres",)),
        Job("schema", _schema, ("databases",)),
        Job("sample-users", lambda: _sample_users(settings), ("schema",)),
    ]
    services = [_postgres(settings, "database_url" in people)]
    services += _rabbitmq(settings, "amqp_url" in people)
    services.append(_temporal(settings, "temporal_address" in people))
    airflow = Airflow(settings, home() / "airflow")
    jobs.append(Job("airflow-schema", airflow.migrate, ("databases",)))
    services += [_airflow(airflow, name) for name in COMPONENTS]
    services += _own(settings)
    if settings.video == "on":
        services.append(_livekit(settings, "livekit_url" in people))
    return Plan(tuple(services), tuple(jobs))


def postgres_server(settings: Settings) -> postgres.Server:
    """Return our own PostgreSQL."""
    folder = home() / "postgres"
    return postgres.Server(folder, settings.postgres_port, settings.postgres_password, settings.postgres_bin)


def rabbitmq_server(settings: Settings) -> rabbitmq.Server:
    """Return our own broker."""
    return rabbitmq.Server(
        folder=home() / "rabbitmq",
        port=settings.amqp_port,
        ui_port=settings.rabbitmq_ui_port,
        prometheus_port=settings.rabbitmq_prometheus_port,
        distribution_port=settings.rabbitmq_dist_port,
        epmd_port=settings.epmd_port,
        password=settings.amqp_password,
        script=settings.rabbitmq_server,
    )


def place(url: str) -> str:
    """Return a URL without its user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{parts.port}").geturl()


def _postgres(settings: Settings, theirs: bool) -> Service:
    server = postgres_server(settings)
    # Before the databases exist only the superuser can ask; somebody else's server has no such user.
    url = settings.database_url if theirs else server.url()

    def check() -> str:
        try:
            return postgres.query(url, urlsplit(settings.database_url).path.lstrip("/"))
        except psycopg.Error as error:
            raise UnhealthyError(
                f"PostgreSQL at {place(url)} does not answer: {_first_line(error)}"
            ) from error

    if theirs:
        return Service("postgres", check, url=place(url))
    make = lambda: server.create(_log("postgres"))  # noqa: E731 - binds the server
    return Service("postgres", check, server.command, prepare=make, url=place(settings.database_url))


def _rabbitmq(settings: Settings, theirs: bool) -> list[Service]:
    server = rabbitmq_server(settings)

    def check() -> str:
        try:
            told = rabbitmq.publish_and_get(settings.amqp_url)
        except (pika.exceptions.AMQPError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise UnhealthyError(f"RabbitMQ at {place(settings.amqp_url)}: {reason}") from error
        if not theirs and not rabbitmq.management_answers(settings.rabbitmq_ui_port):
            raise UnhealthyError("RabbitMQ's management interface does not answer")
        return told

    def check_epmd() -> str:
        own.check_tcp(ports.LOOPBACK, settings.epmd_port)
        return "Erlang's port mapper, used by RabbitMQ"

    url = place(settings.amqp_url)
    if theirs:
        return [Service("rabbitmq", check, url=url)]
    return [
        Service("epmd", check_epmd, server.epmd_command, prepare=server.create),
        Service("rabbitmq", check, server.command, ("epmd",), prepare=server.create, url=url),
    ]


def _temporal(settings: Settings, theirs: bool) -> Service:
    def start() -> Command:
        return temporal.command(settings, home() / "temporal")

    return Service(
        "temporal",
        lambda: temporal.check(settings),
        None if theirs else start,
        url=settings.temporal_address if theirs else f"http://{ports.LOOPBACK}:{settings.temporal_ui_port}",
        interval=15.0,
    )


def _livekit(settings: Settings, theirs: bool) -> Service:
    address = settings.livekit_api_url or livekit.api_url(settings.livekit_url)

    def check() -> str:
        try:
            return livekit.check(address, settings.livekit_key_name, settings.livekit_key)
        except UnhealthyError as error:
            if not theirs and (standing := livekit_run.standing()):
                raise UnhealthyError(standing) from error
            raise

    def start() -> Command:
        argv = process.python("runtime.services.livekit_run")
        return Command(argv, {"PYTHONPATH": str(CHECKOUT)}, cwd=CHECKOUT, grace=livekit.GRACE)

    return Service(
        "livekit",
        check,
        None if theirs else start,
        url=settings.livekit_url,
        interval=15.0,
        patience=3600.0,  # it may have to be built
        optional=True,
    )


def _airflow(airflow: Airflow, name: str) -> Service:
    # They need the API only to be asked and to run tasks, so all four start side by side.
    return Service(
        name,
        lambda: airflow.check(name),
        lambda: airflow.command(name),
        ("airflow-schema",),
        prepare=airflow.prepare,
        url=airflow.origin if name == "airflow-api" else "",
        interval=10.0,
        patience=180.0,
    )


def _own(settings: Settings) -> list[Service]:
    beats = own.Heartbeats(settings.database_url)

    def ask(name: str) -> Callable[[], str]:
        def check() -> str:
            if name == "mllp":
                own.check_tcp(settings.mllp_host, settings.mllp_port)
                for endpoint in settings.mllp_endpoints:
                    own.check_tcp(endpoint.host, endpoint.port)
            if name == "pix":
                own.check_tcp(settings.pix_host, settings.pix_port)
            if name == "gateway" and settings.gateway_endpoint is not None:
                own.check_tcp(settings.gateway_endpoint.host, settings.gateway_endpoint.port)
            return beats.check(name)

        return check

    def check_api() -> str:
        return own.check_api(settings.api_host, settings.api_port)

    urls = {
        "mllp": f"{settings.mllp_host}:{settings.mllp_port}",
        "pix": f"{settings.pix_host}:{settings.pix_port}",
        "api": f"http://{settings.api_host}:{settings.api_port}",
    }
    if settings.gateway_endpoint is not None:
        urls["gateway"] = f"https://{settings.gateway_endpoint.host}:{settings.gateway_endpoint.port}"
    return [
        Service(
            one.name,
            check_api if one.name == "api" else ask(one.name),
            one.command,
            one.requires,
            prepare=lambda name=one.name: beats.forget(name),  # type: ignore[misc] # the default binds this turn's name
            url=urls.get(one.name, ""),
        )
        for one in own.processes(settings)
        if one.landed and _wanted(one.name, settings)
    ]


def _wanted(name: str, settings: Settings) -> bool:
    """Return whether a process has work under these settings: without it, it would idle for nothing."""
    if name == "gateway":
        return settings.gateway_endpoint is not None
    return name != "files" or _takes_files(settings)


def _takes_files(settings: Settings) -> bool:
    """Return whether a source of files may have a place: the deployed rules, which are not known before the
    database is, may describe one for every place that is no destination's.
    """
    from bus.rules.destinations import destination_files

    destinations = {path.stem for path in destination_files(settings.rules_dir)}
    return not destinations.issuperset(settings.file_places)


def _databases(settings: Settings, theirs: bool) -> Callable[[], None]:
    def make() -> None:
        for name, database in DATABASES.items():
            url = str(getattr(settings, name))
            if theirs:
                _ensure_beside(settings.database_url, url)
            elif name not in set_by_people():
                postgres_server(settings).ensure_database(database, urlsplit(url).password or "")

    return make


def _ensure_beside(admin_url: str, url: str) -> None:
    """Create a database on somebody else's server unless it is there."""
    name = urlsplit(url).path.lstrip("/")
    try:
        with psycopg.connect(admin_url, autocommit=True, connect_timeout=5) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise SetupError(
            f"the database {name} is missing at {place(url)} and could not be made: {_first_line(error)}",
            "create it, or give the role of database_url the right CREATEDB",
        ) from error


def _schema() -> None:
    path = _log("schema")
    with path.open("ab") as out:
        done = subprocess.run(
            process.python("alembic", "upgrade", "head"),
            cwd=CHECKOUT,
            env=process.environment({"PYTHONPATH": str(CHECKOUT)}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=False,
        )
    if done.returncode:
        raise SetupError(
            "the database schema could not be brought to the newest version", "read the log", path
        )


def _sample_users(settings: Settings) -> None:
    from consortium.access.seed import seed_sample_users

    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        seed_sample_users(connection, settings.sample_password)
    engine.dispose()


def _log(name: str) -> Path:
    path = log.path(name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return path


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def endpoints(settings: Settings) -> dict[str, str]:
    """Return where everything is found. `postgres` and `amqp` hold passwords: not for a screen."""
    api = f"http://{settings.api_host}:{settings.api_port}"
    mllp = f"{settings.mllp_host}:{settings.mllp_port}"
    return {
        "api": api,
        "docs": f"{api}/docs",
        "openapi": f"{api}/openapi.json",
        "fhir": f"{api}/fhir",
        "mllp": mllp,
        **{
            f"mllp_{endpoint.name}": f"{endpoint.host}:{endpoint.port}"
            for endpoint in settings.mllp_endpoints
        },
        "pix": f"{settings.pix_host}:{settings.pix_port}",
        "soap_wsdl": f"{api}/soap/patient?wsdl",
        "pixv3": f"{api}/pix/v3",
        "pdqv3": f"{api}/pdq/v3",
        "rest": f"{api}/api/v1/upload",
        "xds_registry": f"{api}/xds/registry",
        "xds_repository": f"{api}/xds/repository",
        "web": f"{api}/",
        "temporal": settings.temporal_address,
        "temporal_ui": f"http://{ports.LOOPBACK}:{settings.temporal_ui_port}",
        "airflow_ui": f"http://{ports.LOOPBACK}:{settings.airflow_port}",
        "rabbitmq_ui": f"http://{ports.LOOPBACK}:{settings.rabbitmq_ui_port}",
        "postgres": settings.database_url,
        "amqp": settings.amqp_url,
        "livekit": settings.livekit_url,
        "video": f"{api}/video",
    }
