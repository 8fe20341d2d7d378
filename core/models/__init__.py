"""Base models: what there is, and their tokenizers."""
