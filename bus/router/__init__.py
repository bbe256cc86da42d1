"""From the broker to effects: parse, decide, record, in inbox order for each patient."""
