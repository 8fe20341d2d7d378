"""Tests of the demo model and the demo data sets."""
