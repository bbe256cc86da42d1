"""Identity for people at the terminal, and how fast campuses hear of new people."""
