"""The flow that adds an EMS to an entry, or gives it another name."""

from typing import Final, cast

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import AbortFlow
import probatio

from .const import CONF_DEVICE_UID, CONF_PREFIX
from .discovery import end_discovery, is_configured_uid, is_uid_like_emu
from .forms import CONF_ADD_ANYWAY, TEXT, Input, text_of, with_anyway
from .probe import async_answers, error_key
from .protocol.topics import EmsAddress, is_level
from .runtime import EmuOtaConfigEntry
from .subentry_flow import SubentryFlow
from .transport import TransportError

EMS_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_DEVICE_UID): TEXT, probatio.Optional(CONF_NAME): TEXT})
RENAME_SCHEMA: Final = probatio.Schema({probatio.Optional(CONF_NAME): TEXT})


class EmsSubentryFlow(SubentryFlow):
    """Adds an EMS, or gives it another name."""

    async def async_step_user(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Add an EMS that answers over the entry's connection."""
        entry = self._loaded_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            uid = text_of(user_input, CONF_DEVICE_UID)
            errors = await self._async_errors(entry, uid, anyway=bool(user_input.get(CONF_ADD_ANYWAY)))
            if not errors:
                end_discovery(self.hass, uid)
                title = text_of(user_input, CONF_NAME) or uid
                return self.async_create_entry(title=title, data={CONF_DEVICE_UID: uid}, unique_id=uid)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                with_anyway(EMS_SCHEMA, offered=self._anyway_offered), user_input
            ),
            errors=errors,
        )

    async def async_step_reconfigure(self, user_input: Input | None = None) -> SubentryFlowResult:
        """Change the name; another uid would be another EMS."""
        entry, subentry = self._loaded_entry(), self._get_reconfigure_subentry()
        uid = cast("str", subentry.data[CONF_DEVICE_UID])
        if user_input is not None:
            return self.async_update_and_abort(entry, subentry, title=text_of(user_input, CONF_NAME) or uid)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(RENAME_SCHEMA, {CONF_NAME: subentry.title}),
            description_placeholders={CONF_DEVICE_UID: uid},
        )

    async def _async_errors(self, entry: EmuOtaConfigEntry, uid: str, *, anyway: bool) -> dict[str, str]:
        if not is_level(uid):
            return {CONF_DEVICE_UID: "invalid_topic"}
        self._abort_if_configured(uid)
        if is_uid_like_emu(entry, uid):
            return {CONF_DEVICE_UID: "uid_like_emu"}
        address = EmsAddress(cast("str", entry.data[CONF_PREFIX]), uid)
        try:
            answers = await async_answers(entry.runtime_data.transport, address, must_answer=not anyway)
        except TransportError as err:
            return {"base": error_key(err)}
        # The answer may have taken seconds: another flow may have been faster, or the entry be gone.
        self._abort_if_configured(uid)
        self._loaded_entry()
        if answers:
            return {}
        self._anyway_offered = True
        return {CONF_DEVICE_UID: "no_answer"}

    def _abort_if_configured(self, uid: str) -> None:
        if is_configured_uid(self.hass, uid):
            raise AbortFlow("already_configured")
