"""What performance plugs into lower apps."""


def connect() -> None:
    """Register; called once when Django starts."""
