"""`yilian gateway check`: tries what the gateway needs, one after the other, and changes nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from adapters.gateway.client import Client
from adapters.gateway.codec import VERSION, Batch, Status
from adapters.gateway.settings import GatewaySettings
from adapters.gateway.spool import FILE
from adapters.gateway.standing import standing
from adapters.gateway.trouble import LineError, told
from adapters.tls import TlsSettingError, days_left
from runtime.words import words

RENEW_WITHIN = 30
"""Days before a certificate's end from which it is no good sign."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    what: str
    good: bool
    text: str


async def check(settings: GatewaySettings) -> list[Finding]:
    """Try the spool, our certificate, and the line with the sign-in at its end."""
    findings = [_settings(settings), _spool(settings)]
    if settings.hub.certificate:
        findings.append(_certificate(settings))
    return [*findings, *await _line(settings)]


def _settings(settings: GatewaySettings) -> Finding:
    ways = [f"mllp {one.host}:{one.port}" for one in settings.mllp]
    if settings.http:
        ways.append(f"http {settings.http.host}:{settings.http.port}")
    ways += [f"files {name}" for name in settings.files]
    ways += [f"tables {name}" for name in settings.tables]
    return Finding(words("settings", "设置"), True, f"{settings.config} · {', '.join(ways)}")


def _spool(settings: GatewaySettings) -> Finding:
    what, folder = words("spool", "暂存库"), settings.spool.folder
    there = folder if folder.exists() else folder.parent
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            what, False, words(f"{there} cannot be written by this user", f"当前用户无法写入 {there}")
        )
    free, least = shutil.disk_usage(there).free // 1024**2, settings.spool.free_mib
    text = words(f"{folder}, {free} MiB free", f"{folder}，剩余 {free} MiB")
    if free <= least:
        short = words(
            f"; spool.free_mib is {least}: nothing is taken", f"；spool.free_mib 为 {least}：停止接收"
        )
        return Finding(what, False, text + short)
    return Finding(what, True, text)


def _certificate(settings: GatewaySettings) -> Finding:
    what = words("certificate", "证书")
    assert settings.hub.certificate is not None  # noqa: S101 - the caller asked
    try:
        days = days_left(settings.hub.certificate)
    except TlsSettingError as error:
        return Finding(what, False, str(error))
    text = (
        words(f"good for {days} more days", f"有效期剩余 {days} 天")
        if days >= 0
        else words("expired", "已过期")
    )
    return Finding(what, days >= RENEW_WITHIN, text)


async def _line(settings: GatewaySettings) -> list[Finding]:
    what = words("line", "线路")
    try:
        async with Client(settings) as client:
            answer = await client.send(_sign_of_life(settings))
    except TlsSettingError as error:
        return [Finding(what, False, str(error))]
    except LineError as error:
        return [Finding(what, False, told(error.trouble))]
    found = [Finding(what, True, words(f"{settings.hub.url} answers", f"{settings.hub.url} 已应答"))]
    missing = sorted(set(settings.campuses) - set(answer.campuses))
    allowed = ", ".join(answer.campuses)
    text = words(f"may speak for {allowed}", f"可代表 {allowed}")
    if missing:
        text += words(
            f"; not for {', '.join(missing)}: ask the hub's engineer",
            f"；无权代表 {', '.join(missing)}：请联系中心工程师",
        )
    return [*found, Finding(words("account", "身份"), not missing, text)]


def _sign_of_life(settings: GatewaySettings) -> Batch:
    """Return a batch without entries, which tells what is true of the spool where there is one."""
    if not (settings.spool.folder / FILE).exists():
        return Batch(settings.name, bytes(16), b"", [], Status(version=VERSION))
    found = standing(settings.spool.folder)
    status = Status(found.spooled, found.spooled_bytes, version=VERSION)
    return Batch(settings.name, bytes.fromhex(found.spool), b"", [], status)
