"""The tests of the integration and of its simulator."""
