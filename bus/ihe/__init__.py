"""What IHE's transactions look like on the wire."""
