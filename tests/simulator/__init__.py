"""Tests of the simulator: what other tests and the demo stand on."""
