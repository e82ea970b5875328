"""TraceError."""


class TraceError(Exception):
    """Forward does something that is not traced, so nothing can be said from its graph."""
