"""The registry of faults. Every module in this folder is imported; see ../README.md for how to add one."""
import importlib
import pkgutil
import random
from dataclasses import dataclass

REGISTRY = {}


class NotNow(Exception):
    """The fault could not be done at this moment; it is not counted, and comes again later in the run."""


def fault(fault_id, weight=1, locks=(), touches=(), alone=False, hold_s=(0.0, 0.0), needs=None,
          until_end=False, quick=True):
    """Registers a Fault under an id.

    weight   how often beside others; a deck holds the id so many times
    locks    names; two faults that share one never overlap ("postgres", "kafka", "relay-1", ...)
    touches  what it disturbs: programs' kinds, "postgres", "kafka", "http", "hooks"; explains repeated deliveries
    alone    no other fault overlaps: for recovery times
    hold_s   time between inject and heal, uniformly at random
    until_end  healed when all other faults are over, instead of after hold_s
    quick    False: a quick storm leaves it out, because a stronger one of its kind is in it
    needs    function of the build directory: False when that build can not do it (no crash points, say)
    """
    def register(cls):
        assert fault_id not in REGISTRY, f"two faults are called {fault_id}"
        cls.id, cls.weight, cls.alone, cls.hold_s = fault_id, weight, alone, hold_s
        cls.needs, cls.until_end, cls.quick = staticmethod(needs or (lambda _: True)), until_end, quick
        cls.locks, cls.touches = frozenset(locks), frozenset(touches)
        REGISTRY[fault_id] = cls
        return cls
    return register


class Fault:
    """One event of the schedule. inject and heal run in a thread of their own, one after the other; heal runs
    even when inject has failed. Raise NotNow when there was nothing to break."""

    def __init__(self, storm, seed):
        self.storm, self.stack, self.proxy, self.world = storm, storm.stack, storm.stack.proxy, storm.world
        self.rng = random.Random(seed)
        self.facts = {}  # goes into the log of the run

    def inject(self):
        raise NotImplementedError

    def heal(self):
        pass

    def took_place(self):
        """Asked when it is healed: False when nothing came that it could have broken."""
        return True

    @classmethod
    def locks_of(cls, _seed):
        """What the fault of this seed locks: fewer than its class when the seed decides whom it hits."""
        return cls.locks

    def for_long(self):
        """One in five is frozen for longer than every timeout, but in a quick storm."""
        return self.rng.random() < 0.2 and not self.storm.o.quick


@dataclass
class Planned:
    """An entry of the schedule."""
    id: str
    seed: int
    pause_s: float


def load():
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return REGISTRY


def chosen(only, build):
    """Ids that may be used: all that this build can do, or those named exactly or by a prefix ending in *."""
    load()
    def wanted(fault_id):
        return not only or any(fault_id == o or (o.endswith("*") and fault_id.startswith(o[:-1])) for o in only)
    return sorted(i for i, cls in REGISTRY.items() if wanted(i) and cls.needs(build))


def plan(seed, count, ids, pause_s=(0.0, 0.2)):
    """count faults dealt from shuffled decks that hold each id as often as its weight: all ids come equally often."""
    rng, deck, planned = random.Random(seed), [], []
    while len(planned) < count and ids:
        if not deck:
            deck = [i for i in ids for _ in range(REGISTRY[i].weight)]
            rng.shuffle(deck)
        planned.append(Planned(deck.pop(), rng.getrandbits(32), rng.uniform(*pause_s)))
    return planned


def towards(seed, count, ids, done, goal):
    """count faults drawn from those that a campaign still lacks: goal(id) is how often it wants one, done how often
    it has had it. What is left over is dealt as in plan()."""
    rng = random.Random(seed)
    lacking = [i for i in ids for _ in range(goal(i) - done.get(i, 0))]
    drawn = sorted(rng.sample(lacking, min(count, len(lacking))), key=most_locks_first)
    return ([Planned(i, rng.getrandbits(32), rng.uniform(0.0, 0.2)) for i in drawn]
            + plan(rng.getrandbits(32), count - len(drawn), ids))


def most_locks_first(fault_id):
    """Those that keep many others waiting come first, so that it is soon over."""
    return -len(REGISTRY[fault_id].locks)


def each_once(seed, ids, crash_points=4):
    """Every kind of fault once; of the crash points, which are one kind, some."""
    rng = random.Random(seed)
    crash = [i for i in ids if i.startswith("crash-")]
    dealt = [i for i in ids if i not in crash and REGISTRY[i].quick] + rng.sample(crash, min(crash_points, len(crash)))
    rng.shuffle(dealt)
    dealt.sort(key=most_locks_first)
    return [Planned(i, rng.getrandbits(32), rng.uniform(0.0, 0.2)) for i in dealt]
