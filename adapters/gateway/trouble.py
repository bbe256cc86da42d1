"""What may be wrong with the line, told from what was raised or answered, in words for people."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

import httpx
import msgspec

from adapters.gateway.codec import Denial
from runtime.words import words


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why nothing goes over the line."""

    code: str
    detail: str = ""
    """What was seen: an address, a reason; no patient data."""
    expected: int = 0
    """For `gap`: the number that the hub wants."""


class LineError(Exception):
    """Nothing was confirmed; what was sent is sent again."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.code)
        self.trouble = trouble


SENTENCES = {
    "up": ("the line is up", "线路正常"),
    "starting": ("not connected yet", "尚未连接"),
    "stopped": ("the gateway does not run", "网关未运行"),
    "unreachable": (
        "the hub cannot be reached: messages are spooled; see the network and hub.url",
        "无法连接中心：消息暂存于本机；请检查网络与 hub.url",
    ),
    "no_answer": (
        "the hub does not answer in time: messages are spooled; see the network",
        "中心未按时应答：消息暂存于本机；请检查网络",
    ),
    "hub_untrusted": (
        "the hub's certificate was not issued by hub.ca: this may be another server; nothing was sent."
        " Compare with the certificate that the hub's engineer gives you",
        "中心的证书不是由 hub.ca 签发：对端可能不是中心，未发送任何数据。请与中心工程师核对证书",
    ),
    "hub_expired": (
        "the hub's certificate has expired: tell the hub's engineer; see this machine's clock, too",
        "中心的证书已过期：请通知中心工程师，并检查本机时钟",
    ),
    "hub_name": (
        "the hub's certificate is for another name than hub.url has: correct hub.url",
        "中心证书的名称与 hub.url 不符：请更正 hub.url",
    ),
    "certificate_refused": (
        "the hub refuses our certificate: there is none, it has expired, or another authority issued it."
        " Renew hub.certificate, or tell the hub's engineer who issued it",
        "中心拒绝本网关的证书：缺失、过期或签发机构不符。请更换 hub.certificate，或告知中心工程师签发机构",
    ),
    "no_tls": (
        "the hub does not speak TLS there: correct the port in hub.url",
        "该端口未提供 TLS：请更正 hub.url 中的端口",
    ),
    "unauthenticated": (
        "the hub does not know this gateway: name, certificate and account must be as in its setting"
        " gateways",
        "中心不认识本网关：名称、证书与账户须与中心的 gateways 设置一致",
    ),
    "wrong_campus": (
        "messages here are of a campus that this gateway may not speak for: the hub's engineer adds it to"
        " the setting gateways; until then everything stays here",
        "暂存的消息属于本网关无权代表的院区：请中心工程师在 gateways 中加入该院区，在此之前消息保留本机",
    ),
    "gap": (
        "the hub has lost messages that it had confirmed, as after a restored backup, and they are no longer"
        " here: `yilian gateway renew` sends all that is left; the campus's systems send the rest again",
        "中心丢失了已确认的消息（如恢复备份之后），本机也已不再保留："
        "执行 `yilian gateway renew` 重发现存消息，其余由院区系统重发",
    ),
    "too_large": (
        "a message is larger than the hub takes: body_limit here must be that of the hub",
        "消息超过中心上限：本机 body_limit 须与中心一致",
    ),
    "unavailable": (
        "the hub cannot store at present: messages are spooled and tried again",
        "中心暂时无法存储：消息暂存于本机并将重试",
    ),
    "disk": (
        "this machine's spool cannot be written: make room on its disk",
        "本机暂存库无法写入：请清理磁盘空间",
    ),
}
"""By code, in English and Chinese: what it is, and what to do."""
OTHER = (
    "the hub answered what this version does not understand: bring both to one version",
    "中心的应答无法识别：请将双方升级到同一版本",
)


def told(trouble: Trouble) -> str:
    """Return the sentence in the person's language."""
    sentence = words(*SENTENCES.get(trouble.code, OTHER))
    return f"{sentence} ({trouble.detail})" if trouble.detail else sentence


def of_failure(error: httpx.TransportError | OSError, url: str) -> Trouble:
    """Tell what a request that got no answer failed by."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause)
        if isinstance(cause, ssl.SSLError):
            return _tls(cause, url)
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return Trouble("unreachable", f"{url}: {cause.strerror or 'the name is not known'}")
        if isinstance(cause, OSError) and cause.strerror:
            return Trouble("unreachable", f"{url}: {cause.strerror}")
    if isinstance(error, httpx.ConnectTimeout):
        return Trouble("unreachable", f"{url}: no connection in time")
    if isinstance(error, httpx.TimeoutException):
        return Trouble("no_answer", url)
    return Trouble("unreachable", f"{url}: {type(error).__name__}")


def of_answer(response: httpx.Response) -> Trouble:
    """Tell what an answer that confirms nothing means."""
    try:
        denial = msgspec.json.decode(response.content, type=Denial)
    except msgspec.DecodeError:
        code = "unavailable" if response.status_code in {502, 503, 504} else "not_understood"
        return Trouble(code, f"HTTP {response.status_code}")
    return Trouble(denial.code, denial.detail, denial.expected)


def _certificate(error: ssl.SSLCertVerificationError) -> Trouble:
    # RFC 5280 by OpenSSL's numbers: 10 expired, 62 and 64 another host name or address.
    codes = {9: "hub_expired", 10: "hub_expired", 62: "hub_name", 64: "hub_name"}
    code = codes.get(error.verify_code, "hub_untrusted")
    return Trouble(code, error.verify_message)


def _tls(error: ssl.SSLError, url: str) -> Trouble:
    reason = error.reason or ""
    if "ALERT" in reason:
        return Trouble("certificate_refused", reason.lower().replace("_", " "))
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Trouble("no_tls", url)
    return Trouble("unreachable", f"{url}: TLS: {reason.lower().replace('_', ' ') or 'the line was cut'}")


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) and len(found) < 10:
        found.append(cause)
    return found
