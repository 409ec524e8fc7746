"""Writes a report of the orders it is given, the largest first, with the mean, and prints both."""

import json
import os
from pathlib import Path

orders = json.loads(Path(os.environ["EDGE_INPUT"]).read_text(encoding="utf-8")).get("orders", [])
orders.sort(key=lambda order: order["amount"], reverse=True)
total = sum(order["amount"] for order in orders)
mean = total / len(orders) if orders else 0

lines = [f"{order['customer']:<12}{order['amount']:>10.2f}" for order in orders]
report = "\n".join([*lines, f"{'Total':<12}{total:>10.2f}", f"{'Mean':<12}{mean:>10.2f}", ""])
(Path(os.environ["EDGE_OUTPUT_DIR"]) / "report.txt").write_text(report, encoding="utf-8")

print(f"{len(orders)} orders, {total:.2f} in all, {mean:.2f} each, reported by {os.environ['EDGE_VERSION']}")
