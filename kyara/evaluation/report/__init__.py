"""The evaluation as one HTML page that holds everything it needs."""
