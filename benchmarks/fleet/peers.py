"""What a user would build with Home Assistant's MQTT, as configuration.yaml: `yaml`, and what an expert makes of it."""

from typing import Final

from .shape import NEW, Shape

type Yaml = dict[str, object]

_STATUS: Final = "{1: 'running', 2: 'offline', 3: 'fault'}"
_STAGE: Final = "{1: 'preparing_upgrade', 2: 'preparing_transfer', 3: 'transferring', 4: 'verifying', 5: 'idle'}"
_COMPONENT: Final = (
    "{3: 'emu', 21: 'board 1', 22: 'board 2', 23: 'board 3', 24: 'board 4', 25: 'board 5', 26: 'board 6'}"
)
_VALUES: Final = {
    "Status": f"{_STATUS}[emu.status]",
    "Stage": f"{_STAGE}[emu.emu_upgrade_status]",
    "Component": f"{_COMPONENT}[emu.emu_upgrade_device]",
    "Progress": "emu.emu_upgrade_content",
    "Result": "emu.emu_upgrade_success",
}
"""Five sensors, each with what it shows of a report."""
_UPDATE: Final = (
    f"{{'installed_version': emu.emu_product_sn, 'latest_version': '{NEW}', "
    "'update_percentage': emu.emu_upgrade_content if emu.emu_upgrade_status == 3 else none, "
    "'in_progress': emu.emu_upgrade_status < 5} | to_json"
)


def yaml(shape: Shape) -> Yaml:
    """Return one update entity and five sensors per EMU, each of which picks its EMU out of every message.

    An entity has one topic, and its figures come on two, in a list and alone: so it hears both, and keeps its state
    where a message is not about its EMU.
    """
    updates: list[Yaml] = []
    sensors: list[Yaml] = []
    for uid in shape.uids:
        topic = f"{shape.prefix}/{uid}/ota/+/result"
        for device_id in shape.device_ids:
            pick = (
                "{% set reports = value_json.data if value_json.data is list else [value_json.data] %}"
                f"{{% set emu = reports | selectattr('device_id', 'eq', {device_id}) | first | default %}}"
            )
            updates.append(
                _entity(uid, device_id, "Firmware", topic, f"{pick}{{{{ {_UPDATE} if emu.status is defined }}}}")
            )
            sensors += [
                _entity(
                    uid, device_id, name, topic, f"{pick}{{{{ {value} if emu.status is defined else this.state }}}}"
                )
                for name, value in _VALUES.items()
            ]
    return {"mqtt": [{"update": updates, "sensor": sensors}]}


def expert(shape: Shape) -> Yaml:
    """Return an automation that splits each list and publishes it per EMU, and entities that hear their own topic."""
    updates: list[Yaml] = []
    sensors: list[Yaml] = []
    for uid in shape.uids:
        for device_id in shape.device_ids:
            topic = f"emus/{uid}/{device_id}"
            pick = "{% set emu = value_json %}"
            updates.append(_entity(uid, device_id, "Firmware", topic, f"{pick}{{{{ {_UPDATE} }}}}"))
            sensors += [
                _entity(uid, device_id, name, topic, f"{pick}{{{{ {value} }}}}") for name, value in _VALUES.items()
            ]
    automation: Yaml = {
        "alias": "Split the EMSs' results",
        "mode": "queued",
        "max": 1000,
        "triggers": [
            {"trigger": "mqtt", "topic": f"{shape.prefix}/+/ota/{name}/result"}
            for name in ("emu_version", "emu_upgrade_result")
        ],
        "actions": [
            {
                "repeat": {
                    "for_each": "{{ [trigger.payload_json.data] if trigger.payload_json.data is mapping "
                    "else trigger.payload_json.data }}",
                    "sequence": [
                        {
                            "action": "mqtt.publish",
                            "data": {
                                "topic": "emus/{{ trigger.payload_json.device_uid }}/{{ repeat.item.device_id }}",
                                "payload": "{{ repeat.item | to_json }}",
                            },
                        }
                    ],
                }
            }
        ],
    }
    return {"mqtt": [{"update": updates, "sensor": sensors}], "automation": [automation]}


def _entity(uid: str, device_id: int, name: str, topic: str, template: str) -> Yaml:
    device: Yaml = {"identifiers": [f"{uid}_{device_id}"], "name": f"{uid} EMU {device_id}"}
    unique_id = f"{uid}_{device_id}_{name.lower()}"
    return {"name": name, "unique_id": unique_id, "state_topic": topic, "value_template": template, "device": device}
