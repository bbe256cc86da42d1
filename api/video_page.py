"""The plain page of a video room: every byte of it comes from this server."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from starlette.responses import FileResponse, HTMLResponse, Response

from api.docs import PAGES
from api.failures import not_found
from api.platform import Platform, platform
from runtime.services import room_script

FOLDER = PAGES / "video"
ASSETS = {"room.js": "text/javascript", "words.js": "text/javascript", "room.css": "text/css"}
SCRIPT = "livekit-client.js"
"""LiveKit's own, put into the home folder when video is set up; the page names its digest."""
PERMISSIONS = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), geolocation=()"

router = APIRouter(include_in_schema=False)
Parts = Annotated[Platform, Depends(platform)]


def policy(video_url: str) -> str:
    """Return the page's content security policy: our own scripts, and a line to the video server alone."""
    parts = urlsplit(video_url)
    secure = {"ws": "http", "wss": "https"}.get(parts.scheme, "")
    ways = f" {parts.scheme}://{parts.netloc} {secure}://{parts.netloc}" if secure else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob:;"
        f" connect-src 'self'{ways}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


@router.get("/video")
def page(parts: Parts) -> Response:
    """Show the room; which one stands behind `#`, which no server sees."""
    content = (FOLDER / "room.html").read_text(encoding="utf-8")
    headers = {
        "Content-Security-Policy": policy(parts.video.url if parts.video else ""),
        "Permissions-Policy": PERMISSIONS,
    }
    return HTMLResponse(content.replace("{integrity}", room_script.SCRIPT_INTEGRITY), headers=headers)


@router.get("/video/assets/{name}")
def asset(name: str) -> Response:
    """Return one of the page's files."""
    if name == SCRIPT and room_script.path().exists():
        headers = {"Cache-Control": "public, max-age=86400"}
        return FileResponse(room_script.path(), media_type="text/javascript", headers=headers)
    if name not in ASSETS:
        raise not_found("file")
    return FileResponse(FOLDER / name, media_type=ASSETS[name], headers={"Cache-Control": "no-cache"})
