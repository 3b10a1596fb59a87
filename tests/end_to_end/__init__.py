"""The main job with nothing simulated but the site: a real broker, real MQTT, a real download."""
