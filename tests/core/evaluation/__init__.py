"""Mirrors core/evaluation."""
