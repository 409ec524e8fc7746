"""Writes a report of the orders it is given, and prints its sum."""

import json
import os
from pathlib import Path

orders = json.loads(Path(os.environ["EDGE_INPUT"]).read_text(encoding="utf-8")).get("orders", [])
total = sum(order["amount"] for order in orders)

lines = [f"{order['customer']:<12}{order['amount']:>10.2f}" for order in orders]
report = "\n".join([*lines, f"{'Total':<12}{total:>10.2f}", ""])
(Path(os.environ["EDGE_OUTPUT_DIR"]) / "report.txt").write_text(report, encoding="utf-8")

print(f"{len(orders)} orders, {total:.2f} in all, reported by {os.environ['EDGE_VERSION']}")
