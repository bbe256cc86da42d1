"""Airflow: four components on a PostgreSQL of ours, without questions and with preset users."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime import log, ports, process
from runtime.ask import FAILURES, RefusedError, ask
from runtime.failure import SetupError
from runtime.plan import UnhealthyError
from runtime.process import Command
from runtime.settings import CHECKOUT, Settings

USERS = {"admin": "admin", "ops": "op", "viewer": "viewer"}
"""Airflow's users and their roles; all with the generated `airflow_password`."""
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "airflow-api": ("api-server", "--workers", "1"),
    # Logs are read from the common folder; nothing needs to serve them.
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dags": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
_SPOKEN = {
    "airflow-api": "metadatabase",
    "airflow-scheduler": "scheduler",
    "airflow-dags": "dag_processor",
    "airflow-triggerer": "triggerer",
}
"""Component → its name in Airflow's own health report."""
_AUTH_MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
_OUR_TASKS = 3
"""Tasks at a time: a task is a process of some 200 MiB."""


def derive(key: str, purpose: str) -> bytes:
    """Return 32 bytes for a purpose, derived from the generated key."""
    return hmac.digest(bytes.fromhex(key), purpose.encode(), hashlib.sha256)


class Airflow:
    """One Airflow of ours."""

    def __init__(self, settings: Settings, folder: Path, dags: Path = CHECKOUT / "dags") -> None:
        """Keep where it lives; nothing is written yet."""
        self.settings = settings
        self.folder = folder
        self.dags = dags
        self.origin = f"http://{ports.LOOPBACK}:{settings.airflow_port}"
        self._token = ""

    def environment(self) -> dict[str, str]:
        """Return all of Airflow's configuration, as variables."""
        database = self.settings.airflow_database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        key = self.settings.airflow_key
        values = {
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": str(_OUR_TASKS),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
            "CORE__AUTH_MANAGER": _AUTH_MANAGER,
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.origin}/execution/",
            "CORE__FERNET_KEY": base64.urlsafe_b64encode(derive(key, "fernet")).decode(),
            "DATABASE__SQL_ALCHEMY_CONN": database,
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
            "DATABASE__SQL_ALCHEMY_POOL_SIZE": "3",
            "API__HOST": ports.LOOPBACK,
            "API__PORT": str(self.settings.airflow_port),
            "API__WORKERS": "1",
            "API__BASE_URL": self.origin,
            "API__SECRET_KEY": derive(key, "api secret").hex(),
            "API_AUTH__JWT_SECRET": derive(key, "jwt").hex(),
            # LocalExecutor tasks die when their token ends (600 s by default).
            "EXECUTION_API__JWT_EXPIRATION_TIME": "86400",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
            "LOGGING__LOGGING_LEVEL": "INFO",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {
            "AIRFLOW_HOME": str(self.folder),
            "HOME": str(self.folder),
            "PYTHONPATH": str(CHECKOUT),
            "SPT_NOENV": "1",  # leave the environment readable when the title is set
            **{f"AIRFLOW__{name}": value for name, value in values.items()},
        }

    @property
    def _passwords(self) -> Path:
        return self.folder / "passwords.json"

    def prepare(self) -> None:
        """Write the users' passwords, for the owner's eyes only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._passwords.touch(mode=0o600)
        self._passwords.write_text(json.dumps(dict.fromkeys(USERS, self.settings.airflow_password)))

    def command(self, component: str) -> Command:
        """Return how a component is started."""
        return Command(
            process.python("airflow", *COMPONENTS[component]), self.environment(), cwd=self.folder, grace=20.0
        )

    def migrate(self) -> None:
        """Bring the metadata to this version's schema, once a version. Raises `SetupError`."""
        self.prepare()
        stamp = self.folder / "migrated"
        where = urlsplit(self.settings.airflow_database_url)  # its port may move from start to start
        wanted = f"{version('apache-airflow')} on {where.hostname}{where.path}"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        path = log.path("airflow-schema")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("ab") as out:
            done = subprocess.run(
                process.python("airflow", "db", "migrate"),
                env=process.environment(self.environment()),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            )
        if done.returncode:
            raise SetupError("airflow db migrate failed", "read the log; ./yilian up tries again", path)
        stamp.write_text(wanted)

    def check(self, component: str) -> str:
        """Ask Airflow's health report for a component; for the DAG processor also that DAGs are parsed."""
        try:
            report = self._get("/api/v2/monitor/health")
            part = report[_SPOKEN[component]]
            if part["status"] != "healthy":
                raise UnhealthyError(f"Airflow reports its {_SPOKEN[component]} as {part['status']}")
            return self._parsed() if component == "airflow-dags" else _beat(part)
        except (*FAILURES, KeyError) as error:
            raise UnhealthyError(f"Airflow at {self.origin} does not answer: {error}") from error

    def _parsed(self) -> str:
        wrong = self._get("/api/v2/importErrors", self._sign_in())["import_errors"]
        if wrong:
            named = ", ".join(sorted({Path(e["filename"]).name for e in wrong}))
            raise UnhealthyError(f"DAG files that cannot be parsed: {named}")
        dags = self._get("/api/v2/dags", self._sign_in())["dags"]
        files = [p for p in self.dags.glob("*.py") if not p.name.startswith("_")]
        if files and not dags:
            raise UnhealthyError("no DAG is parsed yet")
        return f"{len(dags)} DAGs parsed: {', '.join(sorted(d['dag_id'] for d in dags))}"

    def _sign_in(self) -> str:
        if not self._token:
            body = {"username": "admin", "password": self.settings.airflow_password}
            self._token = self._get("/auth/token", body=body)["access_token"]
        return self._token

    def _get(self, path: str, token: str = "", body: Any = None) -> Any:
        try:
            return json.loads(ask(ports.LOOPBACK, self.settings.airflow_port, path, token=token, body=body))
        except RefusedError as error:
            if error.status == 401:
                self._token = ""  # ended: the next check signs in anew
            raise


def _beat(part: Mapping[str, Any]) -> str:
    for name, value in part.items():
        if name.startswith("latest_") and value:
            return f"last heartbeat {datetime.fromisoformat(value).astimezone():%H:%M:%S}"
    return f"Airflow {version('apache-airflow')}"
