"""From the login to an upgraded EMU, on the newest Home Assistant, as its owner clicks through it."""

import json
from pathlib import Path
import re

from playwright.async_api import expect

from scripts.demo.api import PASSWORD, USER
from scripts.demo.home_assistant import ROOT
from scripts.demo.site import RELEASE_NOTES
from simulator.package import build_package

from .site import BAD, GOOD, NEW, OLD_VERSION, PRODUCT_KEY, Site
from .ui import Frontend

NEW_VERSION = "emu-v1.2.0"
EXAMPLE_ADDRESS = "http://192.168.1.10:8123"
"""Of a Home Assistant as most homes have it; for the picture only."""
INTEGRATION = "config/integrations/integration/emu_ota"
UPDATE = "config/updates?more-info-entity-id=update.barn_emu_2_firmware"
LAST_UPGRADE = "config/updates?more-info-entity-id=sensor.barn_emu_2_last_upgrade"
CHINESE = json.loads((ROOT / "custom_components/emu_ota/translations/zh-Hans.json").read_text(encoding="utf-8"))
NAMED = {"name": "Barn EMU 2", "version": NEW_VERSION}
"""What the texts about the EMU that is not upgraded name."""
UPGRADE_TIMEOUT = 60_000
"""Milliseconds; it takes about 20 s."""


async def test_an_owner_sets_it_up_and_upgrades_an_emu(site: Site, frontend: Frontend, tmp_path: Path) -> None:
    """One EMU is upgraded; the other is not, and its owner is told why and what to do, in Chinese too."""
    package = tmp_path / f"{NEW_VERSION}.tar.gz"
    package.write_bytes(build_package(NEW_VERSION))
    await frontend.log_in(USER, PASSWORD)
    await add_integration(frontend)
    await set_download_address(frontend)
    await add_ems(frontend)
    await add_firmware(frontend, package)
    await upgrade(frontend)
    await see_its_device(frontend)
    await see_it_fail(frontend)
    await frontend.speak("zh-Hans")
    await see_it_fail_in_chinese(frontend)
    await read_why_in_chinese(frontend)
    await read_the_forms_in_chinese(frontend)
    await frontend.speak("en")
    await try_again(frontend)
    await add_what_is_discovered(site, frontend)
    assert site.complaints() == []


async def add_integration(frontend: Frontend) -> None:
    """Add the integration with its first EMS, through the dialogs."""
    await frontend.open("config/integrations/dashboard")
    await frontend.press("Add integration")
    brands = frontend.page.locator("dialog-add-integration")
    await brands.locator("input").first.fill("EMU OTA")
    await brands.get_by_text("EMU OTA", exact=True).click()
    await expect(frontend.flow.get_by_text("Connect to another MQTT broker")).to_be_visible()
    await frontend.picture("connection", frontend.flow)
    await frontend.choose("Use the MQTT integration of Home Assistant")
    await expect(frontend.flow.get_by_text("Platform default MQTT")).to_be_visible()
    await frontend.picture("topics", frontend.flow)
    await frontend.choose("User-defined MQTT")
    await frontend.fill(product_key=PRODUCT_KEY, device_uid=GOOD)
    await frontend.picture("product-key", frontend.flow)
    await frontend.press("Submit", frontend.flow)
    await frontend.finish()


async def set_download_address(frontend: Frontend) -> None:
    """Tell the address under which the EMSs reach this Home Assistant, which listens on one address only."""
    await frontend.open(INTEGRATION)
    await frontend.press("Configure")
    await frontend.fill(download_base_url=EXAMPLE_ADDRESS)
    await frontend.press("Submit", frontend.flow)
    await frontend.finish()
    await frontend.press("Configure")
    await expect(frontend.flow.get_by_text(f"{EXAMPLE_ADDRESS}/api/emu_ota/firmware/")).to_be_visible()
    await frontend.picture("options", frontend.flow)
    await frontend.fill(download_base_url=frontend.url)
    await frontend.press("Submit", frontend.flow)
    await frontend.finish()


