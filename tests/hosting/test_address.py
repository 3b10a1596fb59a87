"""Under which URL an EMS would fetch, and what is warned of."""

from homeassistant.components.http import ApiConfig
from homeassistant.core import HomeAssistant
import pytest

from custom_components.emu_ota.firmware.address import (
    MAX_PACKAGE_URL,
    BaseSource,
    BaseWarning,
    download_base,
    package_url,
)
from custom_components.emu_ota.firmware.hosting import new_token
from custom_components.emu_ota.firmware.names import url_file_name

LOOPBACK, CONTAINER, HTTPS, MDNS, LONG, UNUSABLE = BaseWarning


@pytest.mark.parametrize(
    ("option", "url", "warnings"),
    [
        ("http://192.0.2.10:8123", "http://192.0.2.10:8123", ()),
        ("  http://ha.example.com/ ", "http://ha.example.com", ()),
        ("http://proxy.example.com/files/ha/?x=1#y", "http://proxy.example.com/files/ha", ()),
        ("HTTP://Ha.Example.com:80", "http://ha.example.com", ()),
        ("http://[2001:db8::1]:8123", "http://[2001:db8::1]:8123", ()),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123", (LOOPBACK,)),
        ("http://127.8.8.8", "http://127.8.8.8", (LOOPBACK,)),
        ("http://localhost:8123", "http://localhost:8123", (LOOPBACK,)),
        ("http://a.localhost.", "http://a.localhost.", (LOOPBACK,)),
        ("http://[::1]", "http://[::1]", (LOOPBACK,)),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]", (LOOPBACK,)),
        ("http://0.0.0.0:8123", "http://0.0.0.0:8123", (LOOPBACK,)),
        ("http://172.17.0.2:8123", "http://172.17.0.2:8123", (CONTAINER,)),
        ("http://172.31.255.255", "http://172.31.255.255", (CONTAINER,)),
        ("http://172.32.0.1", "http://172.32.0.1", ()),
        ("http://homeassistant:8123", "http://homeassistant:8123", (CONTAINER,)),
        ("http://host.docker.internal", "http://host.docker.internal", (CONTAINER,)),
        ("http://0123456789ab:8123", "http://0123456789ab:8123", (CONTAINER,)),
        ("https://ha.example.com", "https://ha.example.com", (HTTPS,)),
        ("https://homeassistant.local:8123", "https://homeassistant.local:8123", (HTTPS, MDNS)),
        ("http://HomeAssistant.local.:8123", "http://homeassistant.local.:8123", (MDNS,)),
        ("http://169.254.1.1", "http://169.254.1.1", (UNUSABLE,)),
        ("http://[fe80::1]", "http://[fe80::1]", (UNUSABLE,)),
        ("http://224.0.0.1", "http://224.0.0.1", (UNUSABLE,)),
        ("http://" + "a" * 83, "http://" + "a" * 83, ()),
        ("http://" + "a" * 84, "http://" + "a" * 84, (LONG,)),
        ("ftp://192.0.2.10", None, (UNUSABLE,)),
        ("192.0.2.10:8123", None, (UNUSABLE,)),
        ("http://", None, (UNUSABLE,)),
        ("http://[::1", None, (UNUSABLE,)),
        ("/files", None, (UNUSABLE,)),
        ("nonsense", None, (UNUSABLE,)),
    ],
)
def test_what_the_user_set_is_warned_of_but_never_refused(
    hass: HomeAssistant, option: str, url: str | None, warnings: tuple[BaseWarning, ...]
) -> None:
    hass.config.internal_url = "http://192.0.2.99"  # is not even looked at
    base = download_base(hass, option)
    assert (base.url, base.source, base.warnings) == (url, BaseSource.OPTION, warnings)


@pytest.mark.parametrize(
    ("internal", "api", "url", "warnings"),
    [
        ("http://ha.lan:8123", None, "http://ha.lan:8123", ()),
        ("http://homeassistant.local:8123", None, "http://homeassistant.local:8123", (MDNS,)),
        ("https://ha.lan", None, "https://ha.lan", (HTTPS,)),
        ("http://localhost:8123", None, "http://localhost:8123", (LOOPBACK,)),
        (None, ("192.0.2.10", 80, False), "http://192.0.2.10", ()),
        (None, ("192.0.2.10", 8123, False), "http://192.0.2.10:8123", ()),
        (None, ("172.17.0.2", 8123, False), "http://172.17.0.2:8123", (CONTAINER,)),
    ],
)
def test_else_it_is_the_internal_url(
    hass: HomeAssistant,
    internal: str | None,
    api: tuple[str, int, bool] | None,
    url: str,
    warnings: tuple[BaseWarning, ...],
) -> None:
    _configure(hass, internal, api)
    hass.config.external_url = "https://external.example.com"  # is not even looked at
    for option in (None, ""):
        base = download_base(hass, option)
        assert (base.url, base.source, base.warnings) == (url, BaseSource.INTERNAL, warnings)


@pytest.mark.parametrize("api", [None, ("127.0.0.1", 8123, False), ("192.0.2.10", 8123, True)])
def test_there_may_be_none(hass: HomeAssistant, api: tuple[str, int, bool] | None) -> None:
    _configure(hass, None, api)
    hass.config.external_url = "https://external.example.com"
    base = download_base(hass, None)
    assert (base.url, base.source, base.warnings) == (None, BaseSource.NONE, ())


def test_the_longest_url_of_a_package_is_below_200_characters() -> None:
    url = package_url("http://" + "a" * 83, new_token(), url_file_name("v" * 300))
    assert len(url) == MAX_PACKAGE_URL == 199


def test_the_url_of_a_package_is_the_one_that_is_served() -> None:
    url = package_url("http://192.0.2.10:8123/proxy", "token", "emu-v1.2.0.zip")
    assert url == "http://192.0.2.10:8123/proxy/api/emu_ota/firmware/token/emu-v1.2.0.zip"


def _configure(hass: HomeAssistant, internal: str | None, api: tuple[str, int, bool] | None) -> None:
    hass.config.internal_url = internal
    hass.config.api = None
    if api is not None:
        address, port, ssl = api
        hass.config.api = ApiConfig(local_ip=address, host="0.0.0.0", port=port, use_ssl=ssl)  # noqa: S104 - as by default
