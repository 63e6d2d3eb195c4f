"""Blueprints of the site: pages, the HTTP API, reports."""
