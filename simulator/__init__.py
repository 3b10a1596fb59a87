"""An EMS with its EMUs, for trying the integration out, for its tests and for the demo.

The core is sans-IO and knows no clock: time is what the caller says it is, in seconds since 1970.

    ems = SimulatedEms(                                       # simulator.ems
        EmsAddress("v1/wudun/demo", "iYRkfVpi77"),            # protocol.topics
        [SimulatedEmu(2), SimulatedEmu(3), SimulatedEmu(4, online=False)],   # simulator.emu
        EmsSettings(revision=Revision.C, timings=REALISTIC),  # simulator.ems, simulator.timings (REALISTIC, FAST)
    )
    ems.faults.on(Fault.STALL, emu=2, percent=40, times=1)    # simulator.faults
    ems.faults.off(Fault.STALL)
    ems.emu(2).version; ems.emu(4).online = True              # what an EMU is can be looked at and changed

`SimulatedEmu(device_id, version="emu-v1.0.0", online=True, boards=2)`; `EmsSettings(revision=B, timings=REALISTIC,
tells_reply=False, trailing_commas=None (on for B), rests_at_512=False, progress_at_rest=True,
seed=0)`. Every `Fault` has a line in `faults.DESCRIPTIONS`; the fields of `FaultSetting` say how strong, where and how
often it strikes. `ems.fall_silent(seconds)` is a restart of the EMS at any moment.

Driven by a site, over any `Transport` (also `BrokerTransport`):

    package = build_package("emu-v1.2.0")                     # simulator.package: bytes of a tar.gz; md5_of(package)
    broker = MemoryBroker()                                   # simulator.memory
    downloads = MemoryDownloads({url: package})               # simulator.downloads; HttpDownloads() fetches for real

    site = Site(MemoryTransport(broker), [ems], downloads)    # simulator.site: virtual time
    await site.start()                                        # connects, and subscribes to the commands
    await site.advance(now)                                   # publishes all that is due up to now; when it returns,
                                                              # the other transports' callbacks have been called
    await site.stop()

    site = LiveSite(transport, [ems], HttpDownloads())        # the same in real time, by a task of its own

`Site` takes the time of what it hears from `time.time()` (so a frozen clock holds for it) or from `clock=`. One long
step and many short ones publish the same. A fault that is switched off, or an EMU set online, between two calls of
`advance` goes on from the time of the first; `LiveSite.changed()` makes a live one look. `SimulatedEms(..., tell=...)`
is told every `Happening` (simulator.happenings). An upgrade of three components takes about 240 s when REALISTIC, 3 s
when FAST.

In memory: `monkeypatch.setitem(connection.TRANSPORTS, "memory", lambda hass, data: MemoryTransport(broker))`.

    broker.connected = False / True        every transport loses / regains its connection (start raises CannotConnect)
    transport.cut(); transport.heal()      one transport only; `keep_session=True` gets afterwards what it missed
    broker.transports                      every transport that was made on it, oldest first
    broker.refused.add(topic)              subscriptions to it raise NotAuthorized
    broker.start_error = InvalidAuth()     what async_start raises
    broker.fail_publish(topic, error, delivered=False, times=1)
    broker.publish(topic, payload, retained=False)            as somebody else
    broker.published                       list of Published(topic, payload, retained), in order; broker.payloads(topic)
    broker.retained                        topic -> payload

For real: `EmbeddedBroker` (simulator.embedded_broker; mosquitto, else iotcore), `PackageServer`
(simulator.package_server), both `async with`, both with `.host` and `.port`; `PackageServer(directory).url(name)`.
`python -m simulator --help` says how it runs on its own; `--state FILE` keeps the EMUs' versions between two runs.
"""
