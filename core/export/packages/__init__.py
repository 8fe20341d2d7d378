"""What a package carries: run.py by kind of model, and what that needs. Copied as it stands; light, without torch."""
