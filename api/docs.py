"""The interactive documentation and the landing page; every byte of them comes from this server."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from api.failures import not_found

PAGES = Path(__file__).parent / "pages"
SWAGGER = Path(fastapi_offline.__file__).parent / "static"
"""Swagger UI 5 as the package carries it."""
ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets styles in the page; scripts come from here only."""
_LANDING_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)

router = APIRouter(include_in_schema=False)


@router.get("/")
def landing() -> Response:
    """Say what this is and where to go."""
    return FileResponse(PAGES / "landing.html", headers={"Content-Security-Policy": _LANDING_CSP})


@router.get("/docs")
def documentation() -> Response:
    """Show Swagger UI over `/openapi.json`."""
    return FileResponse(PAGES / "documentation.html", headers={"Content-Security-Policy": CSP})


@router.get("/docs/assets/start.js")
def start() -> Response:
    """Start Swagger UI; a file of its own, because the page runs no inline script."""
    return FileResponse(PAGES / "start.js", media_type="text/javascript")


@router.get("/temporal")
def temporal() -> Response:
    """Show where one signs in for the Temporal UI."""
    return FileResponse(PAGES / "temporal.html", headers={"Content-Security-Policy": CSP})


@router.get("/temporal/sign-in.js")
def temporal_sign_in() -> Response:
    """Sign in: a file of its own, because the page runs no inline script."""
    return FileResponse(PAGES / "temporal.js", media_type="text/javascript")


@router.get("/docs/assets/{name}")
def asset(request: Request, name: str) -> Response:
    """Return one of Swagger UI's files."""
    del request
    if name not in ASSETS:
        raise not_found("file")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(SWAGGER / name, media_type=ASSETS[name], headers=headers)
