"""Packages for phones."""
