"""One file for each command of `./yilian`."""
