"""Looks at the stock of a shop, article by article, and lists what is running out. It takes two seconds, so that one can watch."""

import os
import time
from pathlib import Path

STOCK = {"paper A4": 412, "toner black": 3, "envelopes C5": 260, "labels 70x36": 18, "pens blue": 95, "staples": 7}
LOW = 20

low = []
for place, (article, left) in enumerate(STOCK.items(), start=1):
    print(f"{place}/{len(STOCK)} {article:<14}{left:>5}{'  running out' if left < LOW else ''}", flush=True)
    if left < LOW:
        low.append(f"{article}: {left} left")
    time.sleep(0.3)

(Path(os.environ["EDGE_OUTPUT_DIR"]) / "to-order.txt").write_text("\n".join([*low, ""]), encoding="utf-8")
print(f"{len(low)} of {len(STOCK)} articles are running out")
