"""Settings, from the environment only. A missing or malformed one stops the start, named in a sentence.

`docs/settings.md` lists them all.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flightbook import redis_place
from flightbook.env import Environment

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# --- Required -----------------------------------------------------------------------------------------------
SECRET_KEY = env.text("SECRET_KEY", min_length=32)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
DATABASES = {"default": env.database("DATABASE_URL")}
DATABASE_ROUTERS = ["flightbook.replica.PrimaryRouter"]
if env.text("DATABASE_REPLICA_URL", default=""):  # a standby that answers public reads
    DATABASES["replica"] = env.standby("DATABASE_REPLICA_URL")
REPLICA_LAG_SECONDS = env.number("REPLICA_LAG_SECONDS", default=5)
# Not behind PgBouncer in transaction mode, which gives each transaction another connection.
DATABASE_PREPARE = env.flag("DATABASE_PREPARE", default=False)
REDIS_SENTINELS = env.addresses("REDIS_SENTINELS")
# With Sentinels its host is the master's name.
REDIS_URL = env.url("REDIS_URL", schemes=("redis",) if REDIS_SENTINELS else ("redis", "rediss", "unix"))
if REDIS_SENTINELS and not redis_place.master_name(REDIS_URL):
    env.refuse("REDIS_URL names no master for REDIS_SENTINELS, as redis://flightbook/0 does.")
# The ES256 keys: <kid>.public.pem for each valid one, <kid>.private.pem where this pool signs.
TOKEN_KEYS_DIR = env.path("TOKEN_KEYS_DIR")

# --- Payment: no default, and the sandbox must be accepted in so many words ---------------------------------
PAYMENT_GATEWAY = env.choice("PAYMENT_GATEWAY", ("sandbox", "stripe"))
if PAYMENT_GATEWAY == "sandbox" and not env.flag("ALLOW_SANDBOX_PAYMENTS", default=False):
    env.refuse(
        "PAYMENT_GATEWAY is `sandbox`, which takes no money: set ALLOW_SANDBOX_PAYMENTS=true to accept that."
    )
# Without a default where they are needed: a start without them would take orders that nobody can pay.
_stripe_default = None if PAYMENT_GATEWAY == "stripe" else ""
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY", default=_stripe_default)
STRIPE_WEBHOOK_SECRET = env.text("STRIPE_WEBHOOK_SECRET", default=_stripe_default)
STRIPE_API_BASE = env.text("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
if not STRIPE_API_BASE.startswith(("https://", "http://")):
    env.refuse("STRIPE_API_BASE does not begin with https:// or http://.")
PAYMENT_TIMEOUT_SECONDS = env.number("PAYMENT_TIMEOUT_SECONDS", default=10)
HOLD_MINUTES = env.number("HOLD_MINUTES", default=30)
HOLDS_PER_USER = env.number("HOLDS_PER_USER", default=5, least=0)
# Pages of the admin that an app above flights adds to a flight's: before it is cancelled or moved, and links.
FLIGHT_REPORT_PREVIEW = "admin:bookings_disruption_preview"
FLIGHT_ADMIN_LINKS = [
    ("Who is affected if it is cancelled", "admin:bookings_disruption_preview"),
    ("Who might stay behind, where more are booked than seats", "admin:bookings_disruption_oversold"),
]
DISRUPTION_CHOICE_HOURS = env.number("DISRUPTION_CHOICE_HOURS", default=0, least=0)
QUOTE_MINUTES = env.number("QUOTE_MINUTES", default=15)

# --- Identity -----------------------------------------------------------------------------------------------
TOKEN_ISSUER = env.text("TOKEN_ISSUER", default="flightbook")
TOKEN_AUDIENCE = env.text("TOKEN_AUDIENCE", default="flightbook")
ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)
REFRESH_TOKEN_LIFETIME = timedelta(days=14)
SOCKET_TICKET_LIFETIME = timedelta(seconds=30)
# How many passwords may be hashed at once in one process: each takes 46 MiB and a core.
PASSWORD_HASHES_AT_ONCE = env.number("PASSWORD_HASHES_AT_ONCE", default=2)

# --- Limits -------------------------------------------------------------------------------------------------
RATE_LIMITS = {  # requests a minute
    "register": env.number("RATE_LIMIT_REGISTER", default=60),
    "login": env.number("RATE_LIMIT_LOGIN", default=30),
    "sale": env.number("RATE_LIMIT_SALE", default=300),
    "default": env.number("RATE_LIMIT_DEFAULT", default=1200),
}
TRUSTED_PROXY_HOPS = env.number("TRUSTED_PROXY_HOPS", default=0, least=0)
SOCKETS_PER_USER = env.number("SOCKETS_PER_USER", default=100)
FLIGHTS_PER_SOCKET = env.number("FLIGHTS_PER_SOCKET", default=100)
SOCKET_MESSAGES_PER_SECOND = env.number("SOCKET_MESSAGES_PER_SECOND", default=20)
SOCKET_FRAME_BYTES = 64 * 1024
SOCKET_ORIGINS = env.origins("SOCKET_ORIGINS")  # beside the served host's own
# What one ASGI process lets run at once over HTTP; each is a thread and a database connection.
HTTP_CONCURRENCY = env.number("HTTP_CONCURRENCY", default=16)
HTTP_QUEUE_SECONDS = env.number("HTTP_QUEUE_SECONDS", default=30, least=0)
METRICS_PORT = env.number("METRICS_PORT", default=0, least=0)  # of relay and worker
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

# --- Webhooks -----------------------------------------------------------------------------------------------
# For one's own machine: http and private addresses too.
WEBHOOK_INSECURE_TARGETS = env.flag("WEBHOOK_INSECURE_TARGETS", default=False)

# --- Flights ------------------------------------------------------------------------------------------------
SCHEDULE_DAYS = env.number("SCHEDULE_DAYS", default=60)
FLIGHT_MESSAGES_DIR = env.text("FLIGHT_MESSAGES_DIR", default="")  # where telegrams are dropped as files
SEARCH_CACHE_SECONDS = env.number("SEARCH_CACHE_SECONDS", default=1, least=0)

# --- The project --------------------------------------------------------------------------------------------
DEBUG = False
ROOT_URLCONF = "flightbook.urls"
ASGI_APPLICATION = "flightbook.asgi.application"
WSGI_APPLICATION = "flightbook.wsgi.application"
SILENCED_SYSTEM_CHECKS = ["auth.W004"]  # usernames are unique by a constraint on their lower case
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
APPEND_SLASH = True
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "axes",
    "flightbook.apps.FlightbookConfig",
    "accounts",
    "flights",
    "subscriptions",
    "bookings",
]
MIDDLEWARE = [
    "flightbook.http.middleware.RequestContextMiddleware",
    "flightbook.metrics.MetricsMiddleware",
    "flightbook.http.edges.EdgeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "flightbook.http.static_files.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "flightbook" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Redis: the layer, the search cache and request counters; never a promise -------------------------------
CACHES = {"default": redis_place.cache(REDIS_URL, REDIS_SENTINELS)}
DJANGO_REDIS_LOG_IGNORED_EXCEPTIONS = True
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [redis_place.layer_host(REDIS_URL, REDIS_SENTINELS)],
            "prefix": env.text("CHANNEL_PREFIX", default="flightbook"),
        },
    }
}

# --- Passwords, logins, cookies -----------------------------------------------------------------------------
PASSWORD_HASHERS = ["accounts.hashers.BoundedArgon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "email", "given_name", "family_name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
]
if env.flag("COMMON_PASSWORD_CHECK", default=True):
    AUTH_PASSWORD_VALIDATORS.append(
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}
    )
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_FAILURE_LIMIT = env.number("LOGIN_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "accounts.lockout.lockout_name"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the cool-off ends when it was said to
AXES_CLIENT_IP_CALLABLE = "flightbook.http.client.client_address"
AXES_LOCKOUT_CALLABLE = "flightbook.http.problems.locked_out"
AXES_VERBOSE = False
_secure = env.flag("COOKIE_SECURE", default=True)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _secure
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
CSRF_FAILURE_VIEW = "flightbook.http.problems.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if TRUSTED_PROXY_HOPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Static files -------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "flightbook" / "static"]
WHITENOISE_USE_FINDERS = not STATIC_ROOT.is_dir()
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- Mail ---------------------------------------------------------------------------------------------------
vars().update(env.mail("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="Flightbook <bookings@localhost>")
EMAIL_TIMEOUT = 10

# --- The API ------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.SessionTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["flightbook.http.throttling.MinuteThrottle"],
    "DEFAULT_PARSER_CLASSES": ["flightbook.http.json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["flightbook.http.json.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "flightbook.http.json.Negotiation",
    "DEFAULT_SCHEMA_CLASS": "flightbook.http.schema.ApiSchema",
    "EXCEPTION_HANDLER": "flightbook.http.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    "DEFAULT_METADATA_CLASS": "flightbook.http.metadata.AllowedMethods",
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is nobody's parameter
}
SIMPLE_JWT = {"UPDATE_LAST_LOGIN": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Flightbook",
    "DESCRIPTION": "Search, book, pay, cancel, follow flights. Errors are problem documents (RFC 9457).",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,  # a request's text may not be empty, an answer's may
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "FlightStatus": "flights.types.FlightStatus",
        "BookingStatus": "bookings.models.BookingStatus",
        "PaymentStatus": "bookings.models.PaymentAttempt.State",
        "RefundStatus": "bookings.models.Refund.State",
        "PaymentMethod": "bookings.models.PaymentMethod",
        "CardPaymentMethod": "bookings.serializers.CARDS",
        "DisruptionStatus": "bookings.models.Disruption.State",
        "DisruptionKind": "bookings.models.Disruption.Kind",
        "SeatState": "flights.serializers.SEAT_STATES",
        "TelegramOutcome": "flights.serializers.TELEGRAM_OUTCOMES",
        "BatchOutcome": "flights.serializers.BATCH_OUTCOMES",
        "WebhookState": "subscriptions.serializers.WEBHOOK_STATES",
        "DeliveryState": "subscriptions.serializers.DELIVERY_STATES",
    },
}

# --- Logs ---------------------------------------------------------------------------------------------------
LOG_FORMAT = env.choice("LOG_FORMAT", ("line", "json"), default="line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "flightbook.http.middleware.RequestIdFilter"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"},
        "json": {"()": "flightbook.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]}
    },
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING"), default="INFO"),
    },
    "loggers": {
        "django": {"level": "INFO"},
        "django.request": {"level": "ERROR"},  # a 404 is not a warning
        "django.security.DisallowedHost": {
            "level": "CRITICAL"
        },  # its line is the request's 400; who scans us writes many
        "daphne": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "stripe": {"level": "WARNING"},  # it tells of each request otherwise
        # A line a request is for machines that read them; a person at a terminal reads what went wrong.
        "flightbook.access": {"level": "INFO" if LOG_FORMAT == "json" else "WARNING"},
    },
}

# --- Traces: where spans go, if anywhere. OpenTelemetry reads its other variables itself --------------------
TRACES_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
if TRACES_ENDPOINT and not TRACES_ENDPOINT.startswith(("https://", "http://")):
    env.refuse("OTEL_EXPORTER_OTLP_ENDPOINT does not begin with https:// or http://.")
env.choice("OTEL_EXPORTER_OTLP_PROTOCOL", ("http/protobuf",), default="http/protobuf")

env.check()
