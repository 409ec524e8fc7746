"""TUF repositories in memory, made and signed by python-tuf: one order a line on standard input, one answer a line on standard output."""

import json
import sys
from datetime import datetime, timedelta, timezone

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

MAKE = {
    "ed25519": CryptoSigner.generate_ed25519,
    "rsa": CryptoSigner.generate_rsa,
    "ecdsa": CryptoSigner.generate_ecdsa,
}


class Publisher:
    def __init__(self, consistent=True, threshold=1, schemes=None, hashes=False):
        far = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=300)
        self.hashes = hashes
        self.files = {}
        self.former = []
        self.signers = {}
        self.metadata = {
            "root": Metadata(Root(consistent_snapshot=consistent, expires=far)),
            "timestamp": Metadata(Timestamp(expires=far)),
            "snapshot": Metadata(Snapshot(expires=far)),
            "targets": Metadata(Targets(expires=far)),
        }
        for role in self.metadata:
            count = threshold if role == "root" else 1
            self.signers[role] = [MAKE[(schemes or {}).get(role, "ed25519")]() for _ in range(count)]
            for signer in self.signers[role]:
                self.signed("root").add_key(signer.public_key, role)
        self.signed("root").roles["root"].threshold = threshold
        self.write("root")

    def signed(self, role):
        return self.metadata[role].signed

    def write(self, role):
        """Signs what there is of a role, as it is, and puts it among the files."""
        metadata = self.metadata[role]
        metadata.signatures.clear()
        for signer in self.signers[role] + (self.former if role == "root" else []):
            metadata.sign(signer, append=True)
        consistent = self.signed("root").consistent_snapshot
        versioned = role == "root" or (consistent and role != "timestamp")
        name = f"{metadata.signed.version}.{role}.json" if versioned else f"{role}.json"
        self.files[name] = metadata.to_bytes().decode()
        return name

    def meta(self, role):
        text = self.metadata[role].to_bytes()
        version = self.signed(role).version
        return MetaFile.from_data(version, text, ["sha256"]) if self.hashes else MetaFile(version)

    # orders

    def target(self, path, content, custom=None, role="targets", hashes=("sha256", "sha512")):
        found = TargetFile.from_data(path, content.encode(), list(hashes))
        if custom is not None:
            found.unrecognized_fields["custom"] = custom
        self.signed(role).targets[path] = found

    def remove(self, path, role="targets"):
        del self.signed(role).targets[path]

    def delegate(self, role, paths, by="targets", terminating=False, scheme="ed25519"):
        if self.signed(by).delegations is None:
            self.signed(by).delegations = Delegations({}, {})
        signer = MAKE[scheme]()
        self.signers[role] = [signer]
        self.metadata[role] = Metadata(Targets(expires=self.signed("targets").expires))
        self.signed(by).delegations.roles[role] = DelegatedRole(role, [], 1, terminating, paths=paths)
        self.signed(by).add_key(signer.public_key, role)
        self.signed(role).version = 0

    def bins(self, prefix, bits):
        signer = MAKE["ed25519"]()
        succinct = SuccinctRoles([signer.public_key.keyid], 1, bits, prefix)
        self.signed("targets").delegations = Delegations({signer.public_key.keyid: signer.public_key}, None, succinct)
        for name in succinct.get_roles():
            self.signers[name] = [signer]
            self.metadata[name] = Metadata(Targets(expires=self.signed("targets").expires))
            self.signed(name).version = 0
        return list(succinct.get_roles())

    def bin_of(self, path):
        return self.signed("targets").delegations.succinct_roles.get_role_for_target(path)

    def publish(self, roles=("targets",), snapshot=True, timestamp=True):
        """New versions of the roles, then of what names them."""
        for role in roles:
            self.signed(role).version += 1 if f"{role}.json" in self.names() or role != "targets" else 0
            self.write(role)
            self.signed("snapshot").meta[f"{role}.json"] = self.meta(role)
        if snapshot:
            self.signed("snapshot").version += 1
            self.write("snapshot")
            self.signed("timestamp").snapshot_meta = self.meta("snapshot")
        if timestamp:
            self.signed("timestamp").version += 1
            self.write("timestamp")

    def names(self):
        return [name.split(".", 1)[1] if name[0].isdigit() else name for name in self.files]

    def rotate(self, role, scheme="ed25519", keep=False, count=1):
        """Other keys for a role (or more, with keep), in the next root; which must still be written with `root`."""
        if role == "root":
            self.former = list(self.signers["root"])
        if not keep:
            for keyid in list(self.signed("root").roles[role].keyids):
                self.signed("root").revoke_key(keyid, role)
            self.signers[role] = []
        for _ in range(count):
            signer = MAKE[scheme]()
            self.signers[role].append(signer)
            self.signed("root").add_key(signer.public_key, role)

    def root(self):
        self.signed("root").version += 1
        self.write("root")
        self.former = []

    def steal(self, role):
        """From now on somebody else's key signs for the role, which no root knows."""
        self.signers[role] = [MAKE["ed25519"]()]

    def expire(self, role, at):
        self.signed(role).expires = datetime.fromisoformat(at.replace("Z", "+00:00")).replace(microsecond=0)

    def version(self, role, to):
        self.signed(role).version = to

    def names_version(self, role, to):
        """What the snapshot says of a role's version."""
        self.signed("snapshot").meta[f"{role}.json"] = MetaFile(to)

    def forget(self, role):
        del self.signed("snapshot").meta[f"{role}.json"]

    def drop(self, name):
        del self.files[name]

    def all(self):
        return self.files


publishers = {}
for line in sys.stdin:
    order = json.loads(line)
    name = order.pop("order")
    of = order.pop("of")
    try:
        if name == "init":
            publishers[of] = Publisher(**order)
            result = publishers[of].all()
        else:
            result = getattr(publishers[of], name)(**order)
        print(json.dumps({"result": result}), flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
