"""One module a command: what it takes, what it does, what it prints."""
