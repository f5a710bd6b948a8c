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


def sh(*words, **more):
    more.setdefault("check", True)
    return subprocess.run([str(word) for word in words], text=True, capture_output=True, **more)


def group(name, identity, options):
    rows = "".join(f'      <option name="{key}" type="{kind}">{value}</option>\n' for key, kind, value in options)
    named = f' id="{escape(identity)}"' if identity else ""
    return f'    <group name="{name}"{named}>\n{rows}    </group>\n'


def rule(pattern, template):
    return ("rule", "rule", f"<pattern>{escape(pattern)}</pattern><template>{escape(template)}</template>")


def channel(name):
    return group("channel", name, [
        ("official_host_name", "string", f"{name}-daemon"), ("smtp", "novalue", ""), ("mx", "novalue", ""),
        ("single_sys", "novalue", ""), ("subdirs", "integer", "20"), ("maxjobs", "integer", "7"),
        ("pool", "string", "SMTP_POOL"), ("maytlsserver", "novalue", ""), ("allowswitchchannel", "novalue", ""),
        ("missingrecipientpolicy", "integer", "4")])


def send_entry(number):
    return rule(f"*|*@d{number}.example|*|*", "$NNo$ mail$ from$ there")


def port_entry(number):
    """A host, or for one in ten a network of its own."""
    a, b, c = number % 200 + 10, number // 200 % 250, number % 250
    if number % 10 == 0:
        return rule(f"TCP|*|25|$(10.{a}.{b}.0/24)|*", "$N500$ Go$ away")
    return rule(f"TCP|*|25|10.{a}.{b}.{c}|*", "$N500$ Go$ away")


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
        text = self.generated
        if not callouts:
            text = re.sub(r'      <option name="rule" type="rule">\s*<pattern>\$\*</pattern>.*?</option>\n', "", text,
                          count=1, flags=re.S)
        more = "".join(group("rewrite", None, [rule(f"d{n}.example.com", f"$U%$D@x{n % max(channels, 1)}-daemon"
                                                    if channels else "$U%$D@tcp-daemon")])[:0] for n in range(0))
        rows = "".join(f'      <option name="{key}" type="{kind}">{value}</option>\n' for key, kind, value in (
            rule(f"d{n}.example.com", f"$U%$D@x{n % channels}-daemon" if channels else "$U%$D@tcp-daemon")
            for n in range(rules)))
        if rules:
            exact = rule("host.sub.example.com", "$U%$D@tcp-daemon")
            rows += f'      <option name="{exact[0]}" type="{exact[1]}">{exact[2]}</option>\n'
        text = text.replace('    <group name="rewrite">\n', '    <group name="rewrite">\n' + rows, 1)
        more += "".join(channel(f"x{n}") for n in range(channels))
        if send:
            more += group("mapping", "SEND_ACCESS", [send_entry(n) for n in range(send)])
        if port:
            entries = "".join(f'      <option name="{key}" type="{kind}">{value}</option>\n'
                              for key, kind, value in map(port_entry, range(port)))
            start = '    <group name="mapping" id="PORT_ACCESS">\n'
            text = text.replace(start, start + entries, 1)
        more += "".join(group("alias", f"user{n}", [("alias_entry", "string", f"someone{n}@d{n}.example.com")])
                        for n in range(aliases))
        text = text.replace('    <group name="channel" id="defaults">\n', more + '    <group name="channel" id="defaults">\n', 1)
        self.text.write_text(text)

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
    print("\nOne rewrite, envelope form and header form, no call-outs, 200 channels (user-space instructions)")
    root = Root(directory / "configuration")
    questions = (("user@host.sub.example.com, by its own rule", ["user@host.sub.example.com"]),
                 ("user@elsewhere.sub.example.net, by the rule '.'", ["user@elsewhere.sub.example.net"]),
                 ("50 domains in turn", [f"user@d{n}.example.com" for n in range(0, 100, 2)]))
    costs = {}
    for rules in (100, 10_000):
        root.write(rules=rules, channels=200, callouts=False)
        root.compile()
        costs[rules] = [root.cost("rewrite", *addresses) for _, addresses in questions]
    for number, (title, _) in enumerate(questions):
        few, many = costs[100][number], costs[10_000][number]
        print(f"  {title:<50} 100 rules {few:6.0f}   10,000 rules {many:6.0f}   ratio {many / few:4.2f}"
              f"{limit(many <= 8000 and many <= 1.5 * few)}", flush=True)
    print("  limits: 8,000 and 1.5; what limits it: the directory's filter and the one record that is read and decoded")


def mapping(directory):
    print("\nOne question to a mapping table (user-space instructions)")
    root = Root(directory / "configuration")
    for table, key, texts in (
            ("SEND_ACCESS", "send", ["tcp_local|user@d{n}.example|tcp_local|ada@example.org" for n in range(10)]),
            ("PORT_ACCESS", "port", ["TCP|192.0.2.1|25|10.17.0.7|4711", "TCP|192.0.2.1|25|10.10.0.99|4711",
                                     "TCP|192.0.2.1|25|198.51.100.7|4711"])):
        texts = [text.replace("{n}", str(n * 9 + 3)) for n, text in enumerate(texts)]
        costs = {}
        for entries in (100, 10_000):
            root.write(**{key: entries})
            root.compile()
            costs[entries] = root.cost("map", table, *texts)
        few, many = costs[100], costs[10_000]
        shape = "*|*@dN.example|*|*" if key == "send" else "TCP|*|25|10.a.b.c|*, one in ten a network"
        print(f"  {shape:<45} 100 entries {few:6.0f}   10,000 entries {many:6.0f}   ratio {many / few:4.2f}"
              f"{limit(many <= 3 * few)}", flush=True)
    print("  limit: 3; what limits it: the text's length (a hash for each gram) and the records read")
