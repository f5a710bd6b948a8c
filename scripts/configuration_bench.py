"""Benchmarks of the configuration: rewriting, mapping, compiling, starting, comparing.

Costs of a decision are user-space instructions, counted by valgrind's callgrind: the difference
between a run with some questions and one with more of them, so that the start of the program is
no part of it. Everything else is a ratio of two sides that take turns in the same run.
"""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).resolve().parent.parent
QUESTIONS = 300
PARTS = ("rewrite", "mapping", "compile", "start", "compare")


def run(parts, directory):
    """Runs those of `parts` that are here."""
    if not set(parts) & set(PARTS):
        return
    if not shutil.which("valgrind"):
        sys.exit("bench: valgrind is missing (Debian package valgrind)")
    sh("cargo", "build", "--locked", "--release", "--quiet", "-p", "mta-channel", "--example", "decide", cwd=HERE)
    directory.mkdir(parents=True, exist_ok=True)
    for part, measure in zip(PARTS, (rewrite, mapping, compiling, start, comparing)):
        if part in parts:
            measure(directory)


def sh(*words, **more):
    more.setdefault("check", True)
    return subprocess.run([str(word) for word in words], text=True, capture_output=True, **more)


def options(rows):
    return "".join(f'      <option name="{key}" type="{kind}">{value}</option>\n' for key, kind, value in rows)


def group(name, identity, rows):
    return f'    <group name="{name}" id="{escape(identity)}">\n{options(rows)}    </group>\n'


def rule(pattern, template):
    return ("rule", "rule", f"<pattern>{escape(pattern)}</pattern><template>{escape(template)}</template>")


def channel(name):
    return group("channel", name, [
        ("official_host_name", "string", f"{name}-daemon"), ("smtp", "novalue", ""), ("mx", "novalue", ""),
        ("single_sys", "novalue", ""), ("subdirs", "integer", "20"), ("maxjobs", "integer", "7"),
        ("pool", "string", "SMTP_POOL"), ("maytlsserver", "novalue", ""), ("allowswitchchannel", "novalue", ""),
        ("missingrecipientpolicy", "integer", "4"), ("description", "string", f"the way to {name}")])


def send_entry(number):
    return rule(f"*|*@d{number}.example|*|*", "$NNo$ mail$ from$ there")


def port_entry(number):
    """A host, or for one in ten a network of its own."""
    a, b, c = number % 200 + 10, number // 200 % 250, number % 250
    if number % 10 == 0:
        return rule(f"TCP|*|25|$(10.{a}.{b}.0/24)|*", "$N500$ Go$ away")
    return rule(f"TCP|*|25|10.{a}.{b}.{c}|*", "$N500$ Go$ away")


def inside(text, start, rows):
    """The text with more options at the beginning of a group."""
    return text.replace(start, start + options(rows), 1)


class Root:
    """A server root whose text is made as large as wanted."""

    def __init__(self, path):
        self.path = path
        if not (path / "bin").exists():
            sh(HERE / "scripts/install", path)
            sh(path / "bin/configure", "--host", "mail.example.com", "--domain", "example.com",
               "--listen", "127.0.0.1", "--smtp-port", 12525, "--submit-port", 12587, "--smtps-port", 12465,
               "--account", "bob@example.com")
        self.text = path / "config/config.xml"
        kept = path / "config.xml.generated"
        if not kept.exists():
            shutil.copy(self.text, kept)
        self.generated = kept.read_text()

    def write(self, rules=0, channels=0, send=0, port=0, aliases=0, callouts=True):
        """Writes the generated text with so much more of everything; without `callouts` the rule that asks the directory about every domain is left out."""
        text = self.generated
        if not callouts:
            text = re.sub(r'      <option name="rule" type="rule">\s*<pattern>\$\*</pattern>.*?</option>\n', "", text,
                          count=1, flags=re.S)
        own = ["host.sub.example.com"] if rules else []
        rows = [rule(name, f"$U%$D@x{n % channels}-daemon" if channels else "$U%$D@tcp-daemon")
                for n, name in enumerate(own + [f"d{n}.example.com" for n in range(rules - len(own))])]
        text = inside(text, '    <group name="rewrite">\n', rows)
        text = inside(text, '    <group name="mapping" id="PORT_ACCESS">\n', map(port_entry, range(port)))
        more = [channel(f"x{n}") for n in range(channels)]
        if send:
            more.append(group("mapping", "SEND_ACCESS", [send_entry(n) for n in range(send)]))
        more += [group("alias", f"user{n}", [("alias_entry", "string", f"someone{n}@d{n}.example.com")])
                 for n in range(aliases)]
        before = '    <group name="channel" id="defaults">\n'
        self.text.write_text(text.replace(before, "".join(more) + before, 1))

    def compile(self):
        begun = time.monotonic()
        sh(self.path / "bin/imsimta", "cnbuild")
        return time.monotonic() - begun

    def instructions(self, *words):
        """User-space instructions of one run of the program that asks questions."""
        result = sh("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", decide(), *words, check=False)
        found = re.search(r"Collected : (\d+)", result.stderr)
        if result.returncode or not found:
            sys.exit(f"bench: {' '.join(map(str, words))}: {result.stderr[-800:]}")
        return int(found.group(1))

    def cost(self, mode, *arguments):
        """Instructions of one question."""
        low, high = (self.instructions(mode, self.path, count, *arguments) for count in (QUESTIONS, 2 * QUESTIONS))
        return (high - low) / QUESTIONS


