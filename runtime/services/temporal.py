"""Temporal: the development server with its state in a file, and its web interface."""

from __future__ import annotations

import asyncio
import shutil
import sys
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    PollWorkflowTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from runtime import ports
from runtime.failure import SetupError
from runtime.plan import UnhealthyError
from runtime.process import Command
from runtime.settings import Settings

HEALTH_QUEUE = "yilian-health"
_POLL = timedelta(seconds=3)


def locate(program: Path | None = None) -> Path:
    """Return the `temporal` program: the given one, or that on PATH or beside Python. Raises `SetupError`."""
    beside = Path(sys.executable).parent / "temporal"
    found = program or shutil.which("temporal") or (beside if beside.exists() else None)
    if found is None or not Path(found).exists():
        raise SetupError(
            f"no temporal program{f' at temporal_bin = {program}' if program else ''}",
            "put temporal on PATH, name it in temporal_bin, or name a running server in temporal_address",
        )
    return Path(found)


def command(settings: Settings, folder: Path) -> Command:
    """Return how the server is started."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "--db-filename": str(folder / "temporal.db"),
        "--ip": ports.LOOPBACK,
        "--port": str(settings.temporal_port),
        "--ui-port": str(settings.temporal_ui_port),
        "--namespace": settings.temporal_namespace,
        "--log-level": "warn",
        "--ui-codec-endpoint": codec_endpoint(settings),
    }
    words = [word for option in options.items() for word in option]
    argv = (str(locate(settings.temporal_bin)), "server", "start-dev", *words)
    # The program keeps its own settings under HOME: not the person's. GOGC: less memory when idle.
    return Command(argv, {"HOME": str(folder), "GOGC": "50"}, cwd=folder)


def codec_endpoint(settings: Settings) -> str:
    """Return where the UI has payloads decoded, for people who signed in at the API's page `/temporal`."""
    api = f"http://{settings.api_host}:{settings.api_port}"
    return f"{api}/api/v1/temporal/codec/{settings.temporal_namespace}"


def check(settings: Settings) -> str:
    """Ask for the server's version and namespace, and poll a workflow task queue. Raises `UnhealthyError`."""
    try:
        return asyncio.run(_ask(settings))
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise UnhealthyError(f"Temporal at {settings.temporal_address} does not answer: {error}") from error


async def _ask(settings: Settings) -> str:
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    service = client.workflow_service
    limit = timedelta(seconds=5)
    about = await service.get_system_info(GetSystemInfoRequest(), timeout=limit)
    namespace = settings.temporal_namespace
    await service.describe_namespace(DescribeNamespaceRequest(namespace=namespace), timeout=limit)
    queue = TaskQueue(name=HEALTH_QUEUE, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)
    request = PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue, identity="health")
    try:
        await service.poll_workflow_task_queue(request, timeout=_POLL)
    except RPCError as error:
        # The queue is empty by design: an ended wait is the good answer, any other error is not.
        if error.status not in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
            raise
    return f"Temporal server {about.server_version}, namespace {namespace}"
