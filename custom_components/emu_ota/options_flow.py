"""The flow for the options of an entry."""

from typing import Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.helpers.translation import async_get_translations
import probatio

from .const import (
    CONF_DOWNLOAD_BASE_URL,
    CONF_INDEX_URL,
    CONF_MAX_PARALLEL,
    CONF_QUEUE_TIMEOUT,
    DEFAULT_MAX_PARALLEL,
    DEFAULT_QUEUE_TIMEOUT,
    DOMAIN,
)
from .firmware.address import BaseSource, download_base, package_url
from .forms import WEB_ADDRESS, Input, is_web_address, text_of, whole_number

OPTIONS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(CONF_DOWNLOAD_BASE_URL): WEB_ADDRESS,
        probatio.Optional(CONF_INDEX_URL): WEB_ADDRESS,
        probatio.Required(CONF_MAX_PARALLEL, default=DEFAULT_MAX_PARALLEL): whole_number(1, 100),
        probatio.Required(CONF_QUEUE_TIMEOUT, default=DEFAULT_QUEUE_TIMEOUT): whole_number(1, 7 * 24 * 60, "min"),
    }
)

_ADDRESSES: Final = (CONF_DOWNLOAD_BASE_URL, CONF_INDEX_URL)
# As long as a real token and as a usual name, so that the example is as long as a real link.
_EXAMPLE: Final = ("0123456789abcdefghijkl", "emu-v1.2.0.tar.gz")


class EmuOtaOptionsFlow(OptionsFlow):
    """Changes the options of an entry; they take effect in place."""

    async def async_step_init(self, user_input: Input | None = None) -> ConfigFlowResult:
        """Show the one form, with what an EMS would get by it, and save what it says."""
        if user_input is None:
            return await self._async_show_form(self.config_entry.options, {})
        addresses = {field: text_of(user_input, field) for field in _ADDRESSES}
        errors = {field: "invalid_url" for field, text in addresses.items() if text and not is_web_address(text)}
        if errors:
            return await self._async_show_form(user_input, errors)
        told = {**user_input, **addresses}
        return self.async_create_entry(data={key: value for key, value in told.items() if value != ""})

    async def _async_show_form(self, typed: Input, errors: dict[str, str]) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(OPTIONS_SCHEMA, typed),
            errors=errors,
            description_placeholders=await self._async_download(text_of(typed, CONF_DOWNLOAD_BASE_URL)),
        )

    async def _async_download(self, option: str) -> dict[str, str]:
        """Return a link as an EMS would get it, and what may be wrong with it, as a list in Markdown."""
        base = download_base(self.hass, option)
        warnings = [warning.value for warning in base.warnings]
        if base.source is BaseSource.NONE:
            warnings.append("no_address")
        language = self.hass.config.language
        texts = await async_get_translations(self.hass, language, "selector", {DOMAIN})
        path = f"component.{DOMAIN}.selector.download_warning.options"
        return {
            "example": "-" if base.url is None else package_url(base.url, *_EXAMPLE),
            "warnings": "".join(f"\n\n⚠️ {texts[f'{path}.{warning}']}" for warning in warnings),
        }
