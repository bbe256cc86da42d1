"""The page behind a patient's link: where and when to come, to confirm or decline. No account, no script.

Whoever has the link is believed to be the patient, or whom the patient gave it to: so the page names neither
the patient nor what ails them, and all that it can do is to confirm or decline that one time.
"""

from __future__ import annotations

from html import escape
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from activities.referrals import stand
from api.docs import PAGES
from api.platform import Platform, platform
from bus.notifying.current import StoredNames
from consortium.notifications.rendering import ZONE
from consortium.referral import invited
from consortium.referral.details import Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.links import Invited
from consortium.referral.model import Party, Step, Words
from consortium.referral.notices import reference
from consortium.referral.recording import recorded
from runtime.links import links
from workflows.referral.model import Start, Take

router = APIRouter(prefix="/r", include_in_schema=False)
Parts = Annotated[Platform, Depends(platform)]
BY_LINK = "patient-link"
"""In place of a username, in the referral's events."""
PAGE = PAGES / "referral.html"
POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
}
DECLINED = Details(note="患者通过链接谢绝该时间")

OVER = Words(
    "This link is no longer valid: the time was changed, or is over. Call the hospital that referred you.",
    "该链接已失效：预约已变更或已结束。如有疑问请联系转出医院。",
)
CONFIRMED = Words("Thank you, you are expected.", "已确认，请按时就诊。")
GIVEN_BACK = Words(
    "The time was given back. You will be told another.", "已取消该时间，将另行通知您新的时间。"
)


@router.get("/{token}")
def show(parts: Parts, token: str) -> HTMLResponse:
    """Show where and when, and ask."""
    found = _found(parts, token)
    if found is None:
        return _page(_paragraph(OVER), 410)
    said = f"{_paragraph(_where(parts, found))}{_paragraph(_bring(found))}"
    return _page(said + _button(token, "confirm") + _button(token, "decline"))


@router.post("/{token}/{answer}")
async def answer(parts: Parts, token: str, answer: Literal["confirm", "decline"]) -> HTMLResponse:
    """Take the step for the patient; the same again takes it once."""
    found = await run_in_threadpool(_found, parts, token)
    if found is None:
        return _page(_paragraph(OVER), 410)
    step = Step(answer)
    details = DECLINED if step is Step.DECLINE else Details()
    take = Take(step=step, party=Party.PATIENT, user=BY_LINK, details=details)
    start = Start(referral_id=found["id"], stand=stand(recorded(found)))
    try:
        await parts.take_step(parts.settings, start, take, f"{BY_LINK}:{token}:{step}")
    except StepRefusedError:  # taken by another in between, or it is over
        return _page(_paragraph(OVER), 409)
    return _page(_paragraph(CONFIRMED if step is Step.CONFIRM else GIVEN_BACK))


def _found(parts: Platform, token: str) -> dict[str, Any] | None:
    reading = links(parts.settings)
    said: Invited | None = reading.read(token) if reading else None
    if said is None:
        return None
    with parts.statements.connect() as connection:
        return invited.still_good(connection, said, parts.now())


def _where(parts: Platform, row: dict[str, Any]) -> Words:
    facility, code = row["receiving_facility"], row["department"]
    at = row["slot_start"].astimezone(ZONE)
    with parts.statements.connect() as connection:
        names = StoredNames(connection, lambda: parts.settings.campuses)
        zh, en = (names.campus(facility, language) or facility for language in ("zh", "en"))
        department = names.department(facility, code) or code
    return Words(
        f"{en}, {department}, {at:%d %b %Y %H:%M}", f"请于 {at:%Y年%m月%d日 %H:%M} 到{zh}{department}就诊。"
    )


def _bring(row: dict[str, Any]) -> Words:
    number = reference(row["id"])
    return Words(
        f"Bring your identity card and earlier papers. Number of the referral: {number}",
        f"请携带身份证及既往检查资料。转诊单号：{number}",
    )


def _paragraph(said: Words) -> str:
    return f'<p>{escape(said.zh)} <span lang="en">{escape(said.en)}</span></p>'


def _button(token: str, step: Literal["confirm", "decline"]) -> str:
    zh, en, looks = {
        "confirm": ("确认按时就诊", "I will come", ""),
        "decline": ("不能按时就诊", "I cannot come", ' class="other"'),
    }[step]
    action, said = f"/r/{escape(token)}/{step}", f'{zh} <span lang="en">{en}</span>'
    return f'<form method="post" action="{action}"><button{looks}>{said}</button></form>'


def _page(body: str, status: int = 200) -> HTMLResponse:
    content = PAGE.read_text(encoding="utf-8").replace("{body}", body)
    return HTMLResponse(content, status_code=status, headers=POLICY)
