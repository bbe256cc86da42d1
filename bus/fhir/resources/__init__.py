"""One module for each resource: its row in, its R4 JSON out."""
