"""Databases, files, locks and jobs. Nothing here knows what a face is."""
