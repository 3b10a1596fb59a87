"""What goes over the wire between a controller and an EMS, and what an upgrade is.

Pure: no Home Assistant, no asyncio, no clock, no logger; bytes in, values out.
"""
