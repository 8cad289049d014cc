from __future__ import annotations

import logging

from django.apps import AppConfig

from flightbook.logs import OncePerMinute


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"

    def ready(self) -> None:
        logging.getLogger("channels_redis.pubsub").addFilter(OncePerMinute())