def decide():
    return HERE / "target/release/examples/decide"


def limit(met):
    return "" if met else "   OVER THE LIMIT"


def rewrite(directory):
    print("\nOne rewrite, parse to channel and address, no call-outs, 200 channels (user-space instructions)")
    root = Root(directory / "configuration")
    several = [f"user@d{n}.example.com" for n in range(0, 90, 3)]
    questions = (("user@host.sub.example.com, rule of its own", "envelope", ["user@host.sub.example.com"]),
                 ("the same in a header", "header", ["user@host.sub.example.com"]),
                 ("user@host.sub.example.net, rule '.'", "envelope", ["user@host.sub.example.net"]),
                 ("the same in a header", "header", ["user@host.sub.example.net"]),
                 (f"{len(several)} domains in turn", "envelope", several))
    costs = {}
    for rules in (100, 10_000):
        root.write(rules=rules, channels=200, callouts=False)
        root.compile()
        costs[rules] = [root.cost(form, *addresses) for _, form, addresses in questions]
    once = [f"user@d{n}.example.com" for n in range(2 * QUESTIONS)]
    first = root.cost("envelope", *once)
    for number, (title, _, _) in enumerate(questions):
        few, many = costs[100][number], costs[10_000][number]
        print(f"  {title:<44} 100 rules {few:6.0f}   10,000 rules {many:6.0f}   ratio {many / few:4.2f}"
              f"{limit(many <= 8000 and many <= 1.5 * few)}", flush=True)
    print(f"  {'a domain that was not asked for before':<44} {'':16}   10,000 rules {first:6.0f}")
    print("  at most 8,000 and 1.5; what limits it is memory for the parts of the address, and once for\n"
          "  each domain the record of its rules, which is read, summed and decoded")


def mapping(directory):
    print("\nOne question to a mapping table (user-space instructions)")
    root = Root(directory / "configuration")
    for table, key, shape, texts in (
            ("SEND_ACCESS", "send", "*|*@dN.example|*|*",
             [f"tcp_local|user@d{n * 9 + 3}.example|tcp_local|ada@example.org" for n in range(10)]),
            ("PORT_ACCESS", "port", "TCP|*|25|10.a.b.c|*, one in ten a network",
             ["TCP|192.0.2.1|25|10.17.0.7|4711", "TCP|192.0.2.1|25|10.10.0.99|4711",
              "TCP|192.0.2.1|25|198.51.100.7|4711"])):
        costs = {}
        for entries in (100, 10_000):
            root.write(**{key: entries})
            root.compile()
            costs[entries] = root.cost("map", table, *texts)
        few, many = costs[100], costs[10_000]
        print(f"  {shape:<44} 100 entries {few:6.0f}   10,000 entries {many:6.0f}   ratio {many / few:4.2f}"
              f"{limit(many <= 3 * few)}", flush=True)
    print("  at most 3; what limits it is the length of the text, each part of which is looked for, and the\n"
          "  records of the entries that are tried")


def compiling(directory, runs=5):
    print(f"\nimsimta cnbuild, {runs} rounds (seconds, medians; each ten times the text of the one before)")
    root = Root(directory / "configuration")
    sizes = ((1_000, 10_000), (10_000, 100_000), (100_000, 1_000_000))
    texts = []
    for rules, aliases in sizes:
        root.write(rules=rules, aliases=aliases)
        texts.append(directory / f"config.xml.{aliases}")
        shutil.copy(root.text, texts[-1])
    rounds = []
    for _ in range(runs):
        rounds.append([])
        for text in texts:
            shutil.copy(text, root.text)
            rounds[-1].append(root.compile())
    for place, (rules, aliases) in enumerate(sizes):
        seconds = statistics.median(each[place] for each in rounds)
        ratios = [each[place] / each[place - 1] for each in rounds] if place else []
        ratio = statistics.median(ratios or [0])
        told = f"   ratio {ratio:5.2f} ({min(ratios):.1f} to {max(ratios):.1f}){limit(ratio <= 12)}" if ratios else ""
        print(f"  {rules:>7,} rules, {aliases:>9,} aliases {seconds:8.2f}{told}", flush=True)
    print("  at most 12; what limits it is reading XML, and the one sorted copy of all records")


