"""What a user is told when an upgrade cannot be asked for, or did not succeed: translated, with cause and remedy."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .announcements import to_version
from .const import DOMAIN
from .protocol.upgrade import Order, Outcome, Upgrade


def invalid_request(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error for a request that the user can put right."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


def upgrade_interrupted(name: str) -> HomeAssistantError:
    """Return the error for an upgrade that nobody watches any more, though it goes on."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="upgrade_interrupted", translation_placeholders={"name": name}
    )


def raise_for_outcome(upgrade: Upgrade, name: str) -> None:
    """Raise for every outcome but a success. Raises HomeAssistantError."""
    if upgrade.outcome is Outcome.SUCCEEDED:
        return
    cause = upgrade.reason or upgrade.outcome or Outcome.FAILED
    raise HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=f"upgrade_{cause.value}",
        translation_placeholders=outcome_placeholders(upgrade, name),
    )


def outcome_placeholders(upgrade: Upgrade, name: str) -> dict[str, str]:
    """Return what the sentences about an outcome name; `name` is what the user calls the EMU."""
    return {
        "name": name,
        "version": upgrade.order.version or _file_name(upgrade.order),
        "read_version": to_version(upgrade) or "?",
    }


def _file_name(order: Order) -> str:
    """Return what stands for the version where none was given; what follows the path may be a secret."""
    return PurePosixPath(urlsplit(order.download_url or "").path).name or "?"
