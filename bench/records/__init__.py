"""`bench records`: the face of the records over a store as large as the consortium's."""
