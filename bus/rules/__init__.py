"""The rule language: files that integration engineers write, compiled once, deciding what a message means."""
