"""The way into running workflows for those who serve people: the API and the dispatcher."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from activities.codec import data_converter
from consortium.errors import ConflictError, RetryableError
from runtime.settings import Settings
from workflows.critical_value.model import Acknowledge, Acknowledged, workflow_id

PATIENCE = timedelta(seconds=10)
"""How long a caller waits for a workflow's answer."""
CONNECTING = timedelta(seconds=5)

_clients: dict[tuple[str, str, str], Client] = {}


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Return this process's client; it reconnects by itself. `runtime`: that of the SDK, where not its usual.

    Raises `RetryableError` while Temporal is out of reach.
    """
    address = settings.temporal_address or f"127.0.0.1:{settings.temporal_port}"
    key = (address, settings.temporal_namespace, settings.payload_key)
    if key not in _clients:
        converter = data_converter(
            settings.payload_key, settings.payload_keys_retired, settings.temporal_namespace
        )
        try:
            _clients[key] = await Client.connect(
                address,
                namespace=settings.temporal_namespace,
                data_converter=converter,
                connect_timeout=CONNECTING,
                runtime=runtime,
            )
        except RuntimeError as error:  # all that the SDK says of a failed connection
            raise RetryableError(f"Temporal at {address} is out of reach; try again") from error
    return _clients[key]


async def acknowledge_critical_value(
    settings: Settings, critical_value_id: UUID, user: str, note: str, idempotency_key: str
) -> Acknowledged:
    """Record that `user` takes note of a critical value, and return what was recorded once it is committed.

    The same `idempotency_key` again gives the first result, also after the workflow ended.

    Raises `ConflictError` (HTTP 409) when it is closed, acknowledged by another or has no workflow yet, and
    `RetryableError` (HTTP 503) when Temporal or its worker does not answer.
    """
    client = await connect(settings)
    handle = client.get_workflow_handle(workflow_id(critical_value_id))
    try:
        return await _update(handle, Acknowledge(user=user, note=note), idempotency_key)
    except WorkflowUpdateFailedError as failed:
        cause = failed.cause
        reason = cause.message if isinstance(cause, ApplicationError) else "the workflow refused it"
        raise ConflictError(f"critical value {critical_value_id}: {reason}") from failed
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as late:
        raise RetryableError(
            f"critical value {critical_value_id}: no answer within {PATIENCE.seconds} s;"
            " send it again with the same key"
        ) from late
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise ConflictError(
                f"critical value {critical_value_id}: not open (closed, or not started yet)"
            ) from error
        raise RetryableError(f"Temporal did not answer: {error.status.name}") from error


async def _update(handle: WorkflowHandle[object, object], acknowledge: Acknowledge, key: str) -> Acknowledged:
    try:
        answer = await handle.execute_update(
            "acknowledge", acknowledge, id=key, result_type=Acknowledged, rpc_timeout=PATIENCE
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        # A closed workflow takes no update but still knows the results of those it took.
        answer = await handle.get_update_handle(key, result_type=Acknowledged).result(rpc_timeout=PATIENCE)
    assert isinstance(answer, Acknowledged)  # noqa: S101 - result_type says so; narrows Any
    return answer
