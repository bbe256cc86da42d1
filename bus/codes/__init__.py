"""The worklist of codes that no table knows, and mapping one, which lets go on what waited for it."""
