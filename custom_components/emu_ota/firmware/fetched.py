"""What has been fetched of a hosted package: it belongs to the upgrade, so it lives in the protocol package."""

from ..protocol.fetched import MAX_ADDRESSES, MAX_RANGES, Fetched, Range, fetched_from_record

__all__ = ["MAX_ADDRESSES", "MAX_RANGES", "Fetched", "Range", "fetched_from_record"]
