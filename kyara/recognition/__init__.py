"""Crops in, answers out: what serves, and what is measured."""
