"""Linking many source patients at once, by the decisions that link one online."""
