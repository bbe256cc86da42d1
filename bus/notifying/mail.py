"""E-mail: one letter to one mailbox over SMTP (RFC 5321), told apart by what the server said and when."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from bus.delivery.transport import Answer, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.notifying.port import PATIENCE, Answered, Outgoing
from bus.notifying.smtp import MailServer


@dataclass(frozen=True)
class MailPort:
    """`bus.notifying.port.Port` over SMTP. A session for each letter: there are few."""

    server: MailServer
    sender: str
    keys_seconds: float = 0.0
    """SMTP knows no keys; some servers keep a repeated Message-ID back."""
    patience: float = PATIENCE

    def send(self, message: Outgoing) -> Answered:
        """Hand one letter over; see `Port`."""
        letter = _letter(message, self.sender)
        try:
            session = self.server.connect(self.patience)
        except smtplib.SMTPAuthenticationError as error:
            reason = "the mail server refused our sign-in: correct smtp_url or smtp_password"
            raise NotSentError(reason, code=str(error.smtp_code)) from error
        except OSError as error:
            raise NotSentError(f"no session with the mail server ({type(error).__name__})") from error
        try:
            return Answered(self._hand_over(session, message.address, letter))
        finally:
            session.close()

    def close(self) -> None:
        """Nothing is kept open."""

    def _hand_over(self, session: smtplib.SMTP, address: str, letter: EmailMessage) -> Answer:
        try:
            for command, argument in ((session.mail, self.sender), (session.rcpt, address)):
                code, said = command(argument)
                if code not in (250, 251):
                    return _answer(code, said)
        except OSError as error:
            raise NotSentError(f"the mail server went away ({type(error).__name__})") from error
        try:
            code, said = session.data(letter.as_bytes())
        except smtplib.SMTPDataError as error:  # it did not want the text
            refused = error.smtp_error
            return _answer(error.smtp_code, refused if isinstance(refused, bytes) else refused.encode())
        except OSError as error:
            raise UnansweredError(
                f"the mail server did not say that it has it ({type(error).__name__})"
            ) from error
        return _answer(code, said)


def _letter(message: Outgoing, sender: str) -> EmailMessage:
    made = EmailMessage()
    try:
        message.address.encode("ascii")  # UnicodeEncodeError is a ValueError
        made["Subject"] = message.parts["title"]
        made["From"] = sender
        made["To"] = message.address
    except ValueError as error:
        raise UnsendableError("bad_address", "the mailbox is no address: correct the contact") from error
    made["Date"] = formatdate(localtime=True)
    made["Message-ID"] = f"<{message.key}@notifications.yilian>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes in return
    made.set_content(message.parts["text"])
    return made


def _answer(code: int, said: bytes) -> Answer:
    """Judge a reply by its first digit (RFC 5321, 4.2.1); some of sign-in are about us."""
    if code in (530, 535, 538):
        return Answer(Verdict.WRONG_DOOR, str(code), said)
    if 200 <= code < 300:
        return Answer(Verdict.TAKEN, str(code), said)
    return Answer(Verdict.LATER if code < 500 else Verdict.NEVER, str(code), said)
