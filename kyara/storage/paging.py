"""Large tables read a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Engine, Row, Select
from sqlalchemy.orm import InstrumentedAttribute

_Columns = TypeVarTuple("_Columns")


def read_pages(
    engine: Engine, query: Select[*_Columns], key: InstrumentedAttribute[Any], most: int
) -> Iterator[Sequence[Row[*_Columns]]]:
    """Read the rows of a query in the order of a column that tells them apart.

    Nothing is open between two pages, so what is written meanwhile disturbs nothing.

    Args:
        engine: of the database.
        query: selects that column, by its own name, among others.
        key: the column.
        most: rows of a page.

    Yields:
        The rows of a page, at least one.
    """
    query = query.order_by(key).limit(most)
    page = query
    while True:
        with engine.connect() as connection:
            rows = connection.execute(page).all()
        if not rows:
            return
        yield rows
        page = query.where(key > getattr(rows[-1], key.key))
