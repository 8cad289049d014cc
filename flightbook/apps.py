from django.apps import AppConfig

from flightbook import tracing


class FlightbookConfig(AppConfig):
    """The project itself, as an app: its pages, static files and checks."""

    name = "flightbook"

    def ready(self) -> None:
        tracing.instrument()
