"""`python -m adapters.gateway run|status|check|renew|password`: the gateway on a front machine."""

from __future__ import annotations

import sys

from adapters.gateway.console import gateway_main

if __name__ == "__main__":
    sys.exit(gateway_main(sys.argv[1:]))
