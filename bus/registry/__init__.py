"""The service registry: what is declared, what is deployed and what is seen, as one."""
