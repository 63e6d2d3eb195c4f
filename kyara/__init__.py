"""Kyara answers one question: who is this anime character?"""

__version__ = "0.1.0"
