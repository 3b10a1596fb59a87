"""Puts together the releases that several sources know."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from .release import Release, Source

_PREFERENCE: Final = tuple(Source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A version that two sources have different files for: nobody can tell which is the right one."""

    version: str
    sources: tuple[Source, ...]
    """All that know the version, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What can be offered, and what cannot; each in the order in which the versions came up first."""

    releases: tuple[Release, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def combine(candidates: Iterable[Release]) -> Catalog:
    """Return one release per version: the nearest source's, with what it leaves open filled in by the next.

    Files are the same where no hash that two sources know differs. Otherwise the version is a conflict, and none of
    its releases is offered.
    """
    by_version: dict[str, list[Release]] = {}
    for candidate in candidates:
        by_version.setdefault(candidate.version, []).append(candidate)
    releases: list[Release] = []
    conflicts: list[Conflict] = []
    for version, same in by_version.items():
        same.sort(key=lambda release: _PREFERENCE.index(release.source))
        if _differ(release.md5 for release in same) or _differ(release.sha256 for release in same):
            conflicts.append(Conflict(version=version, sources=tuple(release.source for release in same)))
        else:
            releases.append(_filled(same))
    return Catalog(releases=tuple(releases), conflicts=tuple(conflicts))


def _differ(digests: Iterable[str | None]) -> bool:
    return len({digest.lower() for digest in digests if digest is not None}) > 1


def _filled(same: list[Release]) -> Release:
    # It is one file, so what one source says of it holds wherever it comes from, a minimum above all.
    return replace(
        same[0],
        sha256=_first(release.sha256 for release in same),
        size=_first(release.size for release in same),
        released=_first(release.released for release in same),
        summary=_first(release.summary for release in same),
        notes=_first(release.notes for release in same),
        url=_first(release.url for release in same),
        min_version=_first(release.min_version for release in same),
    )


def _first[Value](values: Iterable[Value | None]) -> Value | None:
    return next((value for value in values if value is not None), None)
