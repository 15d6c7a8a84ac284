"""galaxy-gate: between two galaxies. In `gateway` mode all ships pass it, in `mirrored` a copy of each ends here.

A copy is seen in the gateway's history; the ledger counts the ship itself.
"""

import time


def process(ship):
    if ship.get("mirror"):
        return None
    return {**ship, "gate_passed_at": time.time()}
