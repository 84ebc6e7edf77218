"""What happens in the demo: people at work on a forge in memory, one small story for each outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.vcs import ChangeKey
from providers.vcs.memory import MemoryForge

REPOSITORY = "acme/shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One thing that happens. play: does it on the forge, and says which change to look at afterwards.

    end: what stops again once the change has been judged.
    """

    told: str
    play: Callable[[MemoryForge], ChangeKey]
    end: Callable[[MemoryForge], None] = lambda forge: None


def stage(forge: MemoryForge) -> None:
    """The repository before anything happens."""
    forge.create_repository(REPOSITORY, {"README.md": "# The shop\n", "shop/cart.py": "items = []\n"})
    forge.push(REPOSITORY, "release/1.4", {"VERSION": "1.4\n"}, by="rosa")
    forge.outbox()


def _admitted(forge: MemoryForge) -> ChangeKey:
    key = forge.open_change(
        REPOSITORY,
        head="fix-rounding",
        by="ana",
        title="Round prices to cents",
        labels=["kind/bug"],
        files={"shop/price.py": "def cents(price):\n    return round(price * 100)\n"},
    )
    forge.approve(key, by="ben")
    return key


def _denied(forge: MemoryForge) -> ChangeKey:
    return forge.open_change(
        REPOSITORY, head="cache", by="ben", title="Keep prices in a cache", files={"shop/cache.py": "prices = {}\n" * 30}
    )


def _held(forge: MemoryForge) -> ChangeKey:
    key = forge.open_change(
        REPOSITORY,
        head="backport-rounding",
        base="release/1.4",
        by="ana",
        title="Round prices to cents in 1.4",
        labels=["kind/bug"],
        files={"shop/price.py": "def cents(price):\n    return round(price * 100)\n"},
    )
    forge.approve(key, by="ben")
    return key


def _undecided(forge: MemoryForge) -> ChangeKey:
    forge.weather.torn()
    return forge.open_change(
        REPOSITORY, head="busy", by="rosa", title="Rewrite the checkout", labels=["kind/feature"], files={"shop/checkout.py": "step = 1\n"}
    )


def _calm(forge: MemoryForge) -> None:
    forge.weather.clear()


def _mended(forge: MemoryForge) -> ChangeKey:
    key = ChangeKey(repository=REPOSITORY, number=2)
    forge.label(key, "kind/feature")
    forge.approve(key, by="ana")
    return key


SCENES = (
    Scene(told="ana mends a bug, labels it, and ben approves", play=_admitted),
    Scene(told="ben opens a change without a label, and nobody has approved it", play=_denied),
    Scene(told="ana's mend goes to a release branch too, and release managers have a say there", play=_held),
    Scene(
        told="rosa pushes while her change is read: the facts do not fit together, so nothing is decided on them",
        play=_undecided,
        end=_calm,
    ),
    Scene(told="ben's change gets its label, and ana approves it", play=_mended),
)
