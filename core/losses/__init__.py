"""What is made small: the table of losses by name, how each is reckoned, and the owner's own from a folder."""
