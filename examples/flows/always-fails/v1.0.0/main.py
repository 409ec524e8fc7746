"""Fails on purpose, as a flow does whose web site has changed overnight."""

import sys

print("signing in to the web shop ...")
print("expected a button named 'Sign in', found none", file=sys.stderr)
sys.exit(3)
