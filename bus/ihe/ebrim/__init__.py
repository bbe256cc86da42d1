"""Metadata of shared documents as ebRIM 3.0 (ITI TF-3 §4.2): reading and writing."""
