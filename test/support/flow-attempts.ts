/**
 * A flow that tries what it has no business with, and prints `{<attempt>: "yes" | "no"}`. `AT` in its environment is the folder that
 * test/executors/what-a-flow-tries.test.ts lays out. Nothing of what it tries does harm when it works.
 */
export const FLOW_ATTEMPTS = `
import ctypes, errno, json, os, resource, socket, sys
at = os.environ["AT"]
agent = os.environ["AGENT_PID"]
others = os.environ["OTHER_PIDS"].split()
here = os.environ["EDGE_OUTPUT_DIR"]
secret = at + "/credentials/device.jwk"

def can(work):
    try: return "yes" if work() else "no"
    except (OSError, ValueError): return "no"
def reads(path, expected=None):
    def work():
        with open(path, "rb") as file: found = file.read(4096)
        return len(found) > 0 if expected is None else expected in found
    return work
def links(kind):
    def work():
        name = here + "/" + kind
        (os.symlink if kind == "symlink" else os.link)(secret, name)
        try:
            with open(name, "rb") as file: return b"PRIVATE" in file.read()
        finally: os.unlink(name)
    return work
def writes(path):
    def work():
        before = None
        folder = os.path.dirname(path)
        mode = os.stat(folder).st_mode
        try: os.chmod(folder, 0o700)
        except OSError: pass
        try:
            try: os.chmod(path, 0o600)
            except OSError: pass
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
            return True
        finally:
            try: os.chmod(folder, mode & 0o7777)
            except OSError: pass
    return work
def puts(folder):
    def work():
        name = folder + "/planted"
        open(name, "w").close()
        os.unlink(name)
        return True
    return work
def talks():
    client = socket.socket(socket.AF_UNIX)
    client.connect(at + "/.agent/agent.sock")
    return True
def traces(pid):
    def work():
        libc = ctypes.CDLL(None, use_errno=True)
        # PTRACE_SEIZE, which stops nothing; the end of this process lets go.
        return libc.ptrace(0x4206, int(pid), None, None) == 0
    return work
def signals(pid):
    def work():
        os.kill(int(pid), 0)
        return True
    return work
def moves():
    # Into the group of the agent, where nothing ends it.
    own = [line for line in open("/proc/self/cgroup").read().split("\\n") if line.startswith("0::")][0][3:]
    place = os.environ["CGROUPS"] + own
    up = os.path.dirname(place)
    with open(up + "/cgroup.procs", "w") as file: file.write(str(os.getpid()))
    return True
def environ_of(pids):
    return any(can(reads("/proc/%s/environ" % pid, b"NEIGHBOUR_KEY=abc")) == "yes" for pid in pids)
status = open("/proc/self/status").read()

attempts = {
    "read the credentials": can(reads(secret)),
    "read them by /proc/self/root": can(reads("/proc/self/root" + secret)),
    "read them by /proc/1/root": can(reads("/proc/1/root" + secret)),
    "read them by the agent's /proc/<pid>/root": can(reads("/proc/" + agent + "/root" + secret, b"PRIVATE")),
    "read them by a symbolic link": can(links("symlink")),
    "read them by a hard link": can(links("hard")),
    "read a tunnel's token": can(reads(at + "/tunnel-token")),
    "read the agent's database": can(reads(at + "/.agent/agent.db")),
    "change agent.yaml": can(writes(at + "/agent.yaml")),
    "talk to the control socket": can(talks),
    "read what another run keeps": can(reads(at + "/.agent/runs/other/1/work/kept")),
    "write among the files of another run": can(puts(at + "/.agent/runs/other/1/work")),
    "read another tenant's bundle": can(reads(at + "/globex/v1/main.py")),
    "change its own bundle": can(writes(os.environ["EDGE_BUNDLE_DIR"] + "/main.py")),
    "change the environment it runs in": can(writes(at + "/.agent/envs/python/lib.py")),
    "change the pointer": can(writes(at + "/acme/current.json")),
    "read the environment of the agent": can(reads("/proc/" + agent + "/environ", b"AGENT_KEY=")),
    "read the memory of the agent": can(lambda: open("/proc/" + agent + "/mem", "rb") and os.readlink("/proc/" + agent + "/exe")),
    "list the open files of the agent": can(lambda: len(os.listdir("/proc/" + agent + "/fd")) > 0 and "node" in os.readlink("/proc/" + agent + "/exe")),
    "trace the agent": can(traces(agent)),
    "signal the agent": can(signals(agent)),
    "read the secrets of another run": "yes" if environ_of(others) else "no",
    "leave its cgroup": can(moves),
    "gain rights by a setuid program": "no" if "NoNewPrivs:\\t1" in status else "yes",
    "leave a core dump": "no" if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else "yes",
    "open files without end": "no" if resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 65536 else "yes",
    "hear what the agent's environment says": "yes" if any(n in os.environ for n in ("AGENT_KEY", "PYTHONSTARTUP", "PYTHONPATH", "NODE_OPTIONS")) else "no",
    "use descriptors of the agent": "yes" if any(can(lambda: os.fstat(fd)) == "yes" for fd in range(3, 1024)) else "no",
    "be spared when memory runs out": "no" if int(open("/proc/self/oom_score_adj").read()) >= 250 else "yes",
    "keep supplementary groups": "yes" if [group for group in os.getgroups() if group not in (os.getgid(), 65534)] else "no",
}
print(json.dumps(attempts))
`;
