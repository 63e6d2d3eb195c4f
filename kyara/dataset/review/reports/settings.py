"""What the report database keeps once: the key of the senders' hashes, and the switch of the vote."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import IntegrityError

from kyara.dataset.review.reports.store import ReportStore
from kyara.dataset.review.reports.tables import REPORTS, SettingRow
from kyara.storage.client_hash import hash_sender
from kyara.storage.database import explain_database_errors

SENDER_KEY = "sender_key"
VOTE = "vote"


def hash_visitor(store: ReportStore, address: str | None) -> str | None:
    """Return what stands for a visitor's address in the database; None where there is no address.

    The key is random, made once, and nowhere but in the database: a hash is worth nothing without it.
    """
    if not address:
        return None
    key = read_setting(store, SENDER_KEY) or _make_sender_key(store)
    return hash_sender(address, bytes.fromhex(key))


def _make_sender_key(store: ReportStore) -> str:
    key = secrets.token_hex(32)
    try:
        with explain_database_errors(REPORTS), store.sessions.begin() as session:
            session.add(SettingRow(name=SENDER_KEY, value=key))
    except IntegrityError:  # another request was faster
        return read_setting(store, SENDER_KEY) or key
    return key


def read_setting(store: ReportStore, name: str) -> str | None:
    """Return a setting, None where it was never set."""
    with explain_database_errors(REPORTS), store.sessions() as session:
        row = session.get(SettingRow, name)
        return row.value if row else None


def keep_setting(store: ReportStore, name: str, value: str) -> None:
    """Set a setting."""
    try:
        _put_setting(store, name, value)
    except IntegrityError:  # another server was the first to set it
        _put_setting(store, name, value)


def _put_setting(store: ReportStore, name: str, value: str) -> None:
    with explain_database_errors(REPORTS), store.sessions.begin() as session:
        session.merge(SettingRow(name=name, value=value))
