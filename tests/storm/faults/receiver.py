"""The experts' own systems misbehave, each some of them."""
from . import Fault, fault

WHAT = {
    "hang": "never answer and forget it",
    "hang_after": "take the offer and never answer",
    "500": "answer 500",
    "429": "answer 429",
    "410": "answer 410: the ticket goes to another expert at once",
    "reset_after": "take the offer and reset the connection",
    "redirect": "redirect to a loopback address",
    "endless": "take the offer and answer without end",
}


def register(mode, what):
    @fault(f"hook-{mode.replace('_', '-')}", locks=["receiver"], touches=["hooks"], hold_s=(0.5, 4.0))
    class Misbehave(Fault):
        def inject(self):
            self.facts["share"] = self.rng.choice((0.1, 0.3, 1.0))
            self.world.call("receiver", mode=mode, share=self.facts["share"], seed=self.rng.getrandbits(32))

        def heal(self):
            self.world.call("receiver", mode="well", share=0, seed=0)
    Misbehave.__doc__ = f"Experts' receivers {what}, for up to 4 s."


for m, w in WHAT.items():
    register(m, w)
