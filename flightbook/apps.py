from django.apps import AppConfig


class FlightbookConfig(AppConfig):
    """The project itself, as an app: its pages, static files and checks."""

    name = "flightbook"
