"""`python -m simulator` runs on its own, says what it does and ends cleanly."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
import signal
import sys

import orjson
import pytest

from custom_components.emu_ota.protocol.commands import Stamp, ask_versions, order_upgrade
from custom_components.emu_ota.protocol.models import VersionResult
from custom_components.emu_ota.protocol.topics import EmsAddress
from custom_components.emu_ota.transport.broker import BrokerSettings, BrokerTransport
from simulator.arguments import parser
from simulator.cli import main
from simulator.faults import Fault

from .test_site import STAMP, Controller

ROOT = Path(__file__).parents[2]
START_LIMIT = 30


async def run(*arguments: str) -> Process:
    """Start the simulator."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )


@asynccontextmanager
async def running(*arguments: str) -> AsyncGenerator[tuple[Process, dict[str, dict[str, object]]]]:
    """Run the simulator with its own broker; yields what it said until it was ready, by event."""
    process = await run("--broker", "--port", "0", "--json", *arguments)
    try:
        said: dict[str, dict[str, object]] = {}
        async with asyncio.timeout(START_LIMIT):
            while "ready" not in said:
                assert process.stdout is not None
                line = await process.stdout.readline()
                assert line, await process.communicate()
                body = orjson.loads(line)
                said[body["event"]] = body
        yield process, said
    finally:
        # Not killed: its broker would stay behind.
        if process.returncode is None:
            process.terminate()
            await process.communicate()


def settings(said: dict[str, dict[str, object]]) -> BrokerSettings:
    """Return how to connect to the simulator's broker."""
    port = said["broker"]["port"]
    assert isinstance(port, int)
    return BrokerSettings(host="127.0.0.1", port=port, client_id="controller")


def test_help_names_every_fault() -> None:
    text = parser().format_help()
    for fault in Fault:
        assert f"\n  {fault} " in text


async def test_help_needs_nothing_but_the_program() -> None:
    process = await run("--help")
    said, complained = await process.communicate()
    assert (process.returncode, complained) == (0, b"")
    assert b"--fault" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ems", "a/b"], "not a topic level"),
        (["--prefix", "a/#"], "no topic levels"),
        (["--tenant", "a", "--product-key", "b"], "not allowed with"),
        (["--fault", "nonsense"], "with a name from --help"),
        (["--fault", "stall:colour=red"], "no key colour"),
        (["--fault", "stall:stage=9"], "not a valid Stage"),
        (["--speed", "0"], "not a factor"),
        (["--emus", "many"], "not a whole number"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ems", "a", "--ems", "a"], "the same uid"),
        (["--offline", "9"], "no EMU 9"),
        (["--firmware", "9=emu-v1.0.0"], "no EMU 9"),
        (["--fault", "stall@other/2"], "no EMS other"),
        (["--port", "0"], "goes with --broker"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_a_reason(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "uid", "emu", "times", "percent"),
    [
        ("stall", None, None, None, None),
        ("stall@2", None, 2, None, None),
        ("stall@iYRkfVpi77", "iYRkfVpi77", None, None, None),
        ("stall@iYRkfVpi77/3*2:percent=40", "iYRkfVpi77", 3, 2, 40),
        ("stall*1", None, None, 1, None),
    ],
)
def test_a_fault_can_be_told_where_and_how_often(
    text: str, uid: str | None, emu: int | None, times: int | None, percent: int | None
) -> None:
    (fault,) = parser().parse_args(["--fault", text]).fault
    setting = fault.setting
    assert (setting.fault, fault.uid, setting.emu, setting.times, setting.percent) == (
        Fault.STALL,
        uid,
        emu,
        times,
        percent,
    )


async def test_a_broker_that_is_not_there_is_told_in_one_line() -> None:
    process = await run("--port", "1")
    _, complained = await process.communicate()
    assert process.returncode == 1
    assert complained.decode().splitlines()[-1].startswith("python -m simulator: CannotConnect")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_runs_a_site_upgrades_it_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    address = EmsAddress("v1/user/acme", "iYRkfVpi77")
    state = tmp_path / "state.json"
    arguments = (
        "--tenant=acme",
        f"--ems={address.uid}",
        "--serve-port=0",
        "--offline=4",
        "--speed=200",
        f"--state={state}",
    )
    async with running(*arguments) as (process, said):
        transport = BrokerTransport(settings(said), keep_session=False)
        controller = Controller(transport, address)
        await controller.start()
        url, md5 = said["package"]["url"], said["package"]["md5"]
        assert isinstance(url, str)
        assert isinstance(md5, str)
        await controller.send(order_upgrade(address, STAMP, 2, url, md5))
        versions: list[str | None] = []
        while versions != ["emu-v1.1.0", "emu-v1.0.0", None]:
            await controller.send(ask_versions(address, Stamp(mid="m", trace_id="t", timestamp=1)))
            versions = [report.version for report in (await controller.next(VersionResult)).reports]
        await transport.async_stop()
        process.send_signal(number)
        output, complained = await process.communicate()
        assert (process.returncode, complained) == (0, b"")
        assert output.splitlines()[-1] == b'{"event":"stopped"}'
        assert md5.encode() not in output

    async with running(*arguments) as (_, said):
        assert orjson.loads(state.read_bytes())[address.uid]["2"] == "emu-v1.1.0"
        transport = BrokerTransport(settings(said), keep_session=False)
        controller = Controller(transport, address)
        await controller.start()
        await controller.send(ask_versions(address, STAMP))
        assert (await controller.next(VersionResult)).reports[0].version == "emu-v1.1.0"
        await transport.async_stop()
