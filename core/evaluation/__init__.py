"""Measuring: how good answers are, on which rows, and how sure one can be of a gain."""
