"""An upgrade as attributes: of the sensor, of the events, and of the history (design: "Fixed names")."""

from datetime import UTC, datetime

from .announcements import to_version
from .protocol.upgrade import Upgrade


def upgrade_attributes(upgrade: Upgrade) -> dict[str, str | None]:
    """Return what an upgrade's sensor and events tell of it. Times are ISO 8601, in UTC."""
    return {
        "upgrade_id": upgrade.id,
        "reason": None if upgrade.reason is None else upgrade.reason.value,
        "from_version": upgrade.from_version,
        "to_version": to_version(upgrade),
        "started": iso_time(upgrade.ordered_at),
        "ended": iso_time(upgrade.ended_at),
    }


def iso_time(timestamp: float | None) -> str | None:
    """Return a time in seconds since 1970 as ISO 8601, in UTC."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC).isoformat()
