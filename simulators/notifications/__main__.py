"""`python -m simulators.notifications`: run the three doubles, tell the settings for them, until SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from threading import Event

from simulators.notifications.kept import Kept
from simulators.notifications.mailbox import mailbox
from simulators.notifications.providers import SmsGateway, WeChat, serving


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m simulators.notifications", description=__doc__)
    for name in ("sms", "wechat", "mail"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0: a free one")
    parser.add_argument("--forget-keys", action="store_true", help="honour no idempotency keys")
    wanted = parser.parse_args(arguments)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as running:
        keys = not wanted.forget_keys
        sms = running.enter_context(serving(SmsGateway, Kept(keys), wanted.sms_port))
        wechat = running.enter_context(serving(WeChat, Kept(keys), wanted.wechat_port))
        mail = running.enter_context(mailbox(Kept(keys), wanted.mail_port))
        sys.stdout.write(
            f'sms_gateway = "{sms}/send"\nsmtp_url = "{mail}"\n\n'
            f'[sms_shape]\nkeys_hours = {24 * keys}\nstatus_address = "{sms}/status/{{key}}"\n\n'
            f'[notification_mail]\nsender = "yilian@localhost"\n\n'
            f'[wechat]\naddress = "{wechat}"\napp_id = "wx-sample"\n'
            'templates = {referral = "T-referral", appointment = "T-appointment"}\n'
        )
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
