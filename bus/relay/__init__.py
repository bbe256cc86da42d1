"""From the inbox to the broker: each ready message rings once, and again until it is done."""
