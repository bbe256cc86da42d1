"""How notifications leave the platform: settings of the SMS gateway, WeChat's template messages, e-mail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Hours = Annotated[float, Field(ge=0, le=24 * 365)]
ADDRESS = r"^(https?://.*)?$"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SmsShape(_Closed):
    """What the SMS gateway wants to be sent, and what its answers mean."""

    body: Literal["json", "form"] = "json"
    fields: dict[str, str] = Field(
        default={"to": "{to}", "text": "{text}"},
        description="of the body: {to} telephone numbers, {text}, {key} the idempotency key, {time} Unix"
        " seconds, {nonce}",
    )
    to_list: bool = Field(
        default=True, description="whether the field {to} is a JSON list; otherwise numbers joined by commas"
    )
    headers: dict[str, str] = Field(default={"Idempotency-Key": "{key}"}, description="as fields")
    signed: str = Field(
        default="",
        description="what is signed by HMAC-SHA256 with sms_secret: text with {body} and what fields have;"
        " empty: nothing is",
    )
    signature_header: str = "X-Signature"
    signature_form: Literal["hex", "base64"] = "hex"
    code_field: str = Field(
        default="", description="member of a JSON answer that says whether it was taken, as result.code"
    )
    taken: tuple[str, ...] = Field(default=(), description="its values that mean taken; empty: any")
    later: tuple[str, ...] = Field(default=(), description="its values that mean: try later")
    reference_field: str = Field(default="", description="member of a JSON answer with the gateway's number")
    keys_hours: Hours = Field(
        default=0.0,
        description="how long the gateway sends what has the same key once alone; 0: it knows no keys",
    )
    status_address: str = Field(
        default="",
        pattern=ADDRESS,
        description="GET there, with {key} or {reference}, says 200 where it was taken and 404 where not",
    )


class WeChatAccount(_Closed):
    """An official account (公众号) that sends template messages, or what speaks as WeChat does."""

    address: str = Field(default="https://api.weixin.qq.com", pattern=r"^https?://[^/]+$")
    app_id: str = Field(default="", description="empty: no template messages are sent")
    templates: dict[str, str] = Field(
        default={}, description="the provider's ids of templates, by their name in rules/notifications"
    )


class MailHabits(_Closed):
    """E-mail of notifications; the server is that of smtp_url."""

    sender: str = Field(default="", description="From; empty: no notification goes by e-mail")
    keys_hours: Hours = Field(
        default=0.0, description="how long the server keeps a repeated Message-ID back; 0: it does not"
    )
