"""Pixels in; boxes, crops and frames out. Nothing here knows a character."""
