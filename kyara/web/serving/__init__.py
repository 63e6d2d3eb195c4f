"""The model that serves, the queue in front of it, and the HTTP worker."""
