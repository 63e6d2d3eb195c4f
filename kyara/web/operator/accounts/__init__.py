"""Operators' accounts: who may log in, and how often somebody may guess.

In come names and passwords; out come operators and session tokens. Nothing is there before the first
account is made on the command line, and there is no default password. The rooms, from the outside in:
`store` (the one class that others use), `attempts` (lock-out), `passwords` (rules and argon2), `tables`.
"""

from kyara.web.operator.accounts.store import AccountStore, Operator
from kyara.web.operator.accounts.tables import SECRET_FILE, find_instance

__all__ = ["SECRET_FILE", "AccountStore", "Operator", "find_instance"]
