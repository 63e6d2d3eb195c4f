"""What visitors see and send: the page, the HTTP API, corrections."""
