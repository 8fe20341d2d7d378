"""Runs as directories: written by whoever works, read by everybody else. Light: no torch."""
