"""The protocol package stands alone: it loads in a Python that has no Home Assistant."""

import json
from pathlib import Path
import subprocess
import sys

from custom_components.emu_ota import protocol

PACKAGE = Path(protocol.__file__)
MODULES = sorted(module.stem for module in PACKAGE.parent.glob("*.py") if module.stem != "__init__")

LOAD_ALONE = """
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
import json
import sys

package, *modules = sys.argv[1:]
spec = spec_from_file_location("alone", package, submodule_search_locations=[package.rpartition("/")[0]])
sys.modules["alone"] = module_from_spec(spec)
spec.loader.exec_module(sys.modules["alone"])
before = set(sys.modules)
for module in modules:
    import_module(f"alone.{module}")
message = sys.modules["alone.parser"].parse("a/b/ota/emu_version/command", b'{"mid":"m",}')
print(json.dumps([message.envelope.mid, sorted(sys.modules), sorted(set(sys.modules) - before)]))
"""


def test_every_module_of_the_package_loads_without_home_assistant() -> None:
    run = subprocess.run(  # noqa: S603 - our own Python with our own text
        [sys.executable, "-c", LOAD_ALONE, str(PACKAGE), *MODULES],
        capture_output=True,
        check=True,
        cwd=PACKAGE.parent,
        text=True,
    )
    mid, loaded, by_the_package = json.loads(run.stdout)

    assert mid == "m"
    assert {f"alone.{module}" for module in MODULES} <= set(by_the_package)
    tops = {name.partition(".")[0] for name in by_the_package} - {"alone"}
    assert tops - set(sys.stdlib_module_names) == {"orjson"}
    assert not {"homeassistant", "custom_components", "asyncio", "logging"} & set(loaded)
