"""What the forms of all flows share: kinds of fields, and what is read out of them."""

from collections.abc import Mapping
from typing import Final

from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import probatio
from yarl import URL

CONF_ADD_ANYWAY: Final = "add_anyway"

type Input = Mapping[str, object]

TEXT: Final = TextSelector()
NOTES: Final = TextSelector(TextSelectorConfig(multiline=True))
WEB_ADDRESS: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
YES_NO: Final = BooleanSelector()

ANYWAY_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_ADD_ANYWAY, default=False): YES_NO})


def whole_number(least: int, most: int, unit: str | None = None) -> probatio.All[int]:
    """Return a field for a whole number; the frontend itself has only floats."""
    config = NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return probatio.All(NumberSelector(config), probatio.Coerce(int))


def text_of(user_input: Input, key: str) -> str:
    """Return what was typed into a text field, without the blanks around it."""
    return str(user_input.get(key, "")).strip()


def is_web_address(text: str) -> bool:
    """Tell whether a text is a whole address of the kind http or https."""
    try:
        url = URL(text)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


def with_anyway(schema: probatio.Schema, *, offered: bool) -> probatio.Schema:
    """Return a schema with the field `add_anyway` where that is offered."""
    return probatio.Schema({**schema.schema, **ANYWAY_SCHEMA.schema}) if offered else schema