async def add_ems(frontend: Frontend) -> None:
    """Add the second EMS."""
    await frontend.press("Add EMS")
    await frontend.fill(device_uid=BAD, name="Barn")
    await frontend.picture("add-ems", frontend.flow)
    await frontend.press("Submit", frontend.flow)
    await frontend.finish()


async def add_firmware(frontend: Frontend, package: Path) -> None:
    """Upload a package, whose name tells its version."""
    await frontend.press("Add firmware")
    await frontend.choose("Upload a file")
    async with frontend.page.expect_file_chooser() as chooser:
        await frontend.press("Firmware package", frontend.flow)
    await (await chooser.value).set_files(package)
    await expect(frontend.flow.get_by_text(package.name)).to_be_visible()
    await frontend.flow.locator("textarea").fill(RELEASE_NOTES)
    await frontend.picture("upload", frontend.flow)
    await frontend.press("Submit", frontend.flow)
    await expect(frontend.flow.locator("input[name=version]")).to_have_value(NEW_VERSION)
    await expect(frontend.flow.locator("textarea")).to_have_count(0)
    await frontend.picture("version")
    await frontend.press("Submit", frontend.flow)
    await frontend.finish()
    await expect(frontend.page.get_by_text(NEW_VERSION).first).to_be_visible()
    await frontend.picture("integration", frontend.content)


async def upgrade(frontend: Frontend) -> None:
    """Read what is new, install it, watch it, and see it done."""
    await frontend.open("config/updates?more-info-entity-id=update.iyrkfvpi77_emu_2_firmware")
    more = frontend.more
    await expect(more.get_by_text("Charges at full power")).to_be_visible()
    await expect(more.get_by_text(OLD_VERSION)).to_be_visible()
    await expect(more.get_by_text(NEW_VERSION)).to_be_visible()
    await frontend.picture("update", frontend.more)
    await frontend.press("Update", more)
    await expect(more.get_by_text(re.compile(r"Installing \([1-9]\d?%\)"))).to_be_visible()
    await frontend.picture("installing", frontend.more)
    await expect(more.get_by_text("Up-to-date")).to_be_visible(timeout=UPGRADE_TIMEOUT)
    await expect(more.get_by_text(OLD_VERSION)).to_have_count(0)
    await frontend.picture("done")


async def see_its_device(frontend: Frontend) -> None:
    """Find everything about the upgraded EMU on the page of its device."""
    await frontend.open(INTEGRATION)
    await frontend.page.get_by_text(f"{GOOD} EMU 2", exact=True).click()
    # The activity of the device, on the same page, names its entities too.
    entities = frontend.page.locator("ha-device-entities-card")
    await expect(entities.get_by_text("Upgrade stage", exact=True)).to_be_visible()
    await expect(frontend.page.get_by_text(f"Firmware: {NEW_VERSION}")).to_be_visible()
    await frontend.picture("device", frontend.content)


async def see_it_fail(frontend: Frontend) -> None:
    """Press Update where it cannot work, and read why it did not."""
    await frontend.open(UPDATE)
    await frontend.press("Update", frontend.more)
    await expect(frontend.more.get_by_text(f"The EMS could not unpack {NEW_VERSION} for Barn EMU 2.")).to_be_visible()
    await expect(frontend.more.get_by_text("Update available")).to_be_visible()
    await frontend.picture("failed", frontend.more)


async def see_it_fail_in_chinese(frontend: Frontend) -> None:
    """Press it again in the language of a user who reads Chinese."""
    await frontend.open(UPDATE)
    await frontend.press("更新", frontend.more)
    told = CHINESE["exceptions"]["upgrade_unpack_failed"]["message"].format(**NAMED)
    await expect(frontend.more.get_by_text(told)).to_be_visible()
    await frontend.picture("zh-Hans/failed", frontend.more)


