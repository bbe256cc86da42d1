"""What a destination file may say, by kind: another system to which messages are delivered."""
