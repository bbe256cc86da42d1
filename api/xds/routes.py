"""The addresses of XDS.b, mounted at /xds."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette

from adapters.ihe.server import Limits
from api import ihe
from api.ihe import Transaction
from api.platform import Platform
from api.xds import registry, repository

ADDRESSES: dict[str, Sequence[Transaction]] = {
    "/registry": registry.TRANSACTIONS,
    "/repository": repository.TRANSACTIONS,
}
"""What is served where."""


def create_app(parts: Platform) -> Starlette:
    """Return the application that serves them."""
    limits = Limits(parts.settings.documents_limit)
    return Starlette(routes=[ihe.route(parts, path, served, limits) for path, served in ADDRESSES.items()])
