"""Makes the workflows' search attributes known to a Temporal namespace."""

from __future__ import annotations

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows import attributes

PATIENCE = timedelta(seconds=5)


async def register(client: Client) -> None:
    """Register those of `workflows.attributes`; what is known already is left alone."""
    for key in attributes.ALL:
        request = AddSearchAttributesRequest(namespace=client.namespace)
        request.search_attributes[key.name] = IndexedValueType.ValueType(key.indexed_value_type)
        try:
            await client.operator_service.add_search_attributes(request, timeout=PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
