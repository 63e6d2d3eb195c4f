"""What operations need: health, metrics, logs, limits, headers, static files, OpenAPI."""
