"""What a form shows."""

from homeassistant.config_entries import ConfigFlowResult, SubentryFlowResult
from homeassistant.data_entry_flow import section
import probatio


def fields(result: ConfigFlowResult | SubentryFlowResult) -> set[str]:
    """Return the names of the fields, and of the sections."""
    return {str(key) for key in _schema(result).schema}


def suggested(result: ConfigFlowResult | SubentryFlowResult) -> dict[str, object]:
    """Return what is filled in already, by field; that of a section stands in a dict of its own."""
    return _suggested(_schema(result))


def _suggested(schema: probatio.Schema) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in schema.schema.items():
        if isinstance(value, section):
            found[str(key)] = _suggested(value.schema)
        elif key.description:
            found[str(key)] = key.description["suggested_value"]
    return found


def _schema(result: ConfigFlowResult | SubentryFlowResult) -> probatio.Schema:
    schema = result["data_schema"]
    assert schema is not None
    return schema
