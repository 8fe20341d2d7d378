"""Mirrors core/tasks."""
