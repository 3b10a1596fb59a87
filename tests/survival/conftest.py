"""What the tests of survival have in common with others: a folder of their own, a broker in memory, a real one."""

from tests.end_to_end.conftest import mosquitto
from tests.site.conftest import broker, hass_config_dir

__all__ = ["broker", "hass_config_dir", "mosquitto"]
