"""Huangpu: a SOAP client for its patients, visits, orders and lab reports, a REST client for the rest."""
