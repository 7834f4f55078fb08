"""The broker and the relay's transactions: killed between PrepareCommit and the markers, EndTxn late or unanswered."""
import signal
import time

from . import Fault, NotNow, fault
from ..broker_files import TransactionStates, forget_markers, unmarked
from ..end_txn import EndTxnProxy
from ..watch import TOPICS

WAIT_S = 8.0
ENDED_WAIT_S = 5.0
BACK_WAIT_S = 180.0


class AimedKill(Fault):
    """Watches the log of the transaction coordinator and kills the broker when a commit has been decided."""
    with_relay = forgets = False

    def inject(self):
        data = self.stack.kafka_root + "/data"
        states = TransactionStates(data)
        self.stack.hold("kafka")
        transaction = states.wait("PrepareCommit", WAIT_S)
        time.sleep(self.late_s())
        if transaction is None or self.stack.signal("kafka", signal.SIGKILL) is None:
            raise NotNow("no transaction was committed")
        if self.with_relay:
            for name in self.stack.running("relay"):
                self.stack.signal(name, signal.SIGKILL)
        if not self.stack.wait_ended("kafka", ENDED_WAIT_S):
            raise RuntimeError("the broker survived kill -9")
        states.news()
        self.facts |= {"transaction": transaction, "unmarked": self.unmarked(states, data)}
        self.facts["hit"] = self.facts["unmarked"] > 0
        if self.forgets:
            self.facts["forgot"] = forget_markers(data)
        self.stack.release("kafka")

    def unmarked(self, states, data):
        """Partitions that a commit which was decided had not reached."""
        return sum(unmarked(data, TOPICS, states.producer_id[name])
                   for name, state in states.state.items() if state == "PrepareCommit")

    def late_s(self):
        """Sometimes a little later, so that some of the markers are written and others not."""
        return self.rng.choice((0, 0, 0.0005, 0.001, 0.002)) if self.forgets else 0

    def heal(self):
        self.stack.release("kafka")
        self.stack.wait_kafka(BACK_WAIT_S)


@fault("kafka-kill-prepared", locks=["kafka"], touches=["kafka"], weight=4)
class KillPrepared(AimedKill):
    """kill -9 of the broker between PrepareCommit and the markers of a transaction"""


@fault("kafka-relay-kill-prepared", locks=["kafka", "relay"], touches=["kafka", "relay"], weight=2)
class KillPreparedAndRelay(AimedKill):
    """the same, and kill -9 of every relay"""
    with_relay = True


@fault("kafka-forgets-markers", locks=["kafka"], touches=["kafka"], quick=False)
class Forgets(AimedKill):
    """the same, and the broker comes back without the markers, as Kafka 4.3.1 does after some kills"""
    forgets = True


@fault("kafka-relay-forgets-markers", locks=["kafka", "relay"], touches=["kafka", "relay"])
class ForgetsAndRelay(AimedKill):
    """the same, and kill -9 of every relay"""
    forgets = with_relay = True


class EndTxn(Fault):
    mode = None

    def inject(self):
        self.proxy_of_txn = EndTxnProxy(self.stack.links["relay-1-kafka"], self.mode).start()
        self.proxy.call("upstream", name="relay-1-kafka", to_port=self.proxy_of_txn.port)
        self.proxy.call("cut", name="relay-1-kafka")
        if not self.proxy_of_txn.done.wait(WAIT_S):
            raise NotNow("no later transaction" if self.proxy_of_txn.held else "no transaction was committed")
        self.facts |= self.proxy_of_txn.facts

    def heal(self):
        self.proxy.call("upstream", name="relay-1-kafka", to_port=self.stack.links["relay-1-kafka"])
        self.proxy.call("cut", name="relay-1-kafka")
        self.proxy_of_txn.stop()


@fault("endtxn-late", locks=["relay", "relay-1-kafka"], touches=["relay"], hold_s=(0.2, 1.0))
class Late(EndTxn):
    """one EndTxn of the relay reaches the broker when a later transaction of the same id has begun (KAFKA-17754)"""
    mode = "late"


@fault("endtxn-unanswered", locks=["relay", "relay-1-kafka"], touches=["relay"], hold_s=(0.2, 1.0))
class Unanswered(EndTxn):
    """one EndTxn is carried out and its answer lost"""
    mode = "lost"
