"""TLS towards the systems that we send to."""

from __future__ import annotations

import ssl

from bus.rules.sending.base import Tls
from consortium.errors import PermanentError


def client_context(tls: Tls | None) -> ssl.SSLContext | None:
    """Return the TLS context of a destination, None where its file says nothing of TLS.

    With `ca` that authority alone is believed. Raises PermanentError when the files cannot be read.
    """
    if tls is None:
        return None
    try:
        made = ssl.create_default_context(cafile=tls.ca)
        if tls.certificate is not None:
            made.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise PermanentError(
            f"its TLS files cannot be read ({type(error).__name__}): correct tls.ca, tls.certificate, tls.key"
        ) from error
    return made
