"""Writes docs/reliability.md from the fault matrix in tests/survival; `--check` only tells whether it is current."""

from importlib import import_module
from pathlib import Path
import sys

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"


def main(arguments: list[str], page: Path = PAGE) -> int:
    """Write the page, or check it."""
    sys.path.insert(0, str(ROOT))
    wanted: str = import_module("tests.survival.matrix.page").page()
    if "--check" not in arguments:
        page.write_text(wanted, encoding="utf-8")
    elif not page.exists() or page.read_text(encoding="utf-8") != wanted:
        print(f"{page.name} is not what the matrix says: run scripts/reliability_page.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
