"""The inbox: a message is accepted when, and only when, its bytes and its work row are committed."""

from bus.inbox.group import Inbox
from bus.inbox.poll import accept_in, refuse_in

__all__ = ["Inbox", "accept_in", "refuse_in"]
