"""Settings. This file holds everything; the environment decides (docs/how-to/settings.md names every variable)."""

from __future__ import annotations

import environ
from django.utils.translation import gettext_lazy as _

from feedback_crm.environment import BASE_DIR, boolean, database, env, secret, stop, time_zone, var_dir
from feedback_crm.unfold import UNFOLD  # noqa: F401 - Django reads it from here

VAR_DIR = var_dir()
DEBUG = boolean("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY", var=VAR_DIR)
# Phones and e-mail addresses are looked up through a keyed hash; losing this key loses the look-ups.
FIELD_HASH_KEY = secret("FIELD_HASH_KEY", var=VAR_DIR)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")
if not SITE_URL.startswith(("http://", "https://")):
    stop(f"SITE_URL={SITE_URL!r} must start with http:// or https://")
CSRF_TRUSTED_ORIGINS = [SITE_URL]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "django_celery_beat",
    "simple_history",
    "axes",
    "apps.core",
    "apps.shop",
    "apps.compliance",
    "apps.customers",
    "apps.messaging",
    "apps.rewards",
    "apps.feedback",
    "apps.automation",
    "apps.callbacks",
    "apps.repairs",
    "apps.performance",
    "feedback_crm.site.SiteConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.core.middleware.ShopLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "apps.core.middleware.NoNulMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.core.middleware.OneTimePasswordMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "feedback_crm.urls"
WSGI_APPLICATION = "feedback_crm.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "feedback_crm.header.header",
            ],
        },
    },
]

DATABASES = {"default": database("DATABASE_URL", var=VAR_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROUTERS: list[str] = []

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/admin/"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.5  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="zh-hans")
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
if LANGUAGE_CODE not in dict(LANGUAGES):
    stop(f"LANGUAGE_CODE={LANGUAGE_CODE!r} is not offered; choose zh-hans or en")
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = time_zone("TIME_ZONE", default="Asia/Shanghai")
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "feedback_crm.formats"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
WHITENOISE_MANIFEST_STRICT = False
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

SILENCED_SYSTEM_CHECKS: list[str] = []
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
if SITE_URL.startswith("https://"):
    SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

CACHE_URL = env.str("CACHE_URL", default="")
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
        if CACHE_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "feedback_crm"}
    )
}

# ── Background work ────────────────────────────────────────────────────────────────────────────────────────────
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="filesystem://")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
if CELERY_BROKER_URL.startswith("filesystem://"):
    _queue = VAR_DIR / "queue"
    for _name in ("messages", "control", "processed"):
        (_queue / _name).mkdir(parents=True, exist_ok=True)
    # The in and the out folder are the same on purpose: one machine, producers and workers share it.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "processed_folder": str(_queue / "processed"),
        "store_processed": False,
    }
else:
    # A broker that is down must not hold up intake: publishing gives up at once, the sweeps catch up.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_connect_timeout": 1,
        "socket_timeout": 5,
        "visibility_timeout": 3600,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "apps.feedback.tasks.link_near_duplicates_task": {"queue": "intake"},
    "apps.messaging.tasks.*": {"queue": "messages"},
}
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# ── API ────────────────────────────────────────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.core.api.authentication.IntegrationTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.core.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "apps.core.api.pagination.NewestFirst",
    "DEFAULT_THROTTLE_CLASSES": ["apps.core.api.throttling.TokenThrottle"],
    "DEFAULT_THROTTLE_RATES": {"token": env.str("API_THROTTLE", default="6000/min")},
    "DEFAULT_SCHEMA_CLASS": "drf_standardized_errors.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.api.errors.problem_details",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": None,
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_FORMATTER_CLASS": "apps.core.api.errors.ProblemFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "feedback_crm API",
    "DESCRIPTION": "Feedback in, graded and timed; see docs/api.md.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    # Phones, addresses and order numbers never reach a log file whole (domain.md 2.2).
    "filters": {"mask": {"()": "apps.core.logs.MaskingFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["mask"], "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # These log whole addresses, and with them keys and tokens of gateways.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}

# ── E-mail ─────────────────────────────────────────────────────────────────────────────────────────────────────
# smtp+tls://user:password@host:587, or the backend of a mail service (django-anymail) with its settings as JSON.
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    try:
        vars().update(environ.Env.email_url_config(EMAIL_URL))
    except Exception:
        stop("EMAIL_URL cannot be read: expected e.g. smtp+tls://user:password@mail.example.com:587")
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="") or (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_URL
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="feedback@localhost")
ANYMAIL = env.json("ANYMAIL", default={})

# ── Public pages ───────────────────────────────────────────────────────────────────────────────────────────────
# How many proxies stand in front and add to X-Forwarded-For; 0 believes the socket alone.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
if not 0 <= TRUSTED_PROXIES <= 9:
    stop(f"TRUSTED_PROXIES={TRUSTED_PROXIES} must be a number from 0 to 9")
CSRF_FAILURE_VIEW = "apps.core.web.pages.csrf_failure"
PUBLIC_ENTRY = {
    # Feedback within ten minutes: from one network address, for one store.
    "per_address": env.int("PUBLIC_ENTRY_PER_ADDRESS", default=6),
    "per_store": env.int("PUBLIC_ENTRY_PER_STORE", default=300),
    "seconds": 600,
    # Nobody reads and fills a form in less; who does is asked to press once more, not refused.
    "least_seconds": 2,
    "photos": 6,
    # What a customer may still add to after a case ended.
    "add_within_days": 30,
    # Name and telephone left on a public page are taken away this long after the case ended.
    "keep_contact_days": 365,
}
if min(PUBLIC_ENTRY["per_address"], PUBLIC_ENTRY["per_store"]) < 1:
    stop("PUBLIC_ENTRY_PER_ADDRESS and PUBLIC_ENTRY_PER_STORE must be at least 1")

# Historical rows are posted longer ago than this many days (docs/decisions/0002-readings.md, decision 3).
FEEDBACK_HISTORICAL_AFTER_DAYS = 30

# Imports in the back office: the largest file, how many run at once beside the other background work, after how long
# without a sign of life a worker counts as gone, and how many rows are checked at once while the person waits.
FEEDBACK_IMPORT_MAX_MB = env.int("FEEDBACK_IMPORT_MAX_MB", default=200)
if FEEDBACK_IMPORT_MAX_MB < 1:
    stop(f"FEEDBACK_IMPORT_MAX_MB={FEEDBACK_IMPORT_MAX_MB} must be at least 1")
FEEDBACK_IMPORT_PARALLEL = 1
FEEDBACK_IMPORT_STALE_SECONDS = 180
FEEDBACK_IMPORT_AT_ONCE_ROWS = 2000

# Automation: how long runs of rules and outgoing webhooks are kept, and where webhooks may go.
AUTOMATION_KEEP_DAYS = env.int("AUTOMATION_KEEP_DAYS", default=180)
WEBHOOK_ALLOW_PRIVATE = env.bool("WEBHOOK_ALLOW_PRIVATE", default=False)
WEBHOOK_ALLOW_HTTP = env.bool("WEBHOOK_ALLOW_HTTP", default=False)
