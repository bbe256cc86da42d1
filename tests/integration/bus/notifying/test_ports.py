"""The ports against their doubles: what was taken, what was not, and what nobody knows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from bus.delivery.transport import Found, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.notifying.mail import MailPort
from bus.notifying.port import Outgoing, Port
from bus.notifying.sms import SmsPort
from bus.notifying.smtp import MailServer
from bus.notifying.wechat import WeChatPort
from runtime.notifications import SmsShape, WeChatAccount
from simulators.notifications.kept import Kept, Manner
from simulators.notifications.mailbox import mailbox
from simulators.notifications.providers import SmsGateway, WeChat, serving

NUMBER, OPENID, MAILBOX = "13800138000", "oWang", "wang@example.org"
KINDS = ("sms", "wechat", "email")
ACCOUNT = {"app_id": "wx1", "templates": {"referral": "T1"}}


def text(kind: str, key: str = "k1", said: str = "请于 11月25日 来院") -> Outgoing:
    address = {"sms": NUMBER, "wechat": OPENID, "email": MAILBOX}[kind]
    return Outgoing(key, address, {"title": "预约提醒", "text": said}, form="referral", link="http://x/1")


@contextmanager
def port(kind: str, kept: Kept, patience: float = 5.0) -> Iterator[Port]:
    """A port, and its double behind it."""
    if kind == "email":
        with mailbox(kept) as url:
            yield MailPort(MailServer(url), "yilian@localhost", patience=patience)
        return
    with serving(SmsGateway if kind == "sms" else WeChat, kept) as url:
        made: Port = (
            SmsPort(url, "t0ken", SmsShape(status_address=f"{url}/status/{{key}}"), patience=patience)
            if kind == "sms"
            else WeChatPort(WeChatAccount(address=url, **ACCOUNT), "secret")
        )
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_is_kept_with_its_words(kind: str) -> None:
    kept = Kept()
    with port(kind, kept) as way:
        assert way.send(text(kind)).answer.verdict is Verdict.TAKEN
    [one] = kept.sent
    assert one["to"] == text(kind).address
    assert "请于 11月25日 来院" in str(one)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("manner", "verdict"), [(Manner.REFUSES, Verdict.NEVER), (Manner.LATER, Verdict.LATER)]
)
def test_a_refusal_is_told_apart_from_a_busy_provider(kind: str, manner: Manner, verdict: Verdict) -> None:
    kept = Kept(manner=manner)
    with port(kind, kept) as way:
        assert way.send(text(kind)).answer.verdict is verdict
    assert kept.sent == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("manner", [Manner.SILENT, Manner.DEAF])
def test_without_an_answer_nobody_knows_whether_it_was_taken(kind: str, manner: Manner) -> None:
    kept = Kept(manner=manner)
    with port(kind, kept) as way, pytest.raises(UnansweredError) as unanswered:
        way.send(text(kind))
    assert len(kept.sent) == (manner is Manner.SILENT)
    assert text(kind).address not in str(unanswered.value)


@pytest.mark.parametrize("kind", ["sms", "email"])
def test_an_answer_that_is_late_is_none(kind: str) -> None:
    kept = Kept(manner=Manner.LATE)
    with port(kind, kept, patience=0.2) as way, pytest.raises(UnansweredError):
        way.send(text(kind))
    assert len(kept.sent) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_where_nobody_listens_nothing_was_sent(kind: str) -> None:
    with port(kind, Kept()) as way:
        pass
    with pytest.raises(NotSentError):
        way.send(text(kind))


@pytest.mark.parametrize("kind", ["sms", "wechat"])
@pytest.mark.parametrize("honours", [True, False])
def test_a_repeated_key_goes_on_once_where_keys_are_honoured(kind: str, honours: bool) -> None:
    kept = Kept(honours)
    with port(kind, kept) as way:
        first, second, other = way.send(text(kind)), way.send(text(kind)), way.send(text(kind, "k2"))
    assert first.answer.verdict is second.answer.verdict is other.answer.verdict is Verdict.TAKEN
    assert [one["key"] for one in kept.sent] == (["k1", "k2"] if honours else ["k1", "k1", "k2"])
    assert (first.reference == second.reference) is (honours or first.reference is None)


def test_the_gateway_says_what_it_has() -> None:
    with port("sms", Kept()) as way:
        assert isinstance(way, SmsPort)
        assert way.asks
        way.send(text("sms"))
        assert way.arrived("k1", None) is Found.THERE
        assert way.arrived("k2", None) is Found.NOT_THERE
    with pytest.raises(NotSentError):
        way.arrived("k1", None)


def test_the_shape_of_a_request_and_its_signature_are_settings() -> None:
    kept = Kept()
    shape = SmsShape(
        fields={"to": "{to}", "text": "{text}", "sign": "医联"},
        headers={"Idempotency-Key": "yl-{key}", "X-Time": "{time}", "X-Nonce": "{nonce}"},
        signed="{time}\n{nonce}\n{body}",
        reference_field="id",
        code_field="id",
        taken=("1",),
    )
    seen: dict[str, str] = {}

    class Looking(SmsGateway):
        def given(self, body: bytes) -> None:
            seen.update(dict(self.headers.items()), body=body.decode())
            super().given(body)

    with serving(Looking, kept) as url:
        way = SmsPort(url, "", shape, "secret", clock=lambda: 1764000000.9, nonce=lambda: "n1")
        answered = way.send(text("sms", said="{to} 与 {key}"))
        assert (answered.answer.verdict, answered.answer.code, answered.reference) == (
            Verdict.TAKEN,
            "200 1",
            "1",
        )
        again = way.send(text("sms", "k2"))
        assert (again.answer.verdict, again.answer.code) == (Verdict.NEVER, "200 2")
        way.close()
    assert kept.sent[0]["key"] == "yl-k1"
    assert kept.sent[0]["text"] == "{to} 与 {key}", "what stands in a text is no place to fill"
    signed = f"1764000000\nn1\n{seen['body']}"
    assert seen["X-Signature"] == hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()


def test_an_access_token_is_fetched_once_and_renewed_when_it_is_none_any_more() -> None:
    kept, fetched = Kept(), []

    class Counting(WeChat):
        def given(self, body: bytes) -> None:
            fetched.extend(["token"] * self.path.endswith("stable_token"))
            if kept.asked == 2:
                self.tokens.clear()  # somebody else took another
                kept.asked += 1
            super().given(body)

    now = [0.0]
    with serving(Counting, kept) as url:
        way = WeChatPort(WeChatAccount(address=url, **ACCOUNT), "s", lambda: now[0])
        way.send(text("wechat", "a"))
        way.send(text("wechat", "b"))
        assert len(fetched) == 1
        assert way.send(text("wechat", "c")).answer.verdict is Verdict.TAKEN
        assert len(fetched) == 2
        now[0] = 7200.0 - 119.0
        way.send(text("wechat", "d"))
        assert len(fetched) == 3
        way.close()
    assert [one["key"] for one in kept.sent] == ["a", "b", "c", "d"]


def test_a_template_without_the_providers_id_can_not_be_sent() -> None:
    way = WeChatPort(WeChatAccount(address="http://127.0.0.1:1", app_id="wx1"), "s")
    with pytest.raises(UnsendableError, match=r"wechat\.templates"):
        way.send(text("wechat"))
    way.close()


def test_a_mailbox_that_is_no_address_is_nobodys() -> None:
    with port("email", Kept()) as way, pytest.raises(UnsendableError):
        way.send(Outgoing("k", "a@b\r\nBcc: c@d", {"title": "t", "text": "x"}))


def test_several_threads_share_a_port() -> None:
    kept = Kept()
    with port("sms", kept) as way:
        threads = [Thread(target=way.send, args=(text("sms", f"k{n}"),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(kept.sent) == 8
