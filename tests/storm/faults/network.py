"""What a network does to the connections of one program."""
import time

from . import Fault, NotNow, fault


class NetworkFault(Fault):
    """Picks a link that is in use: a program's to PostgreSQL or Kafka, the clients' to intake, or the notifier's
    to the receivers."""

    def pick(self):
        stats = self.proxy.call("stats")
        links = [name for name in self.stack.links if stats[name]["open"]]
        if not links:
            raise NotNow("no connection is open")
        self.name = self.facts["link"] = self.rng.choice(links)
        self.disturbed_before = stats[self.name]["disturbed"]
        self.touches = self.touched()
        return self.name

    def touched(self):
        """A delivery is repeated when its notifier or its receiver was cut off, or somebody who keeps rows locked."""
        if self.name == "hooks":
            return {"network", "hooks"}
        if self.name.startswith("notifier"):
            return {"network", "notifier"}
        return {"network", "postgres"} if self.name.endswith("-pg") else {"network"}

    def disturbed(self):
        """How often data has been held back or cut since."""
        return self.proxy.call("stats")[self.name]["disturbed"] - self.disturbed_before

    def set(self, **what):
        self.facts |= what
        self.proxy.call("set", name=self.name, **what)

    def took_place(self):
        return self.disturbed() > 0

    def way(self):
        return self.rng.choice(("up", "down"))

    def heal(self):
        if hasattr(self, "name"):
            self.proxy.call("set", name=self.name)


ALL = dict(locks=["network"], touches=["network"])


@fault("net-cut", **ALL)
class Cut(NetworkFault):
    """All connections of a link are reset, several times."""

    def inject(self):
        self.pick()
        self.facts["connections"] = 0
        for _ in range(self.rng.randint(1, 5)):
            self.facts["connections"] += self.proxy.call("cut", name=self.name, reset=self.rng.random() < 0.7)
            time.sleep(self.rng.uniform(0.02, 0.4))

    def took_place(self):
        return self.facts["connections"] > 0


@fault("net-reset-midstream", hold_s=(0.5, 2.0), **ALL)
class ResetMidstream(NetworkFault):
    """A connection is reset in the middle of what it carries, after up to 20,000 bytes."""

    def inject(self):
        self.pick()
        self.set(**{self.way(): {"reset_after_bytes": self.rng.randint(1, 20000)}})


@fault("net-reply-cut", hold_s=(0.3, 1.0), **ALL)
class ReplyCut(NetworkFault):
    """A reply is cut after 1 to 200 bytes: the request has been carried out, and nobody knows."""

    def inject(self):
        self.pick()
        for _ in range(self.rng.randint(1, 4)):
            self.set(down={"reset_after_bytes": self.rng.randint(1, 200)})
            time.sleep(self.rng.uniform(0.1, 0.4))


@fault("net-one-way", hold_s=(0.5, 8.0), **ALL)
class OneWay(NetworkFault):
    """Nothing passes in one direction for up to 8 s; then all of it, or the connections are dead."""

    def inject(self):
        self.pick()
        self.set(**{self.way(): {"stall": True}})

    def heal(self):
        if hasattr(self, "name"):
            if self.rng.random() < 0.5:
                self.proxy.call("cut", name=self.name, reset=True)
            super().heal()


@fault("net-partition", hold_s=(0.5, 8.0), **ALL)
class Partition(NetworkFault):
    """Nothing passes either way for up to 8 s, and then the connections are dead."""

    def inject(self):
        self.pick()
        self.set(up={"stall": True}, down={"stall": True})

    def heal(self):
        if hasattr(self, "name"):
            self.proxy.call("cut", name=self.name, reset=True)
            super().heal()


@fault("net-refused", hold_s=(0.5, 4.0), **ALL)
class Refused(NetworkFault):
    """The connections are reset and new ones refused for up to 4 s."""

    def inject(self):
        self.pick()
        self.set(refuse=True)
        self.facts["connections"] = self.proxy.call("cut", name=self.name)

    def took_place(self):
        return self.facts["connections"] > 0


@fault("net-delay", hold_s=(1.0, 5.0), **ALL)
class Delay(NetworkFault):
    """50 to 2,000 ms each way."""

    def inject(self):
        self.pick()
        ms = self.rng.choice((50, 100, 200, 500, 1000, 2000))
        self.set(up={"delay_ms": ms}, down={"delay_ms": ms})


@fault("net-slow", hold_s=(1.0, 5.0), **ALL)
class Slow(NetworkFault):
    """1 KB/s in one direction."""

    def inject(self):
        self.pick()
        self.set(**{self.way(): {"rate_bytes_s": 1024}})
