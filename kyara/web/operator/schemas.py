"""What the labelling page may send, and parts of what several pages of operators send."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Integer, String
from apiflask.validators import Length, Range

from kyara.dataset.review.journal import MAX_DECIDED

_ACTION = String(required=True, validate=Length(8, 64))


class SearchIn(Schema):
    """A part of a name."""

    query = String(load_default="", validate=Length(max=100))
    limit = Integer(load_default=8, validate=Range(1, 100))


class WhoIn(Schema):
    """Who somebody is; without a label one is made of the name."""

    name = String(load_default="", validate=Length(max=100))
    label = String(load_default="", validate=Length(max=100))
    work = String(load_default="", validate=Length(max=100))


class TurnIn(Schema):
    """The number of the last decision that the person saw."""

    seen = Integer(required=True, validate=Range(min=0))


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


class LabelSearchIn(SearchIn):
    """A part of a label's name."""

    limit = Integer(load_default=8, validate=Range(1, 2000))


class CharacterIn(WhoIn):
    """A new character."""

    name = String(required=True, validate=Length(1, 100))