def start(directory, runs=15):
    """A channel program reads the configuration, and then serves or works."""
    print(f"\nStarting on an image with 1,000 channels, 10,000 rules, 10,000 mapping entries and 1,000,000 aliases")
    small, large = Root(directory / "configuration"), Root(directory / "large")
    small.write()
    large.write(rules=10_000, channels=1_000, send=5_000, port=5_000, aliases=1_000_000)
    kinds = {}
    for root in (small, large):
        root.compile()
    for title, words in (("a program that reads the configuration", lambda root: (decide(), "start", root.path)),
                         ("imsimta test -rewrite, an address at the end",
                          lambda root: (root.path / "bin/imsimta", "test", "-rewrite", "user@d77.example.com"))):
        kinds[title] = {small: [], large: []}
        for number in range(runs):
            for root in ((small, large), (large, small))[number % 2]:
                begun = time.monotonic()
                sh(*words(root))
                kinds[title][root].append(time.monotonic() - begun)
    for title, seconds in kinds.items():
        ratio = statistics.median(many / few for few, many in zip(seconds[small], seconds[large]))
        print(f"  {title:<46} {statistics.median(seconds[small]) * 1000:6.1f} ms {statistics.median(seconds[large]) * 1000:6.1f} ms"
              f"   ratio {ratio:4.2f}{limit(ratio <= 2)}", flush=True)
    sizes = {}
    for root in (small, large):
        sh(root.path / "bin/start-msg")
        try:
            sizes[root] = server_memory(root)
        finally:
            sh(root.path / "bin/stop-msg")
    few, many = sizes[small], sizes[large]
    print(f"  {'tcp_smtp_server, one session (PSS)':<46} {few:6} kB {many:6} kB   ratio {many / few:4.2f}{limit(many <= 2 * few)}")
    print("  at most 2; what limits it are the names of all channels, which are read at the start")


def server_memory(root):
    """Proportional set size of the server that answers on the port, in kB."""
    import socket
    port = int(re.search(r'id="SMTP".*?name="tcp_ports"[^>]*>(\d+)', root.generated, re.S).group(1))
    end = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as session:
                session.sendall(b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<user77@example.com>\r\n")
                answers = b""
                # The greeting, EHLO, MAIL and RCPT are answered when four lines are last ones.
                while len(re.findall(rb"^\d\d\d ", answers, re.M)) < 4:
                    part = session.recv(65536)
                    if not part:
                        break
                    answers += part
                for entry in pathlib.Path("/proc").iterdir():
                    if entry.name.isdigit():
                        try:
                            program = os.readlink(entry / "exe")
                        except OSError:
                            continue
                        if program == str(root.path / "lib/tcp_smtp_server"):
                            rollup = (entry / "smaps_rollup").read_text()
                            return int(re.search(r"^Pss:\s+(\d+)", rollup, re.M).group(1))
        except OSError:
            pass
        if time.monotonic() > end:
            sys.exit("bench: waited in vain for the server")
        time.sleep(0.1)


def comparing(directory, runs=5):
    """`-compare` asks both configurations; one pass asks one of them, in a program that does nothing else."""
    print(f"\nimsimta test -rewrite -compare, 10,000 addresses, {runs} runs in turn")
    root = Root(directory / "configuration")
    root.write(rules=1_000, channels=50, aliases=1_000)
    root.compile()
    edited = root.text.read_text()
    edited = edited.replace("$U%$D@x7-daemon", "$U%$D@x8-daemon", 5)
    root.text.write_text(edited)
    addresses = [f"someone{n}@d{n % 1200}.example.com" if n % 3 else f"user{n % 1500}@example.com" for n in range(10_000)]
    lists = {}
    for name, chosen in (("all", addresses), ("one", addresses[:1])):
        lists[name] = directory / f"{name}.addresses"
        lists[name].write_text("".join(f"{address}\n" for address in chosen))

    def seconds(*words):
        begun = time.monotonic()
        sh(*words, check=False)
        return time.monotonic() - begun

    ratios = []
    for _ in range(runs):
        both = [seconds(root.path / "bin/imsimta", "test", "-rewrite", "-compare", f"-input={lists[name]}") for name in lists]
        once = [seconds(decide(), "resolve", root.path, lists[name]) for name in lists]
        ratios.append((both[0] - both[1]) / (once[0] - once[1]))
    ratio = statistics.median(ratios)
    print(f"  what 9,999 more addresses cost, against one pass   ratio {ratio:4.2f}{limit(ratio <= 2)}")
    print("  2 passes by their nature; what limits it is resolving, not comparing")
