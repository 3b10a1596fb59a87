"""The cells share the fixtures of a whole site."""

from tests.site.conftest import _quiet, broker, expected_logs, hass_config_dir, make_world, world

__all__ = ["_quiet", "broker", "expected_logs", "hass_config_dir", "make_world", "world"]
