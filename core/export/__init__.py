"""Export: a model as a package that runs without us, and the proof that it answers the same."""
