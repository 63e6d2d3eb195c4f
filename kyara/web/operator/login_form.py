"""The form of the login page."""

from __future__ import annotations

from typing import cast

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField


class LoginForm(FlaskForm):
    """Name and password, and the page that was asked for."""

    name = StringField(cast(str, _("Name")))
    password = PasswordField(cast(str, _("Password")))
    next = HiddenField()
