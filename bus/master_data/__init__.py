"""Master data on the bus: imports, and a row in the outbox for each change and subscriber."""
