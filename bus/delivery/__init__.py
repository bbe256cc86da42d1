"""To other systems: a queue for each destination, each patient in order, at least once, never blindly."""
