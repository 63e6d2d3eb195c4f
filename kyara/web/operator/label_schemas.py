"""What the labelling page may send."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Integer, String
from apiflask.validators import Length, Range

from kyara.dataset.review.journal import MAX_DECIDED

_ACTION = String(required=True, validate=Length(8, 64))


class FacesIn(Schema):
    """How many faces to list."""

    limit = Integer(load_default=300, validate=Range(1, 2000))


class DecisionIn(Schema):
    """A label for some faces, each with the version that the operator saw."""

    action = _ACTION
    faces = Dict(keys=String(), values=String(), required=True, validate=Length(1, MAX_DECIDED))
    label = String(required=True, allow_none=True, validate=Length(1, 100))
    known = Boolean(load_default=False)


class UndoIn(Schema):
    """An undo, and what it takes back."""

    action = _ACTION
    undoes = _ACTION


class SearchIn(Schema):
    """Part of a name."""

    query = String(load_default="", validate=Length(max=100))
    limit = Integer(load_default=8, validate=Range(1, 2000))


class CharacterIn(Schema):
    """A new character; without a label one is made of the name."""

    name = String(required=True, validate=Length(1, 100))
    work = String(load_default="", validate=Length(max=100))
    label = String(load_default="", validate=Length(max=100))
