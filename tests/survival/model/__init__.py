"""Upgrades under everything that can happen to them, in time that passes as fast as it can be computed."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.laws", f"{__name__}.story")
