"""Settings for Django's test suite: the services of this recipe."""

DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": "django"},
    "other": {"ENGINE": "django.db.backends.postgresql", "NAME": "other"},
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:6379"}}
SECRET_KEY = "for tests only"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
