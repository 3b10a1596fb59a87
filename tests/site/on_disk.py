"""A world whose Home Assistant really writes files. The test, or its module, has to override `hass_storage`."""

import asyncio
from typing import Final, override

from .world import World

WRITES: Final = ("emu_ota save", "emu_ota order")
"""How the names of our tasks begin that wait for the disk."""


class WorldOnDisk(World):
    """A world in which time waits for the disk."""

    @override
    async def settle(self) -> None:
        await super().settle()
        while writes := [task for task in asyncio.all_tasks() if task.get_name().startswith(WRITES)]:
            await asyncio.wait(writes)
            await super().settle()
