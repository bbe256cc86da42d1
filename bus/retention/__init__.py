"""How long what is kept, and letting go of what is older: bodies by the day, index rows and traces by age."""
