"""WeChat's template messages (公众号模板消息), and what speaks as they do.

An access token is fetched by `cgi-bin/stable_token`, kept until shortly before its end, and renewed once when
an answer says that it is none any more. `client_msg_id` is the idempotency key: the same openid and key are
sent once within ten minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote

from bus.delivery.statuses import verdict
from bus.delivery.transport import Answer, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.notifying.port import Answered, Outgoing
from bus.notifying.posting import Poster, Reply
from runtime.notifications import WeChatAccount

KEYS_SECONDS = 570.0
"""Ten minutes, less what clocks and the way take."""
LASTS = 7200.0
"""Seconds that a token lasts which says nothing of it."""
EARLY = 120.0
"""Seconds before its end that a token is renewed."""
_TOKEN = frozenset({40001, 40014, 42001})
"""Codes of a token that is wrong or at its end."""
_LATER = frozenset({-1, 45009, 45011})
"""Codes of a system that is busy, and of a quota."""
_OURS = frozenset({40013, 40125, 40164, 48001, 50001})
"""Codes that are about the account: its id, secret, addresses, rights."""


class WeChatPort:
    """`bus.notifying.port.Port`."""

    keys_seconds = KEYS_SECONDS

    def __init__(
        self, account: WeChatAccount, secret: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._account, self._secret, self._clock = account, secret, clock
        self._poster = Poster()
        self._lock = Lock()
        self._token, self._ends = "", 0.0

    def send(self, message: Outgoing) -> Answered:
        """Hand one message over; see `Port`."""
        form = self._account.templates.get(message.form)
        if form is None:
            reason = f"the setting wechat.templates has no id for {message.form!r}: add it"
            raise UnsendableError("no_provider_template", reason)
        body = json.dumps(_content(message, form), ensure_ascii=False).encode()
        token = self._access()
        reply = self._post(body, token)
        if _code(reply) in _TOKEN:  # not taken, so it may go again
            reply = self._post(body, self._access(but=token))
        return Answered(_answer(reply), reply.member("msgid"))

    def close(self) -> None:
        """Close connections."""
        self._poster.close()

    def _post(self, body: bytes, token: str) -> Reply:
        url = f"{self._account.address}/cgi-bin/message/template/send?access_token={quote(token, safe='')}"
        return self._poster.exchange("POST", url, body, {"Content-Type": "application/json"})

    def _access(self, but: str = "") -> str:
        """Return a token other than `but`. Raises NotSentError."""
        with self._lock:
            if self._token and self._token != but and self._clock() < self._ends:
                return self._token
            try:
                self._token, lasts = self._fetched(bool(but))
            except UnansweredError as error:  # of the token: the message itself did not go out
                raise NotSentError("WeChat did not answer with a token", code="no_token") from error
            self._ends = self._clock() + max(lasts - EARLY, lasts / 2)
            return self._token

    def _fetched(self, force: bool) -> tuple[str, float]:
        asked = {
            "grant_type": "client_credential",
            "appid": self._account.app_id,
            "secret": self._secret,
            "force_refresh": force,
        }
        url = f"{self._account.address}/cgi-bin/stable_token"
        body = json.dumps(asked).encode()
        reply = self._poster.exchange("POST", url, body, {"Content-Type": "application/json"})
        token = reply.member("access_token")
        if not token:
            code = _code(reply)
            raise NotSentError(
                f"WeChat gave no access token ({reply.status}, {code}): see wechat.app_id, wechat_secret",
                code="no_token",
            )
        lasts = reply.member("expires_in") or ""
        return token, float(lasts) if lasts.isdecimal() else LASTS


def _content(message: Outgoing, form: str) -> Mapping[str, Any]:
    made: dict[str, Any] = {
        "touser": message.address,
        "template_id": form,
        "client_msg_id": message.key,
        "data": {name: {"value": value} for name, value in message.parts.items()},
    }
    return {**made, "url": message.link} if message.link else made


def _code(reply: Reply) -> int | None:
    said = reply.member("errcode")
    return int(said) if said is not None and said.lstrip("-").isdecimal() else None


def _answer(reply: Reply) -> Answer:
    status = verdict(reply.status)
    if status is not Verdict.TAKEN:
        return Answer(status, str(reply.status), reply.body, reply.retry_after)
    code = _code(reply)
    if code is None:
        return Answer(Verdict.UNSURE, f"{reply.status} without errcode", reply.body)
    if code == 0:
        meaning = Verdict.TAKEN
    elif code in _LATER:
        meaning = Verdict.LATER
    elif code in _TOKEN or code in _OURS:
        meaning = Verdict.WRONG_DOOR
    else:
        meaning = Verdict.NEVER
    return Answer(meaning, f"errcode {code}", reply.body)
