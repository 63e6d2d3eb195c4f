"""The form of the login page."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField


class LoginForm(FlaskForm):
    """Name and password, and the page that was asked for."""

    name = StringField("Name")
    password = PasswordField("Password")
    next = HiddenField()
