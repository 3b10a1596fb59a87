"""Where Home Assistant looks for custom integrations; a package so that the tests can import from it."""
