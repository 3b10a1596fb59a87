"""Names that more than one module leans on."""

import logging
from typing import Final

DOMAIN: Final = "emu_ota"
LOGGER = logging.getLogger(__package__)

# Subentry types.
SUBENTRY_EMS: Final = "ems"
SUBENTRY_FIRMWARE: Final = "firmware"

# Data of a config entry: its connection and its topic prefix.
CONF_CONNECTION: Final = "connection"
CONNECTION_HOME_ASSISTANT: Final = "home_assistant"
CONNECTION_BROKER: Final = "broker"
CONF_PREFIX: Final = "prefix"
CONF_TLS: Final = "tls"
CONF_TRANSPORT: Final = "transport"
CONF_WS_PATH: Final = "ws_path"
CONF_KEEPALIVE: Final = "keepalive"
CONF_VERIFY_CERTIFICATE: Final = "verify_certificate"
CONF_CA_CERTIFICATE: Final = "ca_certificate"
CONF_CLIENT_CERTIFICATE: Final = "client_certificate"
CONF_CLIENT_KEY: Final = "client_key"

# Data of an `ems` subentry; its title is the EMS's name.
CONF_DEVICE_UID: Final = "device_uid"

# Data of a `firmware` subentry.
CONF_KIND: Final = "kind"
KIND_LINK: Final = "link"
KIND_UPLOAD: Final = "upload"
CONF_DOWNLOAD_URL: Final = "download_url"
CONF_MD5: Final = "md5"
CONF_SIZE: Final = "size"
CONF_PACKAGE: Final = "package"
"""SHA-256 of the package that Home Assistant keeps and serves."""
CONF_FILE_NAME: Final = "file_name"
CONF_MIRROR: Final = "mirror"
CONF_VERSION: Final = "version"
CONF_RELEASE_NOTES: Final = "release_notes"
CONF_RELEASE_URL: Final = "release_url"

# Options of a config entry.
CONF_MAX_PARALLEL: Final = "max_parallel"
CONF_QUEUE_TIMEOUT: Final = "queue_timeout"
CONF_DOWNLOAD_BASE_URL: Final = "download_base_url"
CONF_INDEX_URL: Final = "index_url"
DEFAULT_MAX_PARALLEL: Final = 4
DEFAULT_QUEUE_TIMEOUT: Final = 120
"""Minutes."""
