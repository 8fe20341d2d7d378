"""Mirrors core/evaluation/metrics."""