async def read_why_in_chinese(frontend: Frontend) -> None:
    """See what became of the last upgrade, and what the repair issue says."""
    texts = CHINESE["entity"]["sensor"]["last_upgrade"]
    reason = texts["state_attributes"]["reason"]
    await frontend.open(LAST_UPGRADE)
    await expect(frontend.more.get_by_text(texts["state"]["failed"], exact=True).first).to_be_visible()
    await frontend.press("菜单", frontend.more)
    await frontend.page.get_by_text("详情", exact=True).click()
    told = frontend.more.get_by_role("listitem").filter(has_text=reason["name"])
    await expect(told).to_contain_text(reason["state"]["unpack_failed"])
    await frontend.picture("chinese-last-upgrade")
    issue = CHINESE["issues"]["upgrade_unpack_failed"]
    step = issue["fix_flow"]["step"]["confirm"]
    await frontend.open("config/repairs")
    await frontend.page.get_by_text(issue["title"].format(**NAMED), exact=True).click()
    await expect(frontend.flow.get_by_text(step["title"].format(**NAMED), exact=True)).to_be_visible()
    await expect(frontend.flow.get_by_text(step["description"].format(**NAMED), exact=True)).to_be_visible()
    await expect(frontend.flow.get_by_role("button", name=step["submit"], exact=True)).to_be_visible()
    await frontend.picture("zh-Hans/repair", frontend.flow)


async def read_the_forms_in_chinese(frontend: Frontend) -> None:
    """Go where a release is added, as far as the form."""
    firmware = CHINESE["config_subentries"]["firmware"]
    await frontend.open(INTEGRATION)
    await frontend.press(firmware["initiate_flow"]["user"])
    menu = firmware["step"]["user"]
    await expect(frontend.flow.get_by_text(menu["title"], exact=True).first).to_be_visible()
    await expect(frontend.flow.get_by_text(menu["menu_option_descriptions"]["link"], exact=True)).to_be_visible()
    await frontend.picture("zh-Hans/add-firmware", frontend.flow)
    await frontend.choose(menu["menu_options"]["upload"])
    upload = firmware["step"]["upload"]
    await expect(frontend.flow.get_by_text(upload["data_description"]["release_notes"], exact=True)).to_be_visible()
    await frontend.picture("zh-Hans/upload", frontend.flow)


async def try_again(frontend: Frontend) -> None:
    """Do what the repair issue proposes, which takes the issue away."""
    await frontend.open("config/repairs")
    issue = frontend.page.get_by_text("Barn EMU 2 was not upgraded: its EMS could not unpack the package", exact=True)
    await expect(issue).to_be_visible()
    await frontend.picture("repairs")
    await issue.click()
    await expect(frontend.flow.get_by_text("Check that the file is the package of the vendor")).to_be_visible()
    await frontend.picture("repair", frontend.flow)
    await frontend.press("Try again", frontend.flow)
    await frontend.finish()
    await expect(issue).to_have_count(0)


async def add_what_is_discovered(site: Site, frontend: Frontend) -> None:
    """Add an EMS that has answered somebody else, with one click."""
    await frontend.open("config/integrations/dashboard")
    await expect(frontend.page.get_by_text("EMU OTA", exact=True).first).to_be_visible()
    await site.ask(NEW)
    card = frontend.page.locator("ha-config-flow-card").filter(has_text=NEW)
    await expect(card).to_be_visible()
    await frontend.picture("discovered", card)
    await frontend.press("Add", card)
    await expect(frontend.flow.get_by_text(f"The EMS with the device UID {NEW}")).to_be_visible()
    await frontend.picture("discovery")
    await frontend.press("Submit", frontend.flow)
    await expect(frontend.flow.get_by_text("The EMS was added to the entry")).to_be_visible()
    await frontend.press("Close", frontend.flow)
    await expect(card).to_have_count(0)
    await frontend.open(INTEGRATION)
    await expect(frontend.page.get_by_text(f"{NEW} EMU 2", exact=True)).to_be_visible()
