"""The whole way of an upgrade."""

from .world import NEW, OLD, World


async def test_an_install_goes_the_whole_way_and_succeeds(world: World) -> None:
    """Queued, ordered, transferred, restarted, and the new version read back."""
    assert world.update().state == "on"
    assert world.update().attributes["installed_version"] == OLD
    assert world.update().attributes["latest_version"] == NEW
    install = await world.install()
    stages = [world.stage()]

    def ended() -> bool:
        if world.stage() != stages[-1]:
            stages.append(world.stage())
        return install.done()

    await world.until(ended)
    await install
    assert world.update().state == "off"
    assert world.update().attributes["installed_version"] == NEW
    assert world.last_upgrade() == ("succeeded", None)
    assert len(world.orders()) == 1
