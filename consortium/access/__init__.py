"""Who may do what with which record for which purpose; who did. Deny by default."""
